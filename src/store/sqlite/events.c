/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/events.h"

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

int event_rows_add(struct database *db, const struct store_change *change, struct error *err) {
	for (size_t i = 0; i < change->event_count; i++) {
		bind_event(db->statements[ADD_EVENT], &change->events[i]);
		if (database_run(db, ADD_EVENT, err) < 0)
			return -1;
	}
	if (change->event_count == 0)
		return 0;
	bind_number(db->statements[DROP_EVENTS], 1, EVENTS_MAX);
	return database_run(db, DROP_EVENTS, err);
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

int event_rows_list(struct store *store, const struct event_query *query, struct arena *arena,
		    struct event_record **ret_events, size_t *ret_count, struct error *err) {
	struct database *db = database_of(store);
	struct row row = {.statement = db->statements[LIST_EVENTS], .arena = arena};
	struct event_record *events = NULL;
	size_t count = 0;
	int result;
	bind_query(row.statement, query);
	while ((result = database_step(db, row.statement, err)) == 1) {
		events = row_grow(&row, events, count, sizeof *events);
		if (events != NULL)
			read_event(&row, &events[count++]);
		if ((result = row_check(&row, db, err)) < 0)
			break;
	}
	statement_reset(row.statement);
	if (result < 0)
		return -1;
	*ret_events = events;
	*ret_count = count;
	return 0;
}
