/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/schema_feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/packed.h"

struct schema_entry {
	struct list link;
	char *module;
	struct packed_schema *schema; /* a reference; NULL: nothing runs */
	uint64_t sequence; /* of its last change */
};

void schema_feed_init(struct schema_feed *book) {
	*book = (struct schema_feed){0};
	map_init(&book->entries);
	list_init(&book->order);
}

void schema_feed_deinit(struct schema_feed *book) {
	size_t cursor = 0;
	for (struct schema_entry *entry; (entry = map_next(&book->entries, &cursor)) != NULL;) {
		packed_schema_unref(entry->schema);
		free(entry->module);
		free(entry);
	}
	map_deinit(&book->entries);
}

static struct schema_entry *find_or_add(struct schema_feed *book, const char *module) {
	struct schema_entry *entry = map_get(&book->entries, str_from(module));
	if (entry != NULL)
		return entry;
	entry = mem_zalloc(sizeof *entry);
	entry->module = mem_strdup(module);
	list_init(&entry->link);
	map_put(&book->entries, str_from(module), entry);
	return entry;
}

bool schema_feed_set(struct schema_feed *book, const char *module, struct packed_schema *schema) {
	struct schema_entry *entry = find_or_add(book, module);
	bool same = entry->schema == schema ||
		    (entry->schema != NULL && schema != NULL && packed_schema_same(entry->schema, schema));
	/* Of two that are the same, the one that is not in use elsewhere need not stay. */
	struct packed_schema *before = entry->schema;
	entry->schema = schema != NULL ? packed_schema_ref(schema) : NULL;
	packed_schema_unref(before);
	if (same)
		return false;
	entry->sequence = ++book->sequence;
	list_remove(&entry->link);
	list_append(&book->order, &entry->link);
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

/* What the change of an entry is to this reader; false: nothing. */
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

/* The link before the first entry that the reader does not know. Those are few, and at the end. */
static const struct list *find_start(const struct schema_reader *reader, const struct schema_feed *book) {
	const struct list *link = book->order.prev;
	while (link != &book->order && LIST_ENTRY(link, struct schema_entry, link)->sequence > reader->sequence)
		link = link->prev;
	return link;
}

void schema_reader_read(struct schema_reader *reader, const struct schema_feed *book,
			bool (*tell)(void *owner, const struct schema_news *news), void *owner) {
	const struct list *link = find_start(reader, book)->next;
	for (; link != &book->order; link = link->next) {
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
