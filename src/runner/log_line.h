/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes that a process writes to lines, and from a line to what it says. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"

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

struct log_line {
	int64_t time_ms;
	enum log_level level;
	const char *message;
	const char *attributes; /* a JSON object, or "" */
};

/* A JSON object keeps its time, level and message ("message" or "msg"), and the rest as attributes; any other line is
 * a message with the time and level given. Allocates in arena, which needs LOG_LINE_ARENA_MAX. */
void log_line_read(struct str line, int64_t now_ms, enum log_level level, struct arena *arena,
		   struct log_line *ret_line);

#define LOG_LINE_ARENA_MAX KIB(256)

/* Milliseconds since 1970 of an RFC 3339 time; false: it is none. */
bool time_parse(struct str text, int64_t *ret_ms);
