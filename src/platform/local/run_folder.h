/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder in which Runners of this machine live, by name: FOLDER/KEY.pid, FOLDER/KEY.sock and FOLDER/KEY.d/ belong
 * to the Runner with that key, and nothing else is in it.
 */
#pragma once

#include <stdbool.h>

#include "base/random.h"
#include "base/str.h"

#define RUN_PID_FILE ".pid" /* pid_file.h */
#define RUN_SOCKET ".sock" /* the Runner listens there */
#define RUN_WORK_FOLDER ".d" /* the Runner's, with the deployments that it hosts */

/* FOLDER/KEY, the suffix appended; the caller's to free. */
char *run_folder_path(const char *folder, const char *key, const char *suffix);

/* Whose work folder a path is, or is below: FOLDER/KEY.d/…; false: nobody's. */
bool run_folder_owner(const char *folder, struct str path, char ret_key[KEY_MAX]);

/* The key in a file name with that suffix; false: it has another, or no key. */
bool run_folder_key(struct str name, const char *suffix, char ret_key[KEY_MAX]);
