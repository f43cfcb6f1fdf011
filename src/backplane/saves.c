/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/saves.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void saves_init(struct saves *saves, void (*write)(struct saves *saves, const struct save *save)) {
	*saves = (struct saves){.write = write};
	list_init(&saves->waiting);
	list_init(&saves->waiters);
}

static void drop(struct save *save) {
	list_remove(&save->link);
	free(save->detail);
	free(save->name);
	free(save);
}

void saves_deinit(struct saves *saves) {
	LIST_FOREACH(link, &saves->waiting)
		drop(LIST_ENTRY(link, struct save, link));
}

static void write_first(struct saves *saves) {
	if (saves->writing || list_is_empty(&saves->waiting))
		return;
	saves->writing = true;
	saves->write(saves, LIST_ENTRY(saves->waiting.next, struct save, link));
}

/* Who waited for the one waits for the other now. */
static void move_waiters(struct saves *saves, uint64_t from, uint64_t to) {
	LIST_FOREACH(link, &saves->waiters) {
		struct saves_waiter *waiter = LIST_ENTRY(link, struct saves_waiter, link);
		if (waiter->sequence >= from)
			waiter->sequence = MAX(waiter->sequence, to);
	}
}

/* Takes out of what waits all that the newest says anew. The one being written stays. */
static void supersede(struct saves *saves, const struct save *newest) {
	LIST_FOREACH(link, &saves->waiting) {
		struct save *save = LIST_ENTRY(link, struct save, link);
		bool same_deployment = save->has_deployment && newest->has_deployment && strcmp(save->key, newest->key) == 0;
		bool same_module = save->has_module && newest->has_module && strcmp(save->name, newest->name) == 0;
		if ((!same_deployment && !same_module) || (saves->writing && link == saves->waiting.next))
			continue;
		save->has_deployment &= !same_deployment;
		save->has_module &= !same_module;
		move_waiters(saves, save->sequence, newest->sequence);
		if (!save->has_deployment && !save->has_module)
			drop(save);
	}
}

void saves_add(struct saves *saves, const struct deployment *deployment, const struct module *module) {
	struct save *save = mem_zalloc(sizeof *save);
	save->sequence = ++saves->sequence;
	save->has_deployment = deployment != NULL;
	save->has_module = module != NULL;
	if (deployment != NULL) {
		save->state = deployment->state;
		save->detail = mem_strdup(deployment->detail);
		snprintf(save->key, sizeof save->key, "%s", deployment->key);
	}
	if (module != NULL) {
		save->name = mem_strdup(module->name);
		save->replicas = module->replicas;
		snprintf(save->active, sizeof save->active, "%s", module->active ? module->active->key : "");
		snprintf(save->next, sizeof save->next, "%s", module->next ? module->next->key : "");
	}
	supersede(saves, save);
	list_append(&saves->waiting, &save->link);
	write_first(saves);
}

static void tell_waiters(struct saves *saves) {
	uint64_t kept = UINT64_MAX;
	if (!list_is_empty(&saves->waiting))
		kept = LIST_ENTRY(saves->waiting.next, struct save, link)->sequence - 1;
	/* One at a time from the front, as kept() may add and wait. */
	for (struct list *link = saves->waiters.next; link != &saves->waiters;) {
		struct saves_waiter *waiter = LIST_ENTRY(link, struct saves_waiter, link);
		link = link->next;
		if (waiter->sequence > kept)
			continue;
		list_remove(&waiter->link);
		waiter->kept(waiter);
	}
}

void saves_written(struct saves *saves, bool kept) {
	ASSERT(saves->writing);
	saves->writing = false;
	if (!kept)
		return;
	drop(LIST_ENTRY(saves->waiting.next, struct save, link));
	write_first(saves);
	tell_waiters(saves);
}

void saves_retry(struct saves *saves) {
	write_first(saves);
}

bool saves_wait(struct saves *saves, struct saves_waiter *waiter) {
	if (list_is_empty(&saves->waiting))
		return false;
	waiter->sequence = saves->sequence;
	list_append(&saves->waiters, &waiter->link);
	return true;
}
