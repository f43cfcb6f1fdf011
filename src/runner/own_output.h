/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared object prints: the standard output and error of this process, line by line.
 *
 * They become pipes that a thread of this file's reads, so that code which prints on the loop never waits for the loop.
 * The process's own log goes on to where standard error was. A fault (SIGSEGV, abort) leaves no time to pass lines on:
 * what was printed last goes there as well, and with it the words of who found the fault.
 */
#pragma once

#include "base/error.h"
#include "runner/log_line.h"

struct own_output;

/* From now on lines come to on_stdout and on_stderr, on a thread that is theirs alone. Once at a time. NULL: err says
 * why, and nothing has changed. */
struct own_output *own_output_take(line_function *on_stdout, line_function *on_stderr, void *data, struct error *err);

/* All that was printed before has come when it returns; what is printed later goes where it went before. */
void own_output_give_back(struct own_output *output);
