/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text on its way into a buffer. Writes go on after one that did not fit, and only the first such is remembered, so
 * that no line of a generator must check.
 */
#pragma once

#include "base/buf.h"

struct schema_comments;

struct text {
	struct buf *buf;
	bool full;
};

void text_put(struct text *text, const char *bytes);
void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* A string literal of C and of Python, with its quotes. */
void text_put_literal(struct text *text, const char *value);
