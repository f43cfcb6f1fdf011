/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a module's history says: where a rollback goes, and how an earlier life ended.
 *
 * A rollback goes to the life before the one at which the module stands. A deploy stands at its own life; a rollback
 * stands at the life that it returned to, so that the next one goes further back, and not forth to what was rolled back
 * from: after lives 1 A, 2 B, 3 C two rollbacks add 4 B (at 2) and 5 A (at 1), and there is no earlier life then.
 */
#pragma once

#include <stddef.h>

#include "store/store.h"

/*
 * The life to which a rollback from the deployment goes. current_key is the active deployment, else the next one, else
 * empty: nothing is wanted of the module, and the rollback goes to the last life. Lives of the deployment itself, and
 * of deployments whose last attempt failed, are passed over. NULL: there is none.
 */
const struct history_entry *history_find_earlier(const struct history_entry *entries, size_t count,
						 const char *current_key);

/* The newest life of the deployment. NULL: it never was active. */
const struct history_entry *history_find_life(const struct history_entry *entries, size_t count, const char *key);

/* The life that came after entry, which is a life. NULL: it is the newest. */
const struct history_entry *history_find_next(const struct history_entry *entries, size_t count,
					      const struct history_entry *entry);
