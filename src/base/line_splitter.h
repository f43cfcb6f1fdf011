/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the output of a process into log lines. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* "max-log-line": a longer line is cut and marked. */
enum { LOG_LINE_MAX = 16 << 10 };

struct line_splitter {
	struct buf begun; /* the incomplete line */
	size_t cut; /* bytes of the incomplete line that were dropped */
};

/* line: without its line end, valid UTF-8, no control characters but tabs, at most LOG_LINE_MAX bytes and the mark. */
typedef void line_function(void *data, struct str line);

void line_splitter_init(struct line_splitter *splitter);
void line_splitter_deinit(struct line_splitter *splitter);

/* Calls on_line for every line that bytes complete. Lines end with LF or CR LF; empty lines are skipped. */
void line_splitter_feed(struct line_splitter *splitter, struct str bytes, line_function *on_line, void *data);
/* Passes an incomplete line to on_line as it is, so that it is seen before its end comes; what follows is a line of its
 * own. An incomplete character stays. */
void line_splitter_flush(struct line_splitter *splitter, line_function *on_line, void *data);
static inline bool line_splitter_has_begun(const struct line_splitter *splitter) {
	return buf_len(&splitter->begun) > 0;
}
/* How long an incomplete line waits for its end. */
enum { LINE_FLUSH_MS = 200 };

/* Ends the input: an incomplete line is passed to on_line. */
void line_splitter_end(struct line_splitter *splitter, line_function *on_line, void *data);
