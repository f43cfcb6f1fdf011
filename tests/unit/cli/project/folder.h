/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder for one test: made before it and removed after it, and the current folder meanwhile.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"

static char test_folder[] = "/tmp/ftl-cli-XXXXXX";

static inline int enter_folder(void **state UNUSED) {
	memcpy(strrchr(test_folder, '-'), "-XXXXXX", 7);
	return mkdtemp(test_folder) == NULL ? -1 : chdir(test_folder);
}

static inline int leave_folder(void **state UNUSED) {
	return chdir("/") < 0 ? -1 : path_remove_tree(test_folder, NULL);
}

/* Writes a file, and the folders that it is in. */
static inline void put(const char *path, const char *text) {
	char folder[256];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash != NULL && slash != folder) {
		*slash = '\0';
		assert_int_equal(path_make_folders(folder, NULL), 0);
	}
	assert_int_equal(file_write_whole(path, str_from(text), 0644, NULL), 0);
}

#define FOLDER_TEST(function) cmocka_unit_test_setup_teardown(function, enter_folder, leave_folder)
