/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures what a shared object prints: the standard output and error of this process, line by line.
 *
 * Both become pipes, which a thread of this file reads: so code that prints on the loop never waits for the loop. The
 * process's own log still goes to where standard error went before.
 *
 * After a fault (SIGSEGV, abort) lines can no longer be passed on. The signal handler then writes what was printed last
 * to where standard error went before, and into LAST_WORDS_FILE, which the Platform reads to tell why the Runner ended.
 */
#pragma once

#include "base/error.h"
#include "base/line_splitter.h"

struct output_capture_options {
	line_function *on_stdout, *on_stderr; /* on the thread that reads */
	void *data;
	const char *folder; /* for LAST_WORDS_FILE */
};

struct output_capture;

/* Captures from now on. At most one capture at a time. Returns NULL with err set when nothing has changed. */
struct output_capture *output_capture_take(const struct output_capture_options *options, struct error *err);

/* Ends the capture: all lines that were printed before have come when it returns, and later output goes to where it
 * went before the capture. */
void output_capture_give_back(struct output_capture *output);
