/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A per-thread cache of memory for calls.
 *
 * A call allocates some twenty pieces of the same few sizes and frees them at its end, which is more than malloc's own
 * cache holds. The pool hands out the piece that was freed last, as it is still in the processor's cache. A thread
 * keeps at most POOL_KEPT_MAX and frees it when it ends. A piece may be freed on another thread. Under the address
 * sanitizer the pool is malloc, so that use after free is found.
 */
#pragma once

#include "base/macros.h"

enum {
	POOL_PIECE_MAX = 2560, /* larger pieces go to malloc */
	POOL_KEPT_MAX = 8 << 20,
};

void *pool_alloc(size_t size) MUST_USE;
void *pool_realloc(void *memory, size_t size) MUST_USE; /* memory may be NULL */
void pool_free(void *memory); /* takes NULL */
