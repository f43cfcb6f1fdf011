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
							       (uint32_t)sqlite3_column_int64(row.statement, 4)};
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

int module_rows_set(struct database *db, const struct module_record *module, uint64_t sequence, struct error *err) {
	sqlite3_stmt *statement = db->statements[SET_MODULE];
	bind_text(statement, 1, module->name);
	bind_text(statement, 2, module->active_key);
	bind_text(statement, 3, module->next_key);
	bind_number(statement, 4, module->replicas);
	bind_number(statement, 5, module->next_replicas);
	bind_number(statement, 6, (int64_t)sequence);
	if (database_run(db, SET_MODULE, err) < 0)
		return -1;
	return sqlite3_changes(db->handle) == 1 ? 0 : store_set_no_module(module->name, err);
}
