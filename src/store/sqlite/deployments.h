/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of deployments and of their artefacts.
 */
#pragma once

#include "store/sqlite/database.h"

/* As the functions of struct store_ops. */
int deployment_rows_add(struct store *store, uint64_t epoch, const struct deployment_record *record,
			char ret_key[KEY_MAX], bool *ret_existed, struct error *err);
int deployment_rows_get(struct store *store, const char *key, struct arena *arena, struct deployment_record *ret_record,
			struct error *err);
int deployment_rows_get_needs(struct store *store, struct arena *arena, struct deployment_record *record,
			      struct error *err);
int deployment_rows_list_history(struct store *store, const char *module, size_t limit, struct arena *arena,
				 struct history_entry **ret_entries, size_t *ret_count, size_t *ret_total,
				 struct error *err);

/* In a transaction. which: LOAD_DEPLOYMENTS, or WATCH_DEPLOYMENTS, which uses `after`. */
int deployment_rows_list(struct database *db, enum statement which, uint64_t after, struct arena *arena,
			 struct store_rows *rows, struct error *err);
int deployment_rows_set_state(struct database *db, const struct store_change *change, uint64_t sequence,
			      struct error *err);
