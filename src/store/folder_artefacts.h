/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artefacts in a folder (artefact_files.h), worked on by threads of libuv's pool.
 */
#pragma once

#include "store/artefacts.h"

/* Operations that work on the disk at the same time, of all loops. */
enum { FOLDER_ARTEFACTS_RUNNING_MAX = 4 };

/* Makes the folder and locks it for this process. Blocks: to be called before the loop serves. */
int folder_artefacts_open(const char *folder, struct artefacts **ret_artefacts, struct error *err);
