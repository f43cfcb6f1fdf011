/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing, at most two thirds full. A removal moves the followers up, so there
 * are no tombstones and a lookup ends at the first free slot.
 */
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

struct map_slot {
	uint64_t hash;
	char *key;
	size_t key_len;
	void *value; /* NULL: the slot is free */
};

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void) {
	random_bytes(&seed, sizeof seed);
}

static uint64_t mix(uint64_t a, uint64_t b) {
	__uint128_t product = (__uint128_t)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t str_hash(struct str text) {
	pthread_once(&seed_once, make_seed);
	uint64_t hash = seed ^ text.len;
	size_t i = 0;
	for (; i + 8 <= text.len; i += 8) {
		uint64_t word;
		memcpy(&word, text.ptr + i, 8);
		hash = mix(hash ^ word, 0x9E3779B97F4A7C15u);
	}
	uint64_t tail = 0;
	if (i < text.len)
		memcpy(&tail, text.ptr + i, text.len - i);
	return mix(hash ^ tail, 0xD6E8FEB86659FD93u ^ seed);
}

void map_init(struct map *map) {
	*map = (struct map){0};
}

void map_deinit(struct map *map) {
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	map_init(map);
}

/* The slot of key, or the free slot where it belongs. The table has a free slot. */
static struct map_slot *find_slot(const struct map *map, uint64_t hash, struct str key) {
	for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
		struct map_slot *slot = &map->slots[i];
		if (slot->value == NULL)
			return slot;
		if (slot->hash == hash && str_eq(str_new(slot->key, slot->key_len), key))
			return slot;
	}
}

static void grow(struct map *map) {
	struct map old = *map;
	map->capacity = MAX(old.capacity * 2, (size_t)8);
	map->slots = mem_zalloc(map->capacity * sizeof *map->slots);
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].value != NULL)
			*find_slot(map, old.slots[i].hash, str_new(old.slots[i].key, old.slots[i].key_len)) =
				old.slots[i];
	free(old.slots);
}

void *map_get(const struct map *map, struct str key) {
	return map->len == 0 ? NULL : find_slot(map, str_hash(key), key)->value;
}

void *map_put(struct map *map, struct str key, void *value) {
	ASSERT(value != NULL);
	if (map->len * 3 >= map->capacity * 2)
		grow(map);
	uint64_t hash = str_hash(key);
	struct map_slot *slot = find_slot(map, hash, key);
	void *old = slot->value;
	if (old == NULL) {
		*slot = (struct map_slot){.hash = hash, .key = mem_strndup(key.ptr, key.len), .key_len = key.len};
		map->len++;
	}
	slot->value = value;
	return old;
}

/* Shifts the slots after a hole until each is reachable from its home slot again. */
static void close_hole(struct map *map, size_t hole) {
	size_t mask = map->capacity - 1;
	for (size_t i = (hole + 1) & mask; map->slots[i].value != NULL; i = (i + 1) & mask) {
		size_t home = map->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *map, struct str key) {
	if (map->len == 0)
		return NULL;
	struct map_slot *slot = find_slot(map, str_hash(key), key);
	void *value = slot->value;
	if (value == NULL)
		return NULL;
	free(slot->key);
	close_hole(map, (size_t)(slot - map->slots));
	map->len--;
	return value;
}

void *map_next(const struct map *map, size_t *cursor) {
	while (*cursor < map->capacity) {
		void *value = map->slots[(*cursor)++].value;
		if (value != NULL)
			return value;
	}
	return NULL;
}
