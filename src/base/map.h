/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from text to a pointer. It copies its keys and owns none of its values.
 *
 * The hash is seeded at random in each process, so a peer cannot choose names that collide.
 */
#pragma once

#include "base/str.h"

struct map {
	struct map_slot *slots;
	size_t len;
	size_t capacity; /* a power of two, or 0 */
};

void map_init(struct map *map);
void map_deinit(struct map *map); /* the values stay the caller's */

void *map_get(const struct map *map, struct str key); /* NULL: no such key */
/* Returns the value that it replaced, or NULL. value is not NULL. */
void *map_put(struct map *map, struct str key, void *value);
void *map_remove(struct map *map, struct str key);

/* Walks in arbitrary order: start with *cursor = 0; NULL at the end. The map must not change meanwhile. */
void *map_next(const struct map *map, size_t *cursor);

uint64_t str_hash(struct str text);
