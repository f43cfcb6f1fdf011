/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in memory, for tests and for the simulator. Its rows belong to a struct memory_database, which outlives the
 * stores that are open on it, as a file outlives the processes that use it: so a test closes a store and opens another
 * one on the same rows, or has two at once. All of them belong to one thread.
 *
 * Rows are found by walking all of them.
 */
#pragma once

#include "store/store.h"

struct memory_database *memory_database_new(void);
/* No store is open on it any more. */
void memory_database_free(struct memory_database *database);

/* Opens another store on the database, which is borrowed until the store is closed. */
struct store *memory_database_open(struct memory_database *database);

/* For the URL "memory:", of which rest is what follows the colon: nothing. The store has a database of its own. */
int store_memory_open(const char *rest, struct store **ret_store, struct error *err);
