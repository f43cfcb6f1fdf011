/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names in the run folder: FOLDER/KEY.pid, FOLDER/KEY.sock and FOLDER/KEY.d/ belong to the Runner with that key.
 * The folder contains nothing else.
 */
#pragma once

#include <stdbool.h>

#include "base/random.h"
#include "base/str.h"

#define RUN_PID_FILE ".pid" /* pid_file.h */
#define RUN_SOCKET ".sock" /* on which the Runner listens */
#define RUN_WORK_FOLDER ".d" /* the Runner's work folder, with the deployments that it hosts */

/* FOLDER/KEY with the suffix; the caller frees it. */
char *run_folder_path(const char *folder, const char *key, const char *suffix);

/* The key of the Runner whose work folder a path is, or is below: FOLDER/KEY.d/…; false: there is none. */
bool run_folder_owner(const char *folder, struct str path, char ret_key[KEY_MAX]);

/* The key in a file name with that suffix; false: the name has another suffix, or no key. */
bool run_folder_key(struct str name, const char *suffix, char ret_key[KEY_MAX]);
