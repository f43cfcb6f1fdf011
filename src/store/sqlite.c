/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in one SQLite file, DATA/ftl.db.
 *
 * A commit is durable because of synchronous = EXTRA: in WAL mode the log is synced before the commit returns, and
 * where a file system cannot do WAL and SQLite falls back to its rollback journal, the folder is synced as well.
 * Rows of deployments and their artefacts are only ever added; state, detail and modules change; events come and go.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/path.h"
#include "store/folder.h"

enum { BUSY_TIMEOUT_MS = 1000 };

/* The n-th brings a database to version n + 1. What has been released is never changed: add one instead. */
static const char *const migrations[] = {
	"CREATE TABLE modules ("
	" name TEXT NOT NULL PRIMARY KEY,"
	" active_key TEXT REFERENCES deployments(key),"
	" next_key TEXT REFERENCES deployments(key),"
	" replicas INTEGER NOT NULL CHECK (replicas BETWEEN 0 AND 4294967295)"
	") STRICT, WITHOUT ROWID;"
	/* id: newest first even when the clock jumps. schema is last, so that the other columns are read without it. */
	"CREATE TABLE deployments ("
	" id INTEGER PRIMARY KEY,"
	" key TEXT NOT NULL UNIQUE,"
	" module TEXT NOT NULL REFERENCES modules(name),"
	" language TEXT NOT NULL,"
	" identity BLOB NOT NULL UNIQUE CHECK (length(identity) = 32),"
	" created_ms INTEGER NOT NULL,"
	" state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),"
	" detail TEXT NOT NULL,"
	" schema BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX deployments_by_module ON deployments(module, id);"
	"CREATE TABLE deployment_artefacts ("
	" deployment INTEGER NOT NULL REFERENCES deployments(id),"
	" path TEXT NOT NULL,"
	" digest BLOB NOT NULL CHECK (length(digest) = 32),"
	" executable INTEGER NOT NULL CHECK (executable IN (0, 1)),"
	" PRIMARY KEY (deployment, path)"
	") STRICT, WITHOUT ROWID;",
	"CREATE TABLE events ("
	" sequence INTEGER PRIMARY KEY,"
	" time_ms INTEGER NOT NULL,"
	" kind INTEGER NOT NULL,"
	" module TEXT NOT NULL,"
	" deployment TEXT NOT NULL,"
	" runner TEXT NOT NULL,"
	" text TEXT NOT NULL,"
	" lines TEXT NOT NULL,"
	" retry_ms INTEGER NOT NULL"
	") STRICT;",
	("ALTER TABLE modules ADD COLUMN"
	 " next_replicas INTEGER NOT NULL DEFAULT 0 CHECK (next_replicas BETWEEN 0 AND 4294967295);"),
};

enum { VERSION = ARRAY_LEN(migrations) };

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_IDENTITY,
	ADD_MODULE,
	ADD_DEPLOYMENT,
	ADD_ARTEFACT,
	SET_NEXT,
	GET_DEPLOYMENT,
	GET_ARTEFACTS,
	SET_STATE,
	SET_MODULE,
	TIDY_ACTIVE,
	TIDY_NEXT,
	TIDY_OTHERS,
	LIST_MODULES,
	LIST_DEPLOYMENTS,
	ADD_EVENT,
	DROP_EVENTS,
	LIST_EVENTS,
	STATEMENT_COUNT,
};

#define DEPLOYMENT_COLUMNS "id, key, module, language, identity, created_ms, state, detail"

#define EVENT_COLUMNS "sequence, time_ms, kind, module, deployment, runner, text, lines, retry_ms"
#define EVENTS_WANTED "FROM events WHERE sequence > ?1 AND time_ms >= ?2 AND (?3 = '' OR module = ?3)"

