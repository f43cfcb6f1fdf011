/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that grow in an arena. The capacity is the next power of two, so callers keep the count alone.
 */
#pragma once

#include "base/arena.h"

/* Returns the array, moved if needed, with room for item number count. */
static inline void *array_grow(struct arena *arena, void *items, size_t count, size_t item_size) {
	if ((count & (count - 1)) != 0)
		return items;
	void *grown = arena_alloc(arena, MAX(count * 2, (size_t)1) * item_size);
	if (count > 0)
		memcpy(grown, items, count * item_size);
	return grown;
}
