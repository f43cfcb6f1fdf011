/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a line that a process printed: its time, level, message and attributes. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/log.h"

struct log_line {
	int64_t time_ms;
	enum log_level level;
	const char *message;
	const char *attributes; /* a JSON object, or "" */
};

/* A JSON object keeps its time ("time" or "timestamp"), level and message ("message" or "msg"), and the rest as
 * attributes, those within "attributes" beside the others; any other line is a message with the time given, and the
 * level given unless it says one as loggers do: a word in capitals among the first, "[error]", "level=error", "warning:
 * …", or the first line of a traceback. Allocates in arena, which needs LOG_LINE_ARENA_MAX. */
void log_line_read(struct str line, int64_t now_ms, enum log_level level, struct arena *arena,
		   struct log_line *ret_line);

/* The line as people read it: a JSON object as "LEVEL: MESSAGE NAME=VALUE…", any other line as it is. In arena or
 * borrowed from line. */
struct str log_line_show(struct str line, struct arena *arena);

#define LOG_LINE_ARENA_MAX KIB(256)