static const char *const statement_texts[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[FIND_IDENTITY] = "SELECT key FROM deployments WHERE identity = ?1",
	[ADD_MODULE] = "INSERT INTO modules (name, replicas) VALUES (?1, 1) ON CONFLICT (name) DO NOTHING",
	[ADD_DEPLOYMENT] =
		"INSERT INTO deployments (key, module, language, identity, created_ms, state, detail, schema)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[ADD_ARTEFACT] =
		"INSERT INTO deployment_artefacts (deployment, path, digest, executable) VALUES (?1, ?2, ?3, ?4)",
	/* The active one keeps its number until it is replaced. What is wanted anew is not to have none. */
	[SET_NEXT] = "UPDATE modules SET next_key = iif(active_key IS ?2, NULL, ?2),"
		     " replicas = iif(ifnull(active_key, ?2) = ?2, iif(?3 = 0, max(replicas, 1), ?3), replicas),"
		     " next_replicas = CASE WHEN ifnull(active_key, ?2) = ?2 THEN 0"
		     " WHEN ?3 = 0 AND next_key IS ?2 THEN next_replicas"
		     " WHEN ?3 = 0 AND replicas = 0 THEN 1 ELSE ?3 END"
		     " WHERE name = ?1",
	[GET_DEPLOYMENT] = "SELECT " DEPLOYMENT_COLUMNS ", schema FROM deployments WHERE key = ?1",
	[GET_ARTEFACTS] =
		"SELECT path, digest, executable FROM deployment_artefacts WHERE deployment = ?1 ORDER BY path",
	[SET_STATE] = "UPDATE deployments SET state = ?2, detail = ?3 WHERE key = ?1",
	[SET_MODULE] = "UPDATE modules SET active_key = nullif(?2, ''), next_key = nullif(?3, ''), replicas = ?4,"
		       " next_replicas = ?5 WHERE name = ?1",
	[TIDY_ACTIVE] = "UPDATE deployments SET state = 2, detail = ''"
			" WHERE state <> 2 AND key IN (SELECT active_key FROM modules)",
	[TIDY_NEXT] = "UPDATE deployments SET state = 1, detail = ''"
		      " WHERE state <> 1 AND key IN (SELECT next_key FROM modules)",
	[TIDY_OTHERS] = "UPDATE deployments SET state = 4 WHERE state IN (1, 2, 3)"
			" AND NOT EXISTS (SELECT 1 FROM modules WHERE active_key = key OR next_key = key)",
	[LIST_MODULES] =
		"SELECT name, coalesce(active_key, ''), coalesce(next_key, ''), replicas, next_replicas FROM modules ORDER BY name",
	[LIST_DEPLOYMENTS] =
		"SELECT " DEPLOYMENT_COLUMNS " FROM deployments WHERE module = ?1 ORDER BY id DESC LIMIT ?2",
	[ADD_EVENT] = "INSERT INTO events (" EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[DROP_EVENTS] = "DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?1",
	/* The newest of them are found first, then given oldest first. */
	[LIST_EVENTS] =
		"SELECT " EVENT_COLUMNS " " EVENTS_WANTED " AND sequence >="
		" (SELECT min(sequence) FROM (SELECT sequence " EVENTS_WANTED " ORDER BY sequence DESC LIMIT ?4))"
		" ORDER BY sequence LIMIT ?5",
};

struct sqlite_store {
	struct store base;
	char *folder;
	char *path;
	int lock;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* Errors. */

static int set_error(const struct sqlite_store *self, int result, struct error *err) {
	ASSERT(result != SQLITE_NOMEM); /* out of memory ends the process, here as everywhere */
	const char *text = sqlite3_errmsg(self->db);
	switch (result & 0xff) { /* the rest of the bits are details */
	case SQLITE_FULL:
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the disk is full at %s: make room and try again",
				 self->path);
	case SQLITE_TOOBIG:
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "too large for the database %s: %s", self->path, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, CODE_UNAVAILABLE,
				 "another program has kept the database %s locked for %d ms: end it and try again",
				 self->path, BUSY_TIMEOUT_MS);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our statements are right, so the tables are not */
		return error_set(err, CODE_DATA_LOSS,
				 "the database %s is damaged (%s): put a copy back, or move it away to start empty",
				 self->path, text);
	case SQLITE_CONSTRAINT:
		return error_set(err, CODE_FAILED_PRECONDITION, "the database %s refuses the change: %s", self->path,
				 text);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return error_set(err, CODE_PERMISSION_DENIED, "the database %s cannot be written: %s", self->path,
				 text);
	default:
		break;
	}
	int number = sqlite3_system_errno(self->db);
	if (number != 0)
		return error_set_errno(err, number, "the database %s: %s", self->path, text);
	return error_set(err, CODE_INTERNAL, "the database %s: %s (%d)", self->path, text, result);
}

