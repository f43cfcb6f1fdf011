/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and closes the store in SQLite, and implements the operations on all tables.
 *
 *   database.c      errors, statements, transactions, rows
 *   statements.c    the text of every statement
 *   migrations.c    the tables, from version to version
 *   deployments.c, modules.c, events.c
 *
 * A commit is durable because of synchronous = EXTRA: in WAL mode the log is synced before the commit returns, and
 * where a file system cannot do WAL and SQLite falls back to its rollback journal, the folder is synced as well.
 * Rows of deployments and their artefacts are added and never removed; states, details and modules change; of events
 * the newest stay.
 */
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/path.h"
#include "store/folder.h"
#include "store/sqlite/database.h"
#include "store/sqlite/deployments.h"
#include "store/sqlite/events.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/modules.h"

static int acquire(struct store *store, uint64_t *ret_epoch, struct error *err) {
	struct database *db = database_of(store);
	uint64_t epoch = 0;
	if (database_run(db, BEGIN, err) < 0)
		return -1;
	int result = database_read_epoch(db, &epoch, err);
	if (result == 0) {
		bind_number(db->statements[SET_EPOCH], 1, (int64_t)++epoch);
		result = database_run(db, SET_EPOCH, err);
	}
	if (database_end(db, result, FAILPOINT_STORE_ACQUIRE_COMMITTING, err) < 0)
		return -1;
	*ret_epoch = epoch;
	return 0;
}

static int renew(struct store *store, uint64_t epoch, struct error *err) {
	return database_check_epoch(database_of(store), epoch, err);
}

/* One read transaction, so that all rows are of one moment. */
static int read_rows(struct store *store, uint64_t after, struct arena *arena, struct store_rows *ret_rows,
		     enum statement modules, enum statement deployments, struct error *err) {
	struct database *db = database_of(store);
	struct store_rows rows = {0};
	if (database_run(db, BEGIN_READING, err) < 0)
		return -1;
	bool failed = database_read_sequence(db, &rows.sequence, err) < 0 ||
		      module_rows_list(db, modules, after, arena, &rows, err) < 0 ||
		      deployment_rows_list(db, deployments, after, arena, &rows, err) < 0;
	database_run(db, ROLLBACK, NULL); /* nothing was written */
	if (failed)
		return -1;
	*ret_rows = rows;
	return 0;
}

static int load(struct store *store, struct arena *arena, struct store_rows *ret_rows, struct error *err) {
	return read_rows(store, 0, arena, ret_rows, LOAD_MODULES, LOAD_DEPLOYMENTS, err);
}

static int watch(struct store *store, uint64_t after, struct arena *arena, struct store_rows *ret_rows,
		 struct error *err) {
	return read_rows(store, after, arena, ret_rows, WATCH_MODULES, WATCH_DEPLOYMENTS, err);
}

static enum failpoint failpoint_of(const struct store_change *change) {
	if (change->deployment_key != NULL)
		return change->module != NULL ? FAILPOINT_STORE_SWITCH_COMMITTING : FAILPOINT_STORE_STATE_COMMITTING;
	return change->module != NULL ? FAILPOINT_STORE_MODULE_COMMITTING : FAILPOINT_STORE_EVENTS_COMMITTING;
}

static int write_change(struct database *db, const struct store_change *change, struct error *err) {
	uint64_t sequence = 0;
	bool changes_rows = change->deployment_key != NULL || change->module != NULL;
	if (changes_rows && database_next_sequence(db, &sequence, err) < 0)
		return -1;
	if (change->deployment_key != NULL && deployment_rows_set_state(db, change, sequence, err) < 0)
		return -1;
	if (change->module != NULL && module_rows_set(db, change->module, sequence, err) < 0)
		return -1;
	return event_rows_add(db, change, err);
}

static int commit(struct store *store, uint64_t epoch, const struct store_change *change, struct error *err) {
	struct database *db = database_of(store);
	if (database_begin(db, epoch, err) < 0)
		return -1;
	return database_end(db, write_change(db, change, err), failpoint_of(change), err);
}

static void close_store(struct store *store) {
	struct database *db = database_of(store);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
	if (db->lock >= 0)
		folder_unlock(db->lock);
	free(db->path);
	free(db->folder);
	free(db);
}

static const struct store_ops ops = {
	.acquire = acquire,
	.renew = renew,
	.load = load,
	.add_deployment = deployment_rows_add,
	.commit = commit,
	.get_deployment = deployment_rows_get,
	.get_needs = deployment_rows_get_needs,
	.list_history = deployment_rows_list_history,
	.list_events = event_rows_list,
	.watch = watch,
	.close = close_store,
};

/* Creates the file before SQLite does, so that only its owner may read it. */
static int make_file(const char *path, struct error *err) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, errno, "could not open the database %s", path);
	close(fd);
	return 0;
}

static int prepare(struct database *db, struct error *err) {
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		int result = sqlite3_prepare_v3(db->handle, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
						&db->statements[i], NULL);
		if (result != SQLITE_OK)
			return database_set_error(db, result, err);
	}
	return 0;
}

static int open_database(struct database *db, struct error *err) {
	if (make_file(db->path, err) < 0)
		return -1;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int result = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
	if (result != SQLITE_OK)
		return database_set_error(db, result, err);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	/* Half a MiB of cache and a log of one MiB keep the memory of the Backplane small. */
	if (database_execute(
		    db,
		    "PRAGMA cache_size = -512; PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576;"
		    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		    err) < 0)
		return -1;
	if (database_migrate(db, err) < 0 || prepare(db, err) < 0)
		return -1;
	return folder_sync(db->folder, err);
}

/* Sets folder and path. */
static void name_files(struct database *db, const char *path) {
	if (!str_ends_with(str_from(path), STR(".db"))) {
		db->folder = mem_strdup(path);
		db->path = mem_printf("%s/ftl.db", path);
		return;
	}
	const char *slash = strrchr(path, '/');
	db->path = mem_strdup(path);
	if (slash == NULL)
		db->folder = mem_strdup(".");
	else
		db->folder = slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

int store_sqlite_open(const char *path, struct store **ret_store, struct error *err) {
	if (path[0] == '\0')
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the URL of the store names no place: write sqlite:FOLDER, or sqlite:FILE.db");
	struct database *db = mem_zalloc(sizeof *db);
	db->base.ops = &ops;
	db->lock = -1;
	name_files(db, path);
	if (folder_make(db->folder, err) < 0 || folder_lock(db->folder, &db->lock, err) < 0 ||
	    open_database(db, err) < 0) {
		close_store(&db->base);
		return -1;
	}
	*ret_store = &db->base;
	return 0;
}
