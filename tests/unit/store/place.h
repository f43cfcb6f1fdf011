/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of its own for each test, and what happens to folders: full disks.
 */
#pragma once

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/path.h"

struct place {
	char path[64];
};

static inline void place_make(struct place *place) {
	snprintf(place->path, sizeof place->path, "/tmp/ftl-store-XXXXXX");
	assert_non_null(mkdtemp(place->path));
}

static inline void place_remove(struct place *place) {
	struct error err;
	assert_int_equal(path_remove_tree(place->path, &err), 0);
}

/* No file of this process grows past size: what a full disk looks like, without one. */
static inline void limit_files(rlim_t size) {
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A small disk at path, seen by this process alone and gone with it. False without the right to. */
static inline bool mount_small(const char *path, const char *options) {
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", path, "tmpfs", 0, options) == 0;
}
