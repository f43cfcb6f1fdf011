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
/* Called once all its stores are closed. */
void memory_database_free(struct memory_database *database);

/* Opens another store on the database, which is borrowed until the store is closed. */
struct store *memory_database_open(struct memory_database *database);

/* Opens "memory:", a store with a database of its own. rest is the part of the URL behind the colon, which must be
 * empty.
 */
int store_memory_open(const char *rest, struct store **ret_store, struct error *err);
