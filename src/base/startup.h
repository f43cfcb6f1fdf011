/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program does first in main().
 */
#pragma once

/* Opens /dev/null in place of each standard stream that is closed, in the wrong direction, so that using the stream
 * goes on failing. A closed stream would lend its number to the next file or socket, and printed lines would be written
 * into that. */
void startup_hold_streams(void);

/* Catches SIGPIPE and SIGXFSZ: write() reports a closed pipe and a file at its size limit as errors instead. They are
 * not ignored, as a program that this one starts would go on ignoring them. */
void startup_catch_write_signals(void);
