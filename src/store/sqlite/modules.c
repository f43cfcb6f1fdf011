/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/modules.h"

int module_rows_list(struct database *db, enum statement which, uint64_t after, struct arena *arena,
		     struct store_rows *rows, struct error *err) {
	struct row row = {.statement = db->statements[which], .arena = arena};
	struct module_record *modules = NULL;
	size_t count = 0;
	int result;
	if (which == WATCH_MODULES)
		bind_number(row.statement, 1, (int64_t)MIN(after, (uint64_t)INT64_MAX));
	while ((result = database_step(db, row.statement, err)) == 1) {
		modules = row_grow(&row, modules, count, sizeof *modules);
		if (modules != NULL)
			modules[count++] =
				(struct module_record){.name = row_text(&row, 0),
						       .active_key = row_text(&row, 1),
						       .next_key = row_text(&row, 2),
						       .replicas = (uint32_t)sqlite3_column_int64(row.statement, 3),
						       .next_replicas =
							       (uint32_t)sqlite3_column_int64(row.statement, 4),
						       .active_ms = sqlite3_column_int64(row.statement, 5),
						       .active_origin =
							       (uint64_t)sqlite3_column_int64(row.statement, 6),
						       .next_origin = (uint64_t)sqlite3_column_int64(row.statement, 7)};
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(row.statement);
	if (result < 0)
		return -1;
	rows->modules = modules;
	rows->module_count = count;
	return 0;
}

static int begin_life(struct database *db, const struct module_record *module, uint64_t sequence, struct error *err) {
	sqlite3_stmt *statement = db->statements[BEGIN_LIFE];
	bind_text(statement, 1, module->name);
	bind_text(statement, 2, module->active_key);
	bind_number(statement, 3, module->active_ms);
	bind_number(statement, 4, (int64_t)module->active_origin);
	bind_number(statement, 5, (int64_t)sequence);
	if (database_run(db, BEGIN_LIFE, err) < 0)
		return -1;
	if (sqlite3_changes(db->handle) == 0)
		return 0;
	bind_text(db->statements[DROP_LIVES], 1, module->name);
	bind_number(db->statements[DROP_LIVES], 2, HISTORY_MAX);
	return database_run(db, DROP_LIVES, err);
}

int module_rows_set(struct database *db, const struct module_record *module, uint64_t sequence, struct error *err) {
	sqlite3_stmt *statement = db->statements[SET_MODULE];
	if (begin_life(db, module, sequence, err) < 0)
		return -1;
	bind_text(statement, 1, module->name);
	bind_text(statement, 2, module->active_key);
	bind_text(statement, 3, module->next_key);
	bind_number(statement, 4, module->replicas);
	bind_number(statement, 5, module->next_replicas);
	bind_number(statement, 6, module->active_ms);
	bind_number(statement, 7, (int64_t)module->active_origin);
	bind_number(statement, 8, (int64_t)module->next_origin);
	bind_number(statement, 9, (int64_t)sequence);
	if (database_run(db, SET_MODULE, err) < 0)
		return -1;
	return sqlite3_changes(db->handle) == 1 ? 0 : store_set_no_module(module->name, err);
}
