/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of modules.
 */
#pragma once

#include "store/sqlite/database.h"

/* In a transaction. which: LOAD_MODULES, or WATCH_MODULES, which uses `after`. */
int module_rows_list(struct database *db, enum statement which, uint64_t after, struct arena *arena,
		     struct store_rows *rows, struct error *err);
int module_rows_set(struct database *db, const struct module_record *module, uint64_t sequence, struct error *err);
