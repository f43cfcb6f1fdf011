/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives exactly as long as one request or one command: many small allocations, one release.
 *
 * An arena has a maximum. arena_alloc aborts past it, so it is for sizes that we choose; arena_try_alloc
 * returns NULL, and is for sizes that a peer chooses. Under the address sanitizer each allocation is its own,
 * so that running past one is found.
 */
#pragma once

#include "base/str.h"

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used; /* by the caller, over all blocks */
	size_t max;
};

#define ARENA_INIT(maximum) ((struct arena){.max = (maximum)})

void arena_init(struct arena *arena, size_t max);
void arena_deinit(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
void *arena_try_alloc(struct arena *arena, size_t size) MUST_USE;

/* Terminated copies. */
char *arena_strdup(struct arena *arena, struct str text) MUST_USE;
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* A copy of the bytes, as a view (terminated as well). */
struct str arena_copy(struct arena *arena, struct str bytes);
