/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data folder: made so that it survives a power cut, and taken by one process at a time.
 */
#pragma once

#include "base/error.h"

/* Makes the folder and those above it, and syncs their names. */
int folder_make(const char *path, struct error *err);

/* Takes FOLDER/lock, which then holds the process id. FailedPrecondition when it is taken; the error names the
 * folder and who has it. The kernel gives it back when the process ends, however it ends. */
int folder_lock(const char *path, int *ret_lock, struct error *err);
void folder_unlock(int lock);
