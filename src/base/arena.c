/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/pool.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK_SIZE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_BLOCK_SIZE 0
#endif
#endif
#ifndef ARENA_BLOCK_SIZE
#define ARENA_BLOCK_SIZE 2000
#endif

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t max) {
	*arena = ARENA_INIT(max);
}

void arena_deinit(struct arena *arena) {
	for (struct arena_block *block = arena->blocks; block != NULL;) {
		struct arena_block *next = block->next;
		pool_free(block);
		block = next;
	}
	arena_init(arena, arena->max);
}

static size_t align_up(size_t size) {
	return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

void *arena_try_alloc(struct arena *arena, size_t size) {
	if (size > arena->max - arena->used)
		return NULL;
	size_t room = align_up(size);
	struct arena_block *block = arena->blocks;
	if (block == NULL || block->size - block->used < room) {
		size_t block_size = MAX(room, (size_t)ARENA_BLOCK_SIZE);
		block = pool_alloc(sizeof *block + block_size);
		*block = (struct arena_block){.next = arena->blocks, .size = block_size};
		arena->blocks = block;
	}
	void *memory = block->data + block->used;
	block->used += room;
	/* Even a tiny allocation costs its alignment, and counts as much. */
	arena->used += MIN(MAX(room, alignof(max_align_t)), arena->max - arena->used);
	return memory;
}

void *arena_alloc(struct arena *arena, size_t size) {
	void *memory = arena_try_alloc(arena, size);
	ASSERT(memory != NULL);
	return memory;
}

struct str arena_copy(struct arena *arena, struct str bytes) {
	char *copy = arena_alloc(arena, bytes.len + 1);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	copy[bytes.len] = '\0';
	return str_new(copy, bytes.len);
}

char *arena_strdup(struct arena *arena, struct str text) {
	return (char *)arena_copy(arena, text).ptr;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	ASSERT(len >= 0);
	char *text = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}
