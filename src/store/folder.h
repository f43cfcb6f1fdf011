/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data folder: created so that it survives a power failure, and locked by one process at a time.
 */
#pragma once

#include "base/error.h"

/* Creates the folder and its missing parents, and syncs their names. */
int folder_make(const char *path, struct error *err);

/* Locks FOLDER/lock, which then holds the process id. FailedPrecondition when another process has it; the error names
 * the folder and the process. The kernel unlocks it when the process ends, however it ends. */
int folder_lock(const char *path, int *ret_lock, struct error *err);
void folder_unlock(int lock);
