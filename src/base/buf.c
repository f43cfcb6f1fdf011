/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"

enum { FIRST_CAPACITY = 256 };

void buf_init(struct buf *buf, size_t max) {
	*buf = BUF_INIT(max);
}

void buf_init_counted(struct buf *buf, size_t max, struct buf_budget *budget) {
	*buf = (struct buf){.max = max, .budget = budget};
}

static void set_capacity(struct buf *buf, size_t capacity) {
	if (buf->budget != NULL)
		buf->budget->used += capacity - buf->capacity;
	buf->capacity = capacity;
}

void buf_deinit(struct buf *buf) {
	pool_free(buf->base);
	set_capacity(buf, 0);
	buf_init_counted(buf, buf->max, buf->budget);
}

char *buf_reserve(struct buf *buf, size_t size) {
	size_t len = buf_len(buf);
	if (size > buf->max - len)
		return NULL;
	if (buf->capacity - buf->write >= size && buf->base)
		return buf->base + buf->write;
	if (buf->read > 0) {
		memmove(buf->base, buf->base + buf->read, len);
		buf->read = 0;
		buf->write = len;
	}
	if (buf->capacity < len + size || buf->base == NULL) {
		size_t doubled = MAX(buf->capacity * 2, (size_t)FIRST_CAPACITY);
		set_capacity(buf, MAX(MIN(doubled, buf->max), len + size));
		buf->base = pool_realloc(buf->base, MAX(buf->capacity, (size_t)1));
	}
	return buf->base + buf->write;
}

void buf_commit(struct buf *buf, size_t size) {
	ASSERT(size <= buf->capacity - buf->write);
	buf->write += size;
}

int buf_append(struct buf *buf, struct str bytes) {
	if (bytes.len == 0)
		return 0;
	char *room = buf_reserve(buf, bytes.len);
	if (room == NULL)
		return -1;
	memcpy(room, bytes.ptr, bytes.len);
	buf_commit(buf, bytes.len);
	return 0;
}

int buf_printf(struct buf *buf, const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *text = NULL;
	int len = vasprintf(&text, format, args);
	va_end(args);
	ASSERT(len >= 0);
	int result = buf_append(buf, str_new(text, (size_t)len));
	free(text);
	return result;
}

void buf_consume(struct buf *buf, size_t size) {
	ASSERT(size <= buf_len(buf));
	buf->read += size;
	if (buf->read == buf->write)
		buf_clear(buf);
}

void buf_clear(struct buf *buf) {
	buf->read = 0;
	buf->write = 0;
}

void buf_trim(struct buf *buf) {
	if (buf_len(buf) == 0)
		buf_deinit(buf);
}
