/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas of the active deployments in the order in which they changed, and readers that follow at their own pace.
 *
 * A reader gets the present schema of each module that changed since its last read, without the changes between: a slow
 * reader is at most one change of each module behind. A module that was added and removed between two reads is skipped.
 * The feed does no I/O.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct packed_schema;

struct schema_feed {
	struct map entries; /* struct schema_entry by module; entries are never removed */
	struct list order; /* of the entries; the one that changed last is last */
	uint64_t sequence; /* of the last change */
};

void schema_feed_init(struct schema_feed *feed);
void schema_feed_deinit(struct schema_feed *feed);

/* Sets the schema of a module; NULL: the module has no active deployment. Returns false when the feed has that schema
 * already, perhaps of another deployment. */
bool schema_feed_set(struct schema_feed *feed, const char *module, struct packed_schema *schema);

enum schema_change_kind {
	SCHEMA_ADDED,
	SCHEMA_CHANGED,
	SCHEMA_REMOVED,
	SCHEMA_ALL_TOLD /* all schemas of the beginning were told */
};

struct schema_news {
	enum schema_change_kind kind;
	const char *module; /* "" for SCHEMA_ALL_TOLD */
	const struct packed_schema *schema; /* NULL: the module was removed */
};

struct schema_reader {
	char *module; /* the only module that it reads; empty: all */
	uint64_t sequence; /* of the last change that was read */
	struct map known; /* modules that were added for this reader and not removed since */
	bool all_told;
};

void schema_reader_init(struct schema_reader *reader, const char *module);
void schema_reader_deinit(struct schema_reader *reader);

/* Calls tell with each change that the reader has not read yet, oldest first, until there is none or tell returns
 * false, which pauses the reader. The news is borrowed during the call, in which the feed must not change. */
void schema_reader_read(struct schema_reader *reader, const struct schema_feed *feed,
			bool (*tell)(void *owner, const struct schema_news *news), void *owner);
