/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text under construction. A write that does not fit sets an error that stays, so that generators check once at the
 * end.
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

/* Writes a string literal that is valid in C and Python, with its quotes. */
void text_put_literal(struct text *text, const char *value);
