/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/deployments.h"

#include "base/path.h"

/* --- adding ------------------------------------------------------------------------------------------------------- */

/* Returns 1 when it was found, 0 when there is none, -1 after an error. */
static int find_identity(struct database *db, const struct digest *identity, char ret_key[KEY_MAX], struct error *err) {
	sqlite3_stmt *statement = db->statements[FIND_IDENTITY];
	bind_digest(statement, 1, identity);
	int result = database_step(db, statement, err);
	if (result == 1) {
		const char *key = (const char *)sqlite3_column_text(statement, 0);
		size_t len = (size_t)sqlite3_column_bytes(statement, 0);
		if (len < KEY_MAX)
			memcpy(ret_key, key, len + 1);
		else
			result = database_set_error(db, SQLITE_CORRUPT, err);
	}
	statement_reset(statement);
	return result;
}

static int add_needs(struct database *db, int64_t deployment, const struct deployment_record *record,
		     struct error *err) {
	sqlite3_stmt *statement = db->statements[ADD_NEED];
	for (size_t i = 0; i < record->need_count; i++) {
		bind_number(statement, 1, deployment);
		bind_text(statement, 2, record->needs[i].module);
		bind_text(statement, 3, record->needs[i].key);
		if (database_run(db, ADD_NEED, err) < 0)
			return -1;
	}
	return 0;
}

static int add_artefacts(struct database *db, int64_t deployment, const struct deployment_record *record,
			 struct error *err) {
	sqlite3_stmt *statement = db->statements[ADD_ARTEFACT];
	for (size_t i = 0; i < record->artefact_count; i++) {
		const struct artefact_record *artefact = &record->artefacts[i];
		bind_number(statement, 1, deployment);
		ASSERT(artefact->path.len <= ARTEFACT_PATH_MAX);
		sqlite3_bind_text(statement, 2, artefact->path.ptr, (int)artefact->path.len, SQLITE_STATIC);
		bind_digest(statement, 3, &artefact->digest);
		bind_number(statement, 4, artefact->executable);
		if (database_run(db, ADD_ARTEFACT, err) == 0)
			continue;
		if (sqlite3_extended_errcode(db->handle) == SQLITE_CONSTRAINT_PRIMARYKEY)
			return store_set_path_twice(artefact->path, err);
		return -1;
	}
	return 0;
}

static int add(struct database *db, const struct deployment_record *record, struct error *err) {
	uint64_t sequence;
	if (database_next_sequence(db, &sequence, err) < 0)
		return -1;
	bind_text(db->statements[ADD_MODULE], 1, record->module);
	bind_number(db->statements[ADD_MODULE], 2, (int64_t)sequence);
	if (database_run(db, ADD_MODULE, err) < 0)
		return -1;
	sqlite3_stmt *statement = db->statements[ADD_DEPLOYMENT];
	bind_text(statement, 1, record->key);
	bind_text(statement, 2, record->module);
	bind_text(statement, 3, record->language);
	bind_digest(statement, 4, &record->identity);
	bind_number(statement, 5, record->created_ms);
	bind_number(statement, 6, record->state);
	bind_text(statement, 7, record->detail != NULL ? record->detail : "");
	const char *schema = record->schema.len > 0 ? record->schema.ptr : ""; /* NULL would not be an empty blob */
	if (sqlite3_bind_blob64(statement, 8, schema, record->schema.len, SQLITE_STATIC) != SQLITE_OK) {
		statement_reset(statement);
		return database_set_error(db, SQLITE_TOOBIG, err);
	}
	bind_number(statement, 9, (int64_t)sequence);
	if (database_run(db, ADD_DEPLOYMENT, err) < 0)
		return -1;
	int64_t deployment = sqlite3_last_insert_rowid(db->handle);
	return add_needs(db, deployment, record, err) < 0 ? -1 : add_artefacts(db, deployment, record, err);
}

static int find_or_add(struct database *db, const struct deployment_record *record, char ret_key[KEY_MAX],
		       bool *ret_existed, struct error *err) {
	int found = find_identity(db, &record->identity, ret_key, err);
	if (found < 0 || (found == 0 && add(db, record, err) < 0))
		return -1;
	if (found == 0)
		memcpy(ret_key, record->key, strlen(record->key) + 1);
	*ret_existed = found == 1;
	return 0;
}