/* Statements: bound, then run or stepped, then reset. */

static void bind_text(sqlite3_stmt *statement, int index, const char *text) {
	ASSERT(sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC) == SQLITE_OK);
}

static void bind_digest(sqlite3_stmt *statement, int index, const struct digest *digest) {
	ASSERT(sqlite3_bind_blob(statement, index, digest->bytes, DIGEST_SIZE, SQLITE_STATIC) == SQLITE_OK);
}

static void bind_number(sqlite3_stmt *statement, int index, int64_t number) {
	ASSERT(sqlite3_bind_int64(statement, index, number) == SQLITE_OK);
}

static void reset(sqlite3_stmt *statement) {
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

/* 1: a row, 0: no more, -1: an error. */
static int step(struct sqlite_store *self, sqlite3_stmt *statement, struct error *err) {
	int result = sqlite3_step(statement);
	if (result == SQLITE_ROW || result == SQLITE_DONE)
		return result == SQLITE_ROW;
	return set_error(self, result, err);
}

/* For a statement without rows. */
static int run(struct sqlite_store *self, enum statement which, struct error *err) {
	int result = step(self, self->statements[which], err);
	reset(self->statements[which]);
	return result;
}

/* Commits when result is 0, and takes everything back when it is not or cannot be committed. */
static int end_transaction(struct sqlite_store *self, int result, enum failpoint committing, struct error *err) {
	if (result == 0) {
		failpoint(committing);
		result = run(self, COMMIT, err);
	}
	if (result == 0)
		failpoint(committing + 1);
	if (result < 0 && !sqlite3_get_autocommit(self->db))
		run(self, ROLLBACK, NULL);
	return result;
}

/* Rows into an arena; a row that does not fit, or cannot be right, is noted and told at the end of the row. */

struct row {
	sqlite3_stmt *statement;
	struct arena *arena;
	bool full;
	bool damaged;
};

static void *row_alloc(struct row *row, size_t size) {
	void *memory = arena_try_alloc(row->arena, size);
	row->full |= memory == NULL;
	return memory;
}

static struct str row_bytes(struct row *row, int column) {
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

static const char *row_text(struct row *row, int column) {
	return row_bytes(row, column).ptr;
}

static struct digest row_digest(struct row *row, int column) {
	struct digest digest = {0};
	const void *bytes = sqlite3_column_blob(row->statement, column);
	if (sqlite3_column_bytes(row->statement, column) == DIGEST_SIZE)
		memcpy(digest.bytes, bytes, DIGEST_SIZE);
	else
		row->damaged = true;
	return digest;
}

/* Room for one more item behind the first count; the room is the next power of two. */
static void *row_grow(struct row *row, void *items, size_t count, size_t item_size) {
	if ((count & (count - 1)) != 0)
		return items;
	void *grown = row_alloc(row, MAX(count * 2, (size_t)1) * item_size);
	if (grown != NULL && count > 0)
		memcpy(grown, items, count * item_size);
	return grown;
}

static int row_check(const struct row *row, const struct sqlite_store *self, struct error *err) {
	if (row->full)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "what %s has on this is more than the limit of %zu bytes", self->path,
				 row->arena->max);
	return row->damaged ? set_error(self, SQLITE_CORRUPT, err) : 0;
}

/* Creating a deployment. */

/* 1: found, 0: there is none, -1: an error. */
static int find_identity(struct sqlite_store *self, const struct digest *identity, char ret_key[KEY_MAX],
			 struct error *err) {
	sqlite3_stmt *statement = self->statements[FIND_IDENTITY];
	bind_digest(statement, 1, identity);
	int result = step(self, statement, err);
	if (result == 1) {
		const char *key = (const char *)sqlite3_column_text(statement, 0);
		size_t len = (size_t)sqlite3_column_bytes(statement, 0);
		if (len < KEY_MAX)
			memcpy(ret_key, key, len + 1);
		else
			result = set_error(self, SQLITE_CORRUPT, err);
	}
	reset(statement);
	return result;
}

static int add_artefacts(struct sqlite_store *self, const struct deployment_record *record, struct error *err) {
	int64_t deployment = sqlite3_last_insert_rowid(self->db);
	sqlite3_stmt *statement = self->statements[ADD_ARTEFACT];
	for (size_t i = 0; i < record->artefact_count; i++) {
		const struct artefact_record *artefact = &record->artefacts[i];
		bind_number(statement, 1, deployment);
		ASSERT(artefact->path.len <= ARTEFACT_PATH_MAX);
		sqlite3_bind_text(statement, 2, artefact->path.ptr, (int)artefact->path.len, SQLITE_STATIC);
		bind_digest(statement, 3, &artefact->digest);
		bind_number(statement, 4, artefact->executable);
		if (run(self, ADD_ARTEFACT, err) == 0)
			continue;
		if (sqlite3_extended_errcode(self->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
			error_set(err, CODE_INVALID_ARGUMENT,
				  "the path %.*s is given to two artefacts of one deployment", STR_ARG(artefact->path));
		return -1;
	}
	return 0;
}

static int add_deployment(struct sqlite_store *self, const struct deployment_record *record, struct error *err) {
	bind_text(self->statements[ADD_MODULE], 1, record->module);
	if (run(self, ADD_MODULE, err) < 0)
		return -1;
	sqlite3_stmt *statement = self->statements[ADD_DEPLOYMENT];
	bind_text(statement, 1, record->key);
	bind_text(statement, 2, record->module);
	bind_text(statement, 3, record->language);
	bind_digest(statement, 4, &record->identity);
	bind_number(statement, 5, record->created_ms);
	bind_number(statement, 6, record->state);
	bind_text(statement, 7, record->detail != NULL ? record->detail : "");
	const char *schema = record->schema.len > 0 ? record->schema.ptr : ""; /* NULL would not be an empty blob */
	if (sqlite3_bind_blob64(statement, 8, schema, record->schema.len, SQLITE_STATIC) != SQLITE_OK) {
		reset(statement);
		return set_error(self, SQLITE_TOOBIG, err);
	}
	return run(self, ADD_DEPLOYMENT, err) < 0 ? -1 : add_artefacts(self, record, err);
}

static int find_or_add(struct sqlite_store *self, const struct deployment_record *record, uint32_t replicas,
		       char ret_key[KEY_MAX], bool *ret_existed, struct error *err) {
	int found = find_identity(self, &record->identity, ret_key, err);
	if (found < 0 || (found == 0 && add_deployment(self, record, err) < 0))
		return -1;
	if (found == 0)
		memcpy(ret_key, record->key, strlen(record->key) + 1);
	*ret_existed = found == 1;
	sqlite3_stmt *statement = self->statements[SET_NEXT];
	bind_text(statement, 1, record->module);
	bind_text(statement, 2, ret_key);
	bind_number(statement, 3, replicas);
	return run(self, SET_NEXT, err);
}

static int create_deployment(struct store *store, const struct deployment_record *record, uint32_t replicas,
			     char ret_key[KEY_MAX], bool *ret_existed, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	ASSERT(strlen(record->key) < KEY_MAX);
	char key[KEY_MAX];
	bool existed = false;
	if (run(self, BEGIN, err) < 0)
		return -1;
	if (end_transaction(self, find_or_add(self, record, replicas, key, &existed, err),
			    FAILPOINT_STORE_CREATE_COMMITTING, err) < 0)
		return -1;
	memcpy(ret_key, key, strlen(key) + 1);
	*ret_existed = existed;
	return 0;
}

/* Reading deployments. */

static void read_deployment(struct row *row, struct deployment_record *ret_record) {
	*ret_record = (struct deployment_record){
		.key = row_text(row, 1),
		.module = row_text(row, 2),
		.language = row_text(row, 3),
		.identity = row_digest(row, 4),
		.created_ms = sqlite3_column_int64(row->statement, 5),
		.state = (enum deployment_state)sqlite3_column_int(row->statement, 6),
		.detail = row_text(row, 7),
	};
}

static int read_artefacts(struct sqlite_store *self, int64_t deployment, struct arena *arena,
			  struct deployment_record *record, struct error *err) {
	struct row row = {.statement = self->statements[GET_ARTEFACTS], .arena = arena};
	struct artefact_record *artefacts = NULL;
	size_t count = 0;
	int result;
	bind_number(row.statement, 1, deployment);
	while ((result = step(self, row.statement, err)) == 1) {
		artefacts = row_grow(&row, artefacts, count, sizeof *artefacts);
		if (artefacts != NULL)
			artefacts[count++] =
				(struct artefact_record){.path = row_bytes(&row, 0),
							 .digest = row_digest(&row, 1),
							 .executable = sqlite3_column_int(row.statement, 2)};
		if ((result = row_check(&row, self, err)) < 0)
			break;
	}
	reset(row.statement);
	record->artefacts = artefacts;
	record->artefact_count = count;
	return result;
}

static int get_deployment(struct store *store, const char *key, struct arena *arena,
			  struct deployment_record *ret_record, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	struct row row = {.statement = self->statements[GET_DEPLOYMENT], .arena = arena};
	struct deployment_record record;
	int64_t id = 0;
	bind_text(row.statement, 1, key);
	int found = step(self, row.statement, err);
	if (found == 1) {
		id = sqlite3_column_int64(row.statement, 0);
		read_deployment(&row, &record);
		record.schema = row_bytes(&row, 8);
	}
	reset(row.statement);
	if (found == 0)
		return error_set(err, CODE_NOT_FOUND, "there is no deployment %s", key);
	if (found < 0 || row_check(&row, self, err) < 0 || read_artefacts(self, id, arena, &record, err) < 0)
		return -1;
	*ret_record = record;
	return 0;
}

static int list_deployments(struct store *store, const char *module, size_t limit, struct arena *arena,
			    struct deployment_record **ret_records, size_t *ret_count, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	struct row row = {.statement = self->statements[LIST_DEPLOYMENTS], .arena = arena};
	struct deployment_record *records = NULL;
	size_t count = 0;
	int result;
	bind_text(row.statement, 1, module);
	bind_number(row.statement, 2, (int64_t)MIN(limit, (size_t)INT64_MAX));
	while ((result = step(self, row.statement, err)) == 1) {
		records = row_grow(&row, records, count, sizeof *records);
		if (records != NULL)
			read_deployment(&row, &records[count++]);
		if ((result = row_check(&row, self, err)) < 0)
			break;
	}
	reset(row.statement);
	if (result < 0)
		return -1;
	*ret_records = records;
	*ret_count = count;
	return 0;
}

/* Modules, and changes. */

static int list_modules(struct store *store, struct arena *arena, struct module_record **ret_modules, size_t *ret_count,
			struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	struct row row = {.statement = self->statements[LIST_MODULES], .arena = arena};
	struct module_record *modules = NULL;
	size_t count = 0;
	int result;
	while ((result = step(self, row.statement, err)) == 1) {
		modules = row_grow(&row, modules, count, sizeof *modules);
		if (modules != NULL)
			modules[count++] =
				(struct module_record){.name = row_text(&row, 0),
						       .active_key = row_text(&row, 1),
						       .next_key = row_text(&row, 2),
						       .replicas = (uint32_t)sqlite3_column_int64(row.statement, 3),
						       .next_replicas =
							       (uint32_t)sqlite3_column_int64(row.statement, 4)};
		if ((result = row_check(&row, self, err)) < 0)
			break;
	}
	reset(row.statement);
	if (result < 0)
		return -1;
	*ret_modules = modules;
	*ret_count = count;
	return 0;
}

static int set_state(struct sqlite_store *self, const char *key, enum deployment_state state, const char *detail,
		     struct error *err) {
	sqlite3_stmt *statement = self->statements[SET_STATE];
	bind_text(statement, 1, key);
	bind_number(statement, 2, state);
	bind_text(statement, 3, detail != NULL ? detail : "");
	if (run(self, SET_STATE, err) < 0)
		return -1;
	return sqlite3_changes(self->db) == 1 ? 0 : error_set(err, CODE_NOT_FOUND, "there is no deployment %s", key);
}

static int set_module(struct sqlite_store *self, const struct module_record *module, struct error *err) {
	sqlite3_stmt *statement = self->statements[SET_MODULE];
	bind_text(statement, 1, module->name);
	bind_text(statement, 2, module->active_key);
	bind_text(statement, 3, module->next_key);
	bind_number(statement, 4, module->replicas);
	bind_number(statement, 5, module->next_replicas);
	if (run(self, SET_MODULE, err) < 0)
		return -1;
	return sqlite3_changes(self->db) == 1 ? 0
					      : error_set(err, CODE_NOT_FOUND, "there is no module %s", module->name);
}

/* Events. */

static void bind_event(sqlite3_stmt *statement, const struct event_record *event) {
	bind_number(statement, 1, (int64_t)event->sequence);
	bind_number(statement, 2, event->time_ms);
	bind_number(statement, 3, event->kind);
	bind_text(statement, 4, event->module);
	bind_text(statement, 5, event->deployment_key);
	bind_text(statement, 6, event->runner_key);
	bind_text(statement, 7, event->text);
	bind_text(statement, 8, event->lines);
	bind_number(statement, 9, event->retry_ms);
}

static int add_events(struct sqlite_store *self, const struct store_change *change, struct error *err) {
	for (size_t i = 0; i < change->event_count; i++) {
		bind_event(self->statements[ADD_EVENT], &change->events[i]);
		if (run(self, ADD_EVENT, err) < 0)
			return -1;
	}
	if (change->event_count == 0)
		return 0;
	bind_number(self->statements[DROP_EVENTS], 1, EVENTS_MAX);
	return run(self, DROP_EVENTS, err);
}

static void read_event(struct row *row, struct event_record *ret_event) {
	*ret_event = (struct event_record){
		.sequence = (uint64_t)sqlite3_column_int64(row->statement, 0),
		.time_ms = sqlite3_column_int64(row->statement, 1),
		.kind = (enum event_kind)sqlite3_column_int(row->statement, 2),
		.module = row_text(row, 3),
		.deployment_key = row_text(row, 4),
		.runner_key = row_text(row, 5),
		.text = row_text(row, 6),
		.lines = row_text(row, 7),
		.retry_ms = sqlite3_column_int64(row->statement, 8),
	};
}

static void bind_query(sqlite3_stmt *statement, const struct event_query *query) {
	bind_number(statement, 1, (int64_t)MIN(query->after, (uint64_t)INT64_MAX));
	bind_number(statement, 2, query->since_ms);
	bind_text(statement, 3, query->module);
	bind_number(statement, 4, (int64_t)MIN(query->newest, (size_t)INT64_MAX));
	bind_number(statement, 5, (int64_t)MIN(query->limit, (size_t)INT64_MAX));
}

static int list_events(struct store *store, const struct event_query *query, struct arena *arena,
		       struct event_record **ret_events, size_t *ret_count, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	struct row row = {.statement = self->statements[LIST_EVENTS], .arena = arena};
	struct event_record *events = NULL;
	size_t count = 0;
	int result;
	bind_query(row.statement, query);
	while ((result = step(self, row.statement, err)) == 1) {
		events = row_grow(&row, events, count, sizeof *events);
		if (events != NULL)
			read_event(&row, &events[count++]);
		if ((result = row_check(&row, self, err)) < 0)
			break;
	}
	reset(row.statement);
	if (result < 0)
		return -1;
	*ret_events = events;
	*ret_count = count;
	return 0;
}

static enum failpoint failpoint_of(const struct store_change *change) {
	if (change->deployment_key != NULL)
		return change->module != NULL ? FAILPOINT_STORE_SWITCH_COMMITTING : FAILPOINT_STORE_STATE_COMMITTING;
	return change->module != NULL ? FAILPOINT_STORE_MODULE_COMMITTING : FAILPOINT_STORE_EVENTS_COMMITTING;
}

static int update(struct store *store, const struct store_change *change, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	if (run(self, BEGIN, err) < 0)
		return -1;
	int result = 0;
	if (change->deployment_key != NULL)
		result = set_state(self, change->deployment_key, change->state, change->detail, err);
	if (result == 0 && change->module != NULL)
		result = set_module(self, change->module, err);
	if (result == 0)
		result = add_events(self, change, err);
	return end_transaction(self, result, failpoint_of(change), err);
}

static int tidy(struct store *store, struct error *err) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	if (run(self, BEGIN, err) < 0)
		return -1;
	bool failed =
		run(self, TIDY_ACTIVE, err) < 0 || run(self, TIDY_NEXT, err) < 0 || run(self, TIDY_OTHERS, err) < 0;
	return end_transaction(self, failed ? -1 : 0, FAILPOINT_STORE_TIDY_COMMITTING, err);
}

/* Opening and closing. */

static void close_store(struct store *store) {
	struct sqlite_store *self = CONTAINER_OF(store, struct sqlite_store, base);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(self->statements[i]);
	sqlite3_close(self->db);
	folder_unlock(self->lock);
	free(self->path);
	free(self->folder);
	free(self);
}

static const struct store_ops sqlite_ops = {
	.create_deployment = create_deployment,
	.get_deployment = get_deployment,
	.update = update,
	.tidy = tidy,
	.list_modules = list_modules,
	.list_deployments = list_deployments,
	.list_events = list_events,
	.close = close_store,
};

static int execute(struct sqlite_store *self, const char *text, struct error *err) {
	int result = sqlite3_exec(self->db, text, NULL, NULL, NULL);
	return result == SQLITE_OK ? 0 : set_error(self, result, err);
}

/* Made here and not by SQLite, for the mode: what is in it is nobody else's. */
static int make_file(const char *path, struct error *err) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, errno, "could not open the database %s", path);
	close(fd);
	return 0;
}

