/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a store by its URL:
 *
 *   sqlite:FOLDER    FOLDER/ftl.db (sqlite/sqlite.h)
 *   sqlite:FILE.db
 *   memory:          an empty store that is gone when it is closed (memory.h)
 */
#pragma once

#include "store/store.h"

/* InvalidArgument when the URL names no known kind of store; the error lists the known ones. */
int store_open(const char *url, struct store **ret_store, struct error *err);
