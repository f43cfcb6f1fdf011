/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in one SQLite file.
 */
#pragma once

#include "store/store.h"

/* path: a folder, whose file is then FOLDER/ftl.db, or a file whose name ends with ".db". Creates the
 * folder and the file if they are missing. Takes the lock of the folder for this process (folder.h): a second one in
 * the same folder is refused with FailedPrecondition, and the error names the process that has it. A database that a
 * newer FTL wrote is refused too, and the error names both versions. */
int store_sqlite_open(const char *path, struct store **ret_store, struct error *err);
