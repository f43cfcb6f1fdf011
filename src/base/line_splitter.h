/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes that a process writes to the lines of a log. Pure.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/* "max-log-line": what is longer is cut, with a mark. */
enum { LOG_LINE_MAX = 16 << 10 };

struct line_splitter {
	struct buf begun; /* of the line that is not complete */
	size_t cut; /* bytes of it that were dropped */
};

/* A line without its end: valid UTF-8 without control characters but tabs, at most LOG_LINE_MAX bytes and the mark. */
typedef void line_function(void *data, struct str line);

void line_splitter_init(struct line_splitter *splitter);
void line_splitter_deinit(struct line_splitter *splitter);

/* Calls on_line for every line that is complete now. Lines end with LF or CR LF; empty ones are passed over. */
void line_splitter_feed(struct line_splitter *splitter, struct str bytes, line_function *on_line, void *data);
/* What was begun is a line as well. */
void line_splitter_end(struct line_splitter *splitter, line_function *on_line, void *data);
