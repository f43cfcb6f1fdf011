/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/database.h"

#include <inttypes.h>

#include "base/failpoint.h"

int database_set_error(const struct database *db, int result, struct error *err) {
	ASSERT(result != SQLITE_NOMEM); /* out of memory ends the process, here as everywhere */
	const char *text = sqlite3_errmsg(db->handle);
	switch (result & 0xff) { /* the other bits hold details */
	case SQLITE_FULL:
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the disk is full at %s: make room and try again",
				 db->path);
	case SQLITE_TOOBIG:
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "too large for the database %s: %s", db->path, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, CODE_UNAVAILABLE,
				 "another program has kept the database %s locked for %d ms: end it and try again",
				 db->path, BUSY_TIMEOUT_MS);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* the statements are correct, so the tables are wrong */
		return error_set(err, CODE_DATA_LOSS,
				 "the database %s is damaged (%s): put a copy back, or move it away to start empty",
				 db->path, text);
	case SQLITE_CONSTRAINT:
		return error_set(err, CODE_FAILED_PRECONDITION, "the database %s refuses the change: %s", db->path,
				 text);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return error_set(err, CODE_PERMISSION_DENIED, "the database %s cannot be written: %s", db->path, text);
	default:
		break;
	}
	int number = sqlite3_system_errno(db->handle);
	if (number != 0)
		return error_set_errno(err, number, "the database %s: %s", db->path, text);
	return error_set(err, CODE_INTERNAL, "the database %s: %s (%d)", db->path, text, result);
}

int database_execute(struct database *db, const char *text, struct error *err) {
	int result = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
	return result == SQLITE_OK ? 0 : database_set_error(db, result, err);
}

/* --- statements --------------------------------------------------------------------------------------------------- */

void bind_text(sqlite3_stmt *statement, int index, const char *text) {
	ASSERT(sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC) == SQLITE_OK);
}

void bind_digest(sqlite3_stmt *statement, int index, const struct digest *digest) {
	ASSERT(sqlite3_bind_blob(statement, index, digest->bytes, DIGEST_SIZE, SQLITE_STATIC) == SQLITE_OK);
}

void bind_number(sqlite3_stmt *statement, int index, int64_t number) {
	ASSERT(sqlite3_bind_int64(statement, index, number) == SQLITE_OK);
}

void statement_reset(sqlite3_stmt *statement) {
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

int database_step(struct database *db, sqlite3_stmt *statement, struct error *err) {
	int result = sqlite3_step(statement);
	if (result == SQLITE_ROW || result == SQLITE_DONE)
		return result == SQLITE_ROW;
	return database_set_error(db, result, err);
}

int database_run(struct database *db, enum statement which, struct error *err) {
	int result = database_step(db, db->statements[which], err);
	statement_reset(db->statements[which]);
	return result;
}

/* Reads the number in a result of one row. */
static int read_number(struct database *db, enum statement which, uint64_t *ret_number, struct error *err) {
	sqlite3_stmt *statement = db->statements[which];
	int result = database_step(db, statement, err);
	if (result == 1)
		*ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
	statement_reset(statement);
	if (result == 0)
		return database_set_error(db, SQLITE_CORRUPT, err);
	return result < 0 ? -1 : 0;
}

int database_read_epoch(struct database *db, uint64_t *ret_epoch, struct error *err) {
	return read_number(db, GET_EPOCH, ret_epoch, err);
}

int database_read_sequence(struct database *db, uint64_t *ret_sequence, struct error *err) {
	return read_number(db, GET_SEQUENCE, ret_sequence, err);
}

int database_next_sequence(struct database *db, uint64_t *ret_sequence, struct error *err) {
	return database_run(db, NEXT_SEQUENCE, err) < 0 ? -1 : database_read_sequence(db, ret_sequence, err);
}

int database_check_epoch(struct database *db, uint64_t epoch, struct error *err) {
	uint64_t newest;
	if (database_read_epoch(db, &newest, err) < 0)
		return -1;
	return newest == epoch ? 0 : store_set_stale(epoch, newest, err);
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

int database_begin(struct database *db, uint64_t epoch, struct error *err) {
	if (database_run(db, BEGIN, err) < 0)
		return -1;
	if (database_check_epoch(db, epoch, err) == 0)
		return 0;
	database_run(db, ROLLBACK, NULL);
	return -1;
}

int database_end(struct database *db, int result, enum failpoint committing, struct error *err) {
	if (result == 0) {
		failpoint(committing);
		result = database_run(db, COMMIT, err);
	}
	if (result == 0)
		failpoint(committing + 1);
	if (result < 0 && !sqlite3_get_autocommit(db->handle))
		database_run(db, ROLLBACK, NULL);
	return result;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void *row_alloc(struct row *row, size_t size) {
	void *memory = arena_try_alloc(row->arena, size);
	row->full |= memory == NULL;
	return memory;
}

struct str row_bytes(struct row *row, int column) {
	const void *bytes = sqlite3_column_blob(row->statement, column);
	size_t len = (size_t)sqlite3_column_bytes(row->statement, column);
	char *copy = row_alloc(row, len + 1);
	if (copy == NULL)
		return STR("");
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return str_new(copy, len);
}

const char *row_text(struct row *row, int column) {
	return row_bytes(row, column).ptr;
}

struct digest row_digest(struct row *row, int column) {
	struct digest digest = {0};
	const void *bytes = sqlite3_column_blob(row->statement, column);
	if (sqlite3_column_bytes(row->statement, column) == DIGEST_SIZE)
		memcpy(digest.bytes, bytes, DIGEST_SIZE);
	else
		row->damaged = true;
	return digest;
}

void *row_grow(struct row *row, void *items, size_t count, size_t item_size) {
	if ((count & (count - 1)) != 0)
		return items;
	void *grown = row_alloc(row, MAX(count * 2, (size_t)1) * item_size);
	if (grown != NULL && count > 0)
		memcpy(grown, items, count * item_size);
	return grown;
}

int row_check(const struct row *row, const struct database *db, struct error *err) {
	if (row->full)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "the rows of this in %s need more than the limit of %zu bytes", db->path,
				 row->arena->max);
	return row->damaged ? database_set_error(db, SQLITE_CORRUPT, err) : 0;
}
