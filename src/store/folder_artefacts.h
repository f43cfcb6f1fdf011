/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artefacts in a folder (artefact_files.h), whose functions run on libuv's pool.
 */
#pragma once

#include "store/artefacts.h"

/* Number of operations of all loops that use the disk at the same time. */
enum { FOLDER_ARTEFACTS_RUNNING_MAX = 4 };

/* Creates the folder and locks it for this process. Blocks, so it is called before the loop runs. */
int folder_artefacts_open(const char *folder, struct artefacts **ret_artefacts, struct error *err);
