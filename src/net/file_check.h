/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks now and then whether a file is still there, as cleaners of temporary folders remove sockets. The look runs on
 * libuv's pool, as the disk may be slow.
 */
#pragma once

#include "net/loop.h"

struct file_look;

struct file_check {
	struct loop *loop;
	const char *path; /* borrowed until file_check_stop */
	uint64_t every_ms;
	void (*gone)(struct file_check *check); /* on the loop, after each look that did not find the file */
	struct timer timer; /* the next look */
	struct file_look *look; /* the one under way; NULL: none is */
};

void file_check_start(struct file_check *check, struct loop *loop, const char *path, uint64_t every_ms,
		      void (*gone)(struct file_check *check));
/* Also of a check that was never started. A look that is under way ends without a word; the loop waits for it. */
void file_check_stop(struct file_check *check);
