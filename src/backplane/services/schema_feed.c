/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/schema_feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/packed.h"

struct schema_entry {
	struct list link;
	char *module;
	struct packed_schema *schema; /* a reference; NULL: no active deployment */
	uint64_t sequence; /* of its last change */
};

void schema_feed_init(struct schema_feed *feed) {
	*feed = (struct schema_feed){0};
	map_init(&feed->entries);
	list_init(&feed->order);
}

void schema_feed_deinit(struct schema_feed *feed) {
	size_t cursor = 0;
	for (struct schema_entry *entry; (entry = map_next(&feed->entries, &cursor)) != NULL;) {
		packed_schema_unref(entry->schema);
		free(entry->module);
		free(entry);
	}
	map_deinit(&feed->entries);
}

static struct schema_entry *find_or_add(struct schema_feed *feed, const char *module) {
	struct schema_entry *entry = map_get(&feed->entries, str_from(module));
	if (entry != NULL)
		return entry;
	entry = mem_zalloc(sizeof *entry);
	entry->module = mem_strdup(module);
	list_init(&entry->link);
	map_put(&feed->entries, str_from(module), entry);
	return entry;
}

bool schema_feed_set(struct schema_feed *feed, const char *module, struct packed_schema *schema) {
	struct schema_entry *entry = find_or_add(feed, module);
	bool same = entry->schema == schema ||
		    (entry->schema != NULL && schema != NULL && packed_schema_same(entry->schema, schema));
	/* Keeps the new one of two equal schemas: the deployment uses it as well, so the old one can be freed. */
	struct packed_schema *before = entry->schema;
	entry->schema = schema != NULL ? packed_schema_ref(schema) : NULL;
	packed_schema_unref(before);
	if (same)
		return false;
	entry->sequence = ++feed->sequence;
	list_remove(&entry->link);
	list_append(&feed->order, &entry->link);
	return true;
}

/* --- readers ------------------------------------------------------------------------------------------------------ */

void schema_reader_init(struct schema_reader *reader, const char *module) {
	*reader = (struct schema_reader){.module = mem_strdup(module)};
	map_init(&reader->known);
}

void schema_reader_deinit(struct schema_reader *reader) {
	map_deinit(&reader->known);
	free(reader->module);
}

/* Makes the change of an entry as this reader sees it. Returns false when there is none for this reader. */
static bool make_news(struct schema_reader *reader, const struct schema_entry *entry, struct schema_news *ret_news) {
	struct str name = str_from(entry->module);
	if (reader->module[0] != '\0' && strcmp(reader->module, entry->module) != 0)
		return false;
	bool knew = entry->schema != NULL ? map_put(&reader->known, name, reader) != NULL
					  : map_remove(&reader->known, name) != NULL;
	if (entry->schema == NULL && !knew)
		return false;
	enum schema_change_kind kind = entry->schema == NULL ? SCHEMA_REMOVED : knew ? SCHEMA_CHANGED : SCHEMA_ADDED;
	*ret_news = (struct schema_news){kind, entry->module, entry->schema};
	return true;
}

/* The link before the first entry that the reader has not read. Searches from the end, as few entries are unread. */
static const struct list *find_start(const struct schema_reader *reader, const struct schema_feed *feed) {
	const struct list *link = feed->order.prev;
	while (link != &feed->order && LIST_ENTRY(link, struct schema_entry, link)->sequence > reader->sequence)
		link = link->prev;
	return link;
}

void schema_reader_read(struct schema_reader *reader, const struct schema_feed *feed,
			bool (*tell)(void *owner, const struct schema_news *news), void *owner) {
	const struct list *link = find_start(reader, feed)->next;
	for (; link != &feed->order; link = link->next) {
		const struct schema_entry *entry = LIST_ENTRY(link, struct schema_entry, link);
		struct schema_news news;
		reader->sequence = entry->sequence;
		if (make_news(reader, entry, &news) && !tell(owner, &news))
			return;
	}
	if (reader->all_told)
		return;
	reader->all_told = true;
	(void)!tell(owner, &(struct schema_news){.kind = SCHEMA_ALL_TOLD, .module = ""});
}
