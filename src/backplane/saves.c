/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/saves.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void saves_init(struct saves *saves, void (*write)(struct saves *saves, const struct save *save)) {
	*saves = (struct saves){.write = write, .events = mem_zalloc(EVENTS_WAITING_MAX * sizeof *saves->events)};
	list_init(&saves->waiting);
	list_init(&saves->waiters);
}

static void drop(struct save *save) {
	list_remove(&save->link);
	free(save->detail);
	free(save->name);
	free(save);
}

static void drop_events(struct saves *saves, size_t from, size_t count) {
	for (size_t i = from; i < from + count; i++)
		free((char *)saves->events[i].module); /* all its texts are in one piece */
	if (count > 0)
		memmove(&saves->events[from], &saves->events[from + count],
			(saves->event_count - from - count) * sizeof *saves->events);
	saves->event_count -= count;
}

void saves_deinit(struct saves *saves) {
	LIST_FOREACH(link, &saves->waiting)
		drop(LIST_ENTRY(link, struct save, link));
	drop_events(saves, 0, saves->event_count);
	free(saves->events);
}

static struct save *first_of(const struct saves *saves) {
	return LIST_ENTRY(saves->waiting.next, struct save, link);
}

static void write_first(struct saves *saves) {
	if (saves->writing || list_is_empty(&saves->waiting))
		return;
	struct save *save = first_of(saves);
	saves->writing = true;
	saves->with_owner = saves->event_count;
	save->events = saves->events;
	save->event_count = saves->event_count;
	saves->write(saves, save);
}

/* Who waited for the one waits for the other now. */
static void move_waiters(struct saves *saves, uint64_t from, uint64_t to) {
	LIST_FOREACH(link, &saves->waiters) {
		struct saves_waiter *waiter = LIST_ENTRY(link, struct saves_waiter, link);
		if (waiter->sequence >= from)
			waiter->sequence = MAX(waiter->sequence, to);
	}
}

/* Takes out of what waits all that the newest says anew, and events alone, which go along with it. The one being
 * written stays. */
static void supersede(struct saves *saves, const struct save *newest) {
	LIST_FOREACH(link, &saves->waiting) {
		struct save *save = LIST_ENTRY(link, struct save, link);
		bool same_deployment =
			save->has_deployment && newest->has_deployment && strcmp(save->key, newest->key) == 0;
		bool same_module = save->has_module && newest->has_module && strcmp(save->name, newest->name) == 0;
		bool events_alone = !save->has_deployment && !save->has_module;
		if ((!same_deployment && !same_module && !events_alone) ||
		    (saves->writing && link == saves->waiting.next))
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
		save->next_replicas = module->next_replicas;
		snprintf(save->active, sizeof save->active, "%s", module->active ? module->active->key : "");
		snprintf(save->next, sizeof save->next, "%s", module->next ? module->next->key : "");
	}
	supersede(saves, save);
	list_append(&saves->waiting, &save->link);
	write_first(saves);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* A text for people, as all that reads it may rely on: a character that was cut off goes, and bytes that are none
 * become "?". Moves *at behind the copy. */
static const char *add_text(char **at, struct str text) {
	for (int i = 0; i < 3 && text.len > 0 && (unsigned char)text.ptr[text.len - 1] >= 0x80 && !str_is_text(text);
	     i++)
		text.len--;
	bool valid = str_is_text(text);
	char *copy = *at;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = valid || (text.ptr[i] > 0 && text.ptr[i] < 0x7F) ? text.ptr[i] : '?';
	copy[text.len] = '\0';
	*at += text.len + 1;
	return copy;
}

/* The last lines of it that fit. */
static struct str cut_lines(struct str lines) {
	while (lines.len > EVENT_LINES_MAX) {
		struct str rest;
		str_cut(lines, '\n', &rest);
		lines = rest.ptr != NULL ? rest : str_from_offset(lines, lines.len - EVENT_LINES_MAX);
	}
	return lines;
}

void saves_add_event(struct saves *saves, const struct event_record *event) {
	if (saves->event_count == EVENTS_WAITING_MAX && saves->with_owner == EVENTS_WAITING_MAX)
		return;
	if (saves->event_count == EVENTS_WAITING_MAX)
		drop_events(saves, saves->with_owner, 1);
	struct str module = str_from(event->module), text = str_from(event->text),
		   lines = cut_lines(str_from(event->lines));
	struct str deployment = str_from(event->deployment_key), runner = str_from(event->runner_key);
	text.len = MIN(text.len, (size_t)EVENT_TEXT_MAX);
	char *at = mem_alloc(module.len + deployment.len + runner.len + text.len + lines.len + 5);
	struct event_record *kept = &saves->events[saves->event_count++];
	*kept = *event;
	kept->module = add_text(&at, module);
	kept->deployment_key = add_text(&at, deployment);
	kept->runner_key = add_text(&at, runner);
	kept->text = add_text(&at, text);
	kept->lines = add_text(&at, lines);
}

static bool has_new_events(const struct saves *saves) {
	return saves->event_count > saves->with_owner;
}

void saves_flush(struct saves *saves) {
	/* One that waits takes them along; the one being written does not. */
	bool goes_along =
		!list_is_empty(&saves->waiting) && (!saves->writing || saves->waiting.prev != saves->waiting.next);
	if (!has_new_events(saves) || goes_along)
		return;
	struct save *save = mem_zalloc(sizeof *save);
	save->sequence = ++saves->sequence;
	list_append(&saves->waiting, &save->link);
	write_first(saves);
}

/* --- written ------------------------------------------------------------------------------------------------------ */

static void tell_waiters(struct saves *saves) {
	uint64_t kept = UINT64_MAX;
	if (!list_is_empty(&saves->waiting))
		kept = first_of(saves)->sequence - 1;
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
	size_t written = saves->with_owner;
	saves->with_owner = 0;
	if (!kept)
		return;
	drop_events(saves, 0, written);
	drop(first_of(saves));
	write_first(saves);
	tell_waiters(saves);
}

void saves_retry(struct saves *saves) {
	write_first(saves);
}

bool saves_wait(struct saves *saves, struct saves_waiter *waiter) {
	saves_flush(saves);
	return saves_wait_for_changes(saves, waiter);
}

bool saves_wait_for_changes(struct saves *saves, struct saves_waiter *waiter) {
	if (list_is_empty(&saves->waiting))
		return false;
	waiter->sequence = saves->sequence;
	list_append(&saves->waiters, &waiter->link);
	return true;
}
