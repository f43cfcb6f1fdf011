/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas of what runs, in the order in which they changed, and readers that follow at their own pace.
 *
 * A reader is told how things are now, and not each step on the way there: however slow it is, nothing waits for it but
 * one change of each module. What came and went meanwhile is not told at all. Does no I/O.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct packed_schema;

struct schema_feed {
	struct map entries; /* struct schema_entry by module; none is ever taken out */
	struct list order; /* the one that changed last is last */
	uint64_t sequence; /* of the last change */
};

void schema_feed_init(struct schema_feed *book);
void schema_feed_deinit(struct schema_feed *book);

/* What runs of a module from now on; schema NULL: nothing. false: that is in the book already, perhaps by another
 * deployment of the same schema. */
bool schema_feed_set(struct schema_feed *book, const char *module, struct packed_schema *schema);

enum schema_change_kind { SCHEMA_ADDED, SCHEMA_CHANGED, SCHEMA_REMOVED, SCHEMA_ALL_TOLD /* what was there at first */ };

struct schema_news {
	enum schema_change_kind kind;
	const char *module; /* "" for SCHEMA_ALL_TOLD */
	const struct packed_schema *schema; /* NULL: removed */
};

struct schema_reader {
	char *module; /* the one that it is about; empty: all */
	uint64_t sequence; /* it knows all changes up to this one */
	struct map known; /* modules that it was told of and that were not removed since */
	bool all_told;
};

void schema_reader_init(struct schema_reader *reader, const char *module);
void schema_reader_deinit(struct schema_reader *reader);

/* Calls tell with what the reader does not know yet, oldest first, until there is no more or tell returns false: then
 * no more is wanted for now. News are borrowed during the call, in which the book must not change. */
void schema_reader_read(struct schema_reader *reader, const struct schema_feed *book,
			bool (*tell)(void *owner, const struct schema_news *news), void *owner);
