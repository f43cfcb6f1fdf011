/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_NOTHING
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING
#endif
#endif

enum {
	STEP = 64, /* sizes are rounded up to it */
	CLASSES = POOL_PIECE_MAX / STEP + 1,
};

struct piece {
	union {
		size_t size; /* in use: a multiple of STEP */
		struct piece *next; /* the next free piece */
	};
	alignas(max_align_t) char data[];
};

#ifdef KEEPS_NOTHING

void *pool_alloc(size_t size) {
	return mem_alloc(size);
}

void *pool_realloc(void *memory, size_t size) {
	return mem_realloc(memory, size);
}

void pool_free(void *memory) {
	free(memory);
}

#else

static _Thread_local struct {
	struct piece *at_hand[CLASSES]; /* free pieces by size class */
	size_t room; /* bytes that may still be kept */
	bool watched; /* free_all is registered for the end of the thread */
} pool;

static pthread_key_t thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_all(void *unused UNUSED) {
	for (size_t class = 0; class < CLASSES; class++) {
		while (pool.at_hand[class] != NULL) {
			struct piece *next = pool.at_hand[class]->next;
			free(pool.at_hand[class]);
			pool.at_hand[class] = next;
		}
	}
	pool.room = 0;
}

static void make_key(void) {
	int failed = pthread_key_create(&thread_end, free_all);
	ASSERT(failed == 0);
}

static void watch_thread(void) {
	pthread_once(&once, make_key);
	pthread_setspecific(thread_end, &pool);
	pool.watched = true;
	pool.room = POOL_KEPT_MAX;
}

static struct piece *piece_of(void *memory) {
	return CONTAINER_OF(memory, struct piece, data);
}

void *pool_alloc(size_t size) {
	size_t class = (size + STEP - 1) / STEP;
	struct piece *piece = class < CLASSES ? pool.at_hand[class] : NULL;
	if (piece != NULL) {
		pool.at_hand[class] = piece->next;
		pool.room += class * STEP;
	} else {
		piece = mem_alloc(sizeof *piece + class * STEP);
	}
	piece->size = class * STEP;
	return piece->data;
}

void pool_free(void *memory) {
	if (memory == NULL)
		return;
	struct piece *piece = piece_of(memory);
	size_t size = piece->size;
	if (!pool.watched)
		watch_thread();
	if (size > POOL_PIECE_MAX || size > pool.room) {
		free(piece);
		return;
	}
	piece->next = pool.at_hand[size / STEP];
	pool.at_hand[size / STEP] = piece;
	pool.room -= size;
}

/* Large blocks grow in place if malloc can. */
static void *realloc_large(struct piece *piece, size_t size) {
	size = (size + STEP - 1) / STEP * STEP;
	piece = mem_realloc(piece, sizeof *piece + size);
	piece->size = size;
	return piece->data;
}

void *pool_realloc(void *memory, size_t size) {
	size_t had = memory ? piece_of(memory)->size : 0;
	if (memory != NULL && size <= had)
		return memory;
	if (had > POOL_PIECE_MAX)
		return realloc_large(piece_of(memory), size);
	void *moved = pool_alloc(size);
	if (memory != NULL)
		memcpy(moved, memory, had);
	pool_free(memory);
	return moved;
}

#endif