static int read_version(struct sqlite_store *self, int *ret_version, struct error *err) {
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(self->db, "PRAGMA user_version", -1, &statement, NULL);
	if (result != SQLITE_OK)
		return set_error(self, result, err);
	result = step(self, statement, err);
	if (result == 1)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return result < 0 ? -1 : 0;
}

static int migrate_to(struct sqlite_store *self, int version, struct error *err) {
	char set_version[64];
	sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version = %d", version);
	if (execute(self, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	int failed = execute(self, migrations[version - 1], err) < 0 || execute(self, set_version, err) < 0;
	failpoint(FAILPOINT_STORE_MIGRATE_COMMITTING);
	if (failed || execute(self, "COMMIT", err) < 0) {
		sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	failpoint(FAILPOINT_STORE_MIGRATE_COMMITTED);
	return 0;
}

/* Looks at the version before it changes anything. */
static int migrate(struct sqlite_store *self, struct error *err) {
	int version = 0;
	if (read_version(self, &version, err) < 0)
		return -1;
	if (version > VERSION)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the database %s has version %d, made by a newer FTL; this one (" FTL_VERSION
				 ") knows it up to version %d: install the newer FTL, or use another data folder",
				 self->path, version, VERSION);
	if (version < 0)
		return set_error(self, SQLITE_CORRUPT, err);
	if (execute(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = EXTRA;", err) < 0)
		return -1;
	while (version < VERSION) {
		if (migrate_to(self, ++version, err) < 0)
			return -1;
	}
	return 0;
}

static int prepare(struct sqlite_store *self, struct error *err) {
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		int result = sqlite3_prepare_v3(self->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
						&self->statements[i], NULL);
		if (result != SQLITE_OK)
			return set_error(self, result, err);
	}
	return 0;
}

static int open_database(struct sqlite_store *self, struct error *err) {
	if (make_file(self->path, err) < 0)
		return -1;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int result = sqlite3_open_v2(self->path, &self->db, flags, NULL);
	if (result != SQLITE_OK)
		return set_error(self, result, err);
	sqlite3_busy_timeout(self->db, BUSY_TIMEOUT_MS);
	/* The Backplane is to stay small: half a MiB of cache, and a log of a MiB. */
	if (execute(self,
		    "PRAGMA cache_size = -512; PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576;"
		    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		    err) < 0)
		return -1;
	if (migrate(self, err) < 0 || prepare(self, err) < 0)
		return -1;
	return folder_sync(self->folder, err);
}

int store_sqlite_open(const char *data_folder, struct store **ret_store, struct error *err) {
	int lock;
	if (folder_make(data_folder, err) < 0 || folder_lock(data_folder, &lock, err) < 0)
		return -1;
	struct sqlite_store *self = mem_zalloc(sizeof *self);
	self->base.ops = &sqlite_ops;
	self->folder = mem_strdup(data_folder);
	self->path = mem_printf("%s/ftl.db", data_folder);
	self->lock = lock;
	if (open_database(self, err) < 0) {
		close_store(&self->base);
		return -1;
	}
	*ret_store = &self->base;
	return 0;
}
