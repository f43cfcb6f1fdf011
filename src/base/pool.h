/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a thread keeps at hand for its next call.
 *
 * A call takes some twenty pieces of the same few sizes and gives them back at its end. malloc has no quick way for so
 * many; here the piece that was given back last, which is still in the processor's cache, is taken first. A thread
 * keeps POOL_KEPT_MAX at most; what it has is freed when it ends. A piece may be given back on another thread than its
 * own. Under the address sanitizer all of it is malloc's, so that use after the end is found.
 */
#pragma once

#include "base/macros.h"

enum {
	POOL_PIECE_MAX = 2560, /* what is larger is malloc's */
	POOL_KEPT_MAX = 8 << 20,
};

void *pool_alloc(size_t size) MUST_USE;
void *pool_realloc(void *memory, size_t size) MUST_USE; /* memory may be NULL */
void pool_free(void *memory); /* also NULL */
