/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte queue: written at the end, read from the front. It cannot be made without a maximum.
 *
 * The unread bytes are always contiguous. Memory is taken on the first write and given back by buf_deinit, or
 * by buf_trim when there is nothing to read. Buffers may be counted together in a budget, which those who fill them
 * ask before they do.
 */
#pragma once

#include "base/str.h"

struct buf_budget {
	size_t used; /* bytes that the buffers of the budget hold */
	size_t max;
};

struct buf {
	char *base;
	size_t read; /* offset of the first unread byte */
	size_t write; /* offset past the last byte */
	size_t capacity;
	size_t max; /* unread bytes at most */
	struct buf_budget *budget; /* borrowed; NULL: it is not counted */
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_init(struct buf *buf, size_t max);
void buf_init_counted(struct buf *buf, size_t max, struct buf_budget *budget);
void buf_deinit(struct buf *buf);

static inline size_t buf_len(const struct buf *buf) {
	return buf->write - buf->read;
}

static inline size_t buf_room(const struct buf *buf) {
	return buf->max - buf_len(buf);
}

/* The unread bytes; valid until the next change. */
static inline struct str buf_view(const struct buf *buf) {
	return str_new(buf->base ? buf->base + buf->read : "", buf_len(buf));
}

/* Makes room for size bytes at the end, to be filled and then committed; NULL: over the maximum. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_commit(struct buf *buf, size_t size);

/* Adds bytes. Returns 0, or -1 when that would pass the maximum; nothing is added then. */
int buf_append(struct buf *buf, struct str bytes) MUST_USE;
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Takes size bytes off the front. */
void buf_consume(struct buf *buf, size_t size);

/* Forgets the unread bytes; keeps the memory. */
void buf_clear(struct buf *buf);

/* Gives the memory back when nothing is unread. */
void buf_trim(struct buf *buf);
