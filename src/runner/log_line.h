/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a line that a process wrote to what it says. Pure.
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

/* A JSON object keeps its time, level and message ("message" or "msg"), and the rest as attributes; any other line is
 * a message with the time and level given. Allocates in arena, which needs LOG_LINE_ARENA_MAX. */
void log_line_read(struct str line, int64_t now_ms, enum log_level level, struct arena *arena,
		   struct log_line *ret_line);

#define LOG_LINE_ARENA_MAX KIB(256)

/* Milliseconds since 1970 of an RFC 3339 time; false: it is none. */
bool time_parse(struct str text, int64_t *ret_ms);
