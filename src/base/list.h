/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive doubly linked list. A head and a member are the same struct; an unlinked member points to
 * itself, so unlinking twice is harmless.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *list) {
	list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *list) {
	return list->next == list;
}

static inline void list_insert_before(struct list *where, struct list *item) {
	item->prev = where->prev;
	item->next = where;
	where->prev->next = item;
	where->prev = item;
}

static inline void list_append(struct list *head, struct list *item) {
	list_insert_before(head, item);
}

static inline void list_remove(struct list *item) {
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define LIST_ENTRY(item, type, member) CONTAINER_OF(item, type, member)

/* Walks head with `struct list *name`; the current item may be removed. */
#define LIST_FOREACH(name, head) \
	for (struct list *name = (head)->next, *name##_next = name->next; name != (head); \
	     name = name##_next, name##_next = name->next)
