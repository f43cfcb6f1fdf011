/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of events.
 */
#pragma once

#include "store/sqlite/database.h"

/* In a transaction: adds the events of a change, and removes all but the newest EVENTS_MAX. */
int event_rows_add(struct database *db, const struct store_change *change, struct error *err);
/* As in struct store_ops. */
int event_rows_list(struct store *store, const struct event_query *query, struct arena *arena,
		    struct event_record **ret_events, size_t *ret_count, struct error *err);
