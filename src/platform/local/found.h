/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier Backplane left in the run folder: the Runners that still run, by their pid files, or by their command
 * lines when a crash came before the file was written. All else in the folder is removed, with the processes that
 * Runners left. Waits for the disk.
 */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "base/random.h"

struct found_runner {
	char key[KEY_MAX];
	pid_t pid;
	int pidfd; /* whoever takes it sets it to -1 */
};

struct found {
	struct map runners; /* struct found_runner by key */
};

/* Makes the folder if it is not there. */
int found_read(const char *folder, struct found *ret_found, struct error *err);
void found_deinit(struct found *found); /* closes the pidfds that are left */
