/* SPDX-License-Identifier: Apache-2.0 */
#include "control/history.h"

#include <string.h>

static const struct history_entry *newer(const struct history_entry *a, const struct history_entry *b) {
	return a == NULL || a->life < b->life ? b : a;
}

static const struct history_entry *find_newest(const struct history_entry *entries, size_t count) {
	const struct history_entry *newest = NULL;
	for (size_t i = 0; i < count; i++)
		if (entries[i].life != 0)
			newest = newer(newest, &entries[i]);
	return newest;
}

const struct history_entry *history_find_earlier(const struct history_entry *entries, size_t count,
						 const char *current_key) {
	const struct history_entry *newest = find_newest(entries, count), *found = NULL;
	const struct history_entry *oldest = NULL;
	for (size_t i = 0; i < count; i++)
		if (entries[i].life != 0 && (oldest == NULL || entries[i].life < oldest->life))
			oldest = &entries[i];
	bool stands_there = newest != NULL && strcmp(newest->deployment.key, current_key) == 0;
	/* Where it stands may be forgotten: then it stands at its own life. */
	uint64_t origin = newest == NULL || newest->origin < oldest->life ? 0 : newest->origin;
	uint64_t before = !stands_there ? UINT64_MAX : origin != 0 ? origin : newest->life;
	for (size_t i = 0; i < count; i++) {
		const struct history_entry *entry = &entries[i];
		if (entry->life != 0 && entry->life < before && entry->deployment.state != DEPLOYMENT_FAILED &&
		    strcmp(entry->deployment.key, current_key) != 0)
			found = newer(found, entry);
	}
	return found;
}

const struct history_entry *history_find_life(const struct history_entry *entries, size_t count, const char *key) {
	const struct history_entry *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (entries[i].life != 0 && strcmp(entries[i].deployment.key, key) == 0)
			found = newer(found, &entries[i]);
	return found;
}

const struct history_entry *history_find_next(const struct history_entry *entries, size_t count,
					      const struct history_entry *entry) {
	const struct history_entry *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (entries[i].life > entry->life && (found == NULL || entries[i].life < found->life))
			found = &entries[i];
	return found;
}
