/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared object prints: the standard output and error of this process, line by line.
 *
 * They become pipes that a thread of this file's reads, so that code which prints on the loop never waits for the loop.
 * The process's own log goes on to where standard error was.
 *
 * A fault (SIGSEGV, abort) leaves no time to pass lines on: what was printed last, with the words of who found the
 * fault, goes there then as well, and into a file for the Platform, which tells of the end.
 */
#pragma once

#include "base/error.h"
#include "base/line_splitter.h"

struct output_capture_options {
	line_function *on_stdout, *on_stderr; /* on a thread that is theirs alone */
	void *data;
	const char *folder; /* of the file, LAST_WORDS_FILE */
};

struct output_capture;

/* From now on lines come. Once at a time. NULL: err says why, and nothing has changed. */
struct output_capture *output_capture_take(const struct output_capture_options *options, struct error *err);

/* All that was printed before has come when it returns; what is printed later goes where it went before. */
void output_capture_give_back(struct output_capture *output);
