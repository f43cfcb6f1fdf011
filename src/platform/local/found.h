/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the Runners of an earlier Backplane that still run: by their pid files, or by their command lines when the
 * Backplane crashed before it wrote the file. Removes everything else in the run folder, and kills the processes that
 * ended Runners left. Blocks on the disk.
 */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "base/random.h"

struct found_runner {
	char key[KEY_MAX];
	pid_t pid;
	int pidfd; /* set to -1 by the function that takes it */
};

struct found {
	struct map runners; /* struct found_runner by key */
};

/* Creates the folder if it does not exist. */
int found_read(const char *folder, struct found *ret_found, struct error *err);
void found_deinit(struct found *found); /* closes the pidfds that are left */
