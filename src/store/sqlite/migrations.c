/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/migrations.h"

#include "base/failpoint.h"

/* migrations[n] brings a database from version n to n + 1. A released migration is never changed: add another one. */
static const char *const migrations[] = {
	"CREATE TABLE modules ("
	" name TEXT NOT NULL PRIMARY KEY,"
	" active_key TEXT REFERENCES deployments(key),"
	" next_key TEXT REFERENCES deployments(key),"
	" replicas INTEGER NOT NULL CHECK (replicas BETWEEN 0 AND 4294967295)"
	") STRICT, WITHOUT ROWID;"
	/* The order of id is the order of creation, even when the clock jumps. schema was the last column of its time,
	 * so that SQLite reads those before it without the pages of the schema. */
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
	/* changed: the sequence of the change that wrote the row last. */
	"CREATE TABLE store ("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" epoch INTEGER NOT NULL," /* of the Backplane that acquired the store last */
	" sequence INTEGER NOT NULL" /* of the newest change */
	") STRICT;"
	"INSERT INTO store (id, epoch, sequence) VALUES (1, 0, 0);"
	"ALTER TABLE modules ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deployments ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX deployments_by_change ON deployments(changed);",
	/* created: the sequence of the change that added the row. lives: when which deployment was the active one; id
	 * is the sequence of the change that began it. Each deployment that may have been active gets one, in the order
	 * of creation, and the active one the last. */
	"ALTER TABLE deployments ADD COLUMN created INTEGER NOT NULL DEFAULT 0;"
	"UPDATE deployments SET created = id;"
	"UPDATE store SET sequence = sequence + 2 * (SELECT coalesce(max(id), 0) FROM deployments);"
	"ALTER TABLE modules ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE modules ADD COLUMN active_origin INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE modules ADD COLUMN next_origin INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE lives ("
	" id INTEGER PRIMARY KEY,"
	" module TEXT NOT NULL REFERENCES modules(name),"
	" deployment TEXT NOT NULL REFERENCES deployments(key),"
	" begin_ms INTEGER NOT NULL,"
	" origin INTEGER NOT NULL" /* 0: the life itself */
	") STRICT;"
	"CREATE INDEX lives_by_module ON lives(module, id);"
	"CREATE INDEX lives_by_deployment ON lives(deployment);"
	"INSERT INTO lives (id, module, deployment, begin_ms, origin)"
	" SELECT d.id + iif(d.key IS m.active_key, (SELECT max(id) FROM deployments), 0), d.module, d.key, d.created_ms, 0"
	" FROM deployments d JOIN modules m ON m.name = d.module WHERE d.key IS m.active_key"
	" OR (d.state IN (2, 3, 4) AND d.key IS NOT m.next_key AND d.detail <> 'replaced before it was up');"
	/* needs: the deployments of other modules that one was checked against. */
	"CREATE TABLE deployment_needs ("
	" deployment INTEGER NOT NULL REFERENCES deployments(id),"
	" module TEXT NOT NULL,"
	" needed TEXT NOT NULL," /* the key of a deployment */
	" PRIMARY KEY (deployment, module)"
	") STRICT, WITHOUT ROWID;",
};

enum { VERSION = ARRAY_LEN(migrations) };

static int read_version(struct database *db, int *ret_version, struct error *err) {
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &statement, NULL);
	if (result != SQLITE_OK)
		return database_set_error(db, result, err);
	result = database_step(db, statement, err);
	if (result == 1)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return result < 0 ? -1 : 0;
}

static int migrate_to(struct database *db, int version, struct error *err) {
	char set_version[64];
	sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version = %d", version);
	if (database_execute(db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	int failed =
		database_execute(db, migrations[version - 1], err) < 0 || database_execute(db, set_version, err) < 0;
	failpoint(FAILPOINT_STORE_MIGRATE_COMMITTING);
	if (failed || database_execute(db, "COMMIT", err) < 0) {
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	failpoint(FAILPOINT_STORE_MIGRATE_COMMITTED);
	return 0;
}

/* Reads the version before anything is changed. */
int database_migrate(struct database *db, struct error *err) {
	int version = 0;
	if (read_version(db, &version, err) < 0)
		return -1;
	if (version > VERSION)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the database %s has version %d, made by a newer FTL; this one (" FTL_VERSION
				 ") knows it up to version %d: install the newer FTL, or use another data folder",
				 db->path, version, VERSION);
	if (version < 0)
		return database_set_error(db, SQLITE_CORRUPT, err);
	if (database_execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = EXTRA;", err) < 0)
		return -1;
	while (version < VERSION) {
		if (migrate_to(db, ++version, err) < 0)
			return -1;
	}
	return 0;
}