int deployment_rows_add(struct store *store, uint64_t epoch, const struct deployment_record *record,
			char ret_key[KEY_MAX], bool *ret_existed, struct error *err) {
	struct database *db = database_of(store);
	ASSERT(strlen(record->key) < KEY_MAX);
	char key[KEY_MAX];
	bool existed = false;
	if (database_begin(db, epoch, err) < 0)
		return -1;
	if (database_end(db, find_or_add(db, record, key, &existed, err), FAILPOINT_STORE_CREATE_COMMITTING, err) < 0)
		return -1;
	memcpy(ret_key, key, strlen(key) + 1);
	*ret_existed = existed;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

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

static int read_artefacts(struct database *db, int64_t deployment, struct arena *arena,
			  struct deployment_record *record, struct error *err) {
	struct row row = {.statement = db->statements[GET_ARTEFACTS], .arena = arena};
	struct artefact_record *artefacts = NULL;
	size_t count = 0;
	int result;
	bind_number(row.statement, 1, deployment);
	while ((result = database_step(db, row.statement, err)) == 1) {
		artefacts = row_grow(&row, artefacts, count, sizeof *artefacts);
		if (artefacts != NULL)
			artefacts[count++] =
				(struct artefact_record){.path = row_bytes(&row, 0),
							 .digest = row_digest(&row, 1),
							 .executable = sqlite3_column_int(row.statement, 2)};
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(row.statement);
	record->artefacts = artefacts;
	record->artefact_count = count;
	return result;
}

int deployment_rows_get(struct store *store, const char *key, struct arena *arena, struct deployment_record *ret_record,
			struct error *err) {
	struct database *db = database_of(store);
	struct row row = {.statement = db->statements[GET_DEPLOYMENT], .arena = arena};
	struct deployment_record record;
	int64_t id = 0;
	bind_text(row.statement, 1, key);
	int found = database_step(db, row.statement, err);
	if (found == 1) {
		id = sqlite3_column_int64(row.statement, 0);
		read_deployment(&row, &record);
		record.schema = row_bytes(&row, 8);
	}
	statement_reset(row.statement);
	if (found == 0)
		return store_set_no_deployment(key, err);
	if (found < 0 || row_check(&row, db, err) < 0 || read_artefacts(db, id, arena, &record, err) < 0)
		return -1;
	*ret_record = record;
	return 0;
}

int deployment_rows_get_needs(struct store *store, struct arena *arena, struct deployment_record *record,
			      struct error *err) {
	struct database *db = database_of(store);
	struct row row = {.statement = db->statements[GET_NEEDS], .arena = arena};
	struct need_record *needs = NULL;
	size_t count = 0;
	int result;
	bind_text(row.statement, 1, record->key);
	while ((result = database_step(db, row.statement, err)) == 1) {
		needs = row_grow(&row, needs, count, sizeof *needs);
		if (needs != NULL)
			needs[count++] = (struct need_record){row_text(&row, 0), row_text(&row, 1), row_bytes(&row, 2)};
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(row.statement);
	if (result < 0)
		return -1;
	record->needs = needs;
	record->need_count = count;
	return 0;
}

/* Reads the rows of a bound statement. */
static int list(struct database *db, sqlite3_stmt *statement, struct arena *arena,
		struct deployment_record **ret_records, size_t *ret_count, struct error *err) {
	struct row row = {.statement = statement, .arena = arena};
	struct deployment_record *records = NULL;
	size_t count = 0;
	int result;
	while ((result = database_step(db, statement, err)) == 1) {
		records = row_grow(&row, records, count, sizeof *records);
		if (records != NULL)
			read_deployment(&row, &records[count++]);
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(statement);
	if (result < 0)
		return -1;
	*ret_records = records;
	*ret_count = count;
	return 0;
}

static void read_entry(struct row *row, struct history_entry *ret_entry) {
	ret_entry->life = (uint64_t)sqlite3_column_int64(row->statement, 8);
	ret_entry->origin = (uint64_t)sqlite3_column_int64(row->statement, 9);
	ret_entry->begin_ms = sqlite3_column_int64(row->statement, 10);
	read_deployment(row, &ret_entry->deployment);
}

int deployment_rows_list_history(struct store *store, const char *module, size_t limit, struct arena *arena,
				 struct history_entry **ret_entries, size_t *ret_count, size_t *ret_total,
				 struct error *err) {
	struct database *db = database_of(store);
	struct row row = {.statement = db->statements[LIST_HISTORY], .arena = arena};
	struct history_entry *entries = NULL;
	size_t count = 0, total = 0;
	int result;
	bind_text(row.statement, 1, module);
	bind_number(row.statement, 2, (int64_t)MIN(limit, (size_t)INT64_MAX));
	while ((result = database_step(db, row.statement, err)) == 1) {
		total = (size_t)sqlite3_column_int64(row.statement, 11);
		entries = row_grow(&row, entries, count, sizeof *entries);
		if (entries != NULL)
			read_entry(&row, &entries[count++]);
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(row.statement);
	if (result < 0)
		return -1;
	*ret_entries = entries;
	*ret_count = count;
	*ret_total = total;
	return 0;
}

int deployment_rows_list(struct database *db, enum statement which, uint64_t after, struct arena *arena,
			 struct store_rows *rows, struct error *err) {
	sqlite3_stmt *statement = db->statements[which];
	if (which == WATCH_DEPLOYMENTS)
		bind_number(statement, 1, (int64_t)MIN(after, (uint64_t)INT64_MAX));
	return list(db, statement, arena, &rows->deployments, &rows->deployment_count, err);
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

int deployment_rows_set_state(struct database *db, const struct store_change *change, uint64_t sequence,
			      struct error *err) {
	sqlite3_stmt *statement = db->statements[SET_STATE];
	bind_text(statement, 1, change->deployment_key);
	bind_number(statement, 2, change->state);
	bind_text(statement, 3, change->detail != NULL ? change->detail : "");
	bind_number(statement, 4, (int64_t)sequence);
	if (database_run(db, SET_STATE, err) < 0)
		return -1;
	return sqlite3_changes(db->handle) == 1 ? 0 : store_set_no_deployment(change->deployment_key, err);
}
