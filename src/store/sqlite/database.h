/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the files of this folder: an open database, its errors, statements, transactions and rows.
 */
#pragma once

#include <sqlite3.h>

#include "base/failpoint.h"
#include "store/sqlite/statements.h"
#include "store/store.h"

enum { BUSY_TIMEOUT_MS = 1000 };

struct database {
	struct store base;
	char *folder;
	char *path;
	int lock; /* the lock of the folder; -1: none */
	sqlite3 *handle;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

static inline struct database *database_of(struct store *store) {
	return CONTAINER_OF(store, struct database, base);
}

/* Sets the error for a result of SQLite. Returns -1. */
int database_set_error(const struct database *db, int result, struct error *err);
/* Runs statements that have neither parameters nor rows. */
int database_execute(struct database *db, const char *text, struct error *err);

/* --- statements: bound, then run or stepped, then reset ----------------------------------------------------------- */

void bind_text(sqlite3_stmt *statement, int index, const char *text);
void bind_digest(sqlite3_stmt *statement, int index, const struct digest *digest);
void bind_number(sqlite3_stmt *statement, int index, int64_t number);
void statement_reset(sqlite3_stmt *statement);
/* Returns 1 for a row, 0 when there is no further one, -1 for an error. */
int database_step(struct database *db, sqlite3_stmt *statement, struct error *err);
/* Runs a statement that returns no rows. */
int database_run(struct database *db, enum statement which, struct error *err);

int database_read_epoch(struct database *db, uint64_t *ret_epoch, struct error *err);
int database_read_sequence(struct database *db, uint64_t *ret_sequence, struct error *err);
/* Numbers the change that the transaction makes. */
int database_next_sequence(struct database *db, uint64_t *ret_sequence, struct error *err);
/* STALE_EPOCH unless the epoch is the newest. */
int database_check_epoch(struct database *db, uint64_t epoch, struct error *err);

/* --- transactions ------------------------------------------------------------------------------------------------- */

/* Begins to write, if the epoch is the newest. */
int database_begin(struct database *db, uint64_t epoch, struct error *err);
/* Commits when result is 0; rolls back when it is -1, or when the commit fails. The failpoint `committing` stands
 * before the commit, and the next one of the enum behind it. */
int database_end(struct database *db, int result, enum failpoint committing, struct error *err);

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* Reads rows into an arena. A value that does not fit or is invalid is recorded here; row_check, called at the end of
 * each row, turns it into an error. */
struct row {
	sqlite3_stmt *statement;
	struct arena *arena;
	bool full;
	bool damaged;
};

struct str row_bytes(struct row *row, int column);
const char *row_text(struct row *row, int column);
struct digest row_digest(struct row *row, int column);
/* Room for one more item behind the first count. The capacity of items is the next power of two. */
void *row_grow(struct row *row, void *items, size_t count, size_t item_size);
int row_check(const struct row *row, const struct database *db, struct error *err);
