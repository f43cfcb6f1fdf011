/* SPDX-License-Identifier: Apache-2.0 */
#include "store/write_behind.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void write_behind_init(struct write_behind *write_behind,
		       void (*write)(struct write_behind *write_behind, const struct save *save)) {
	*write_behind = (struct write_behind){.write = write,
					      .events = mem_zalloc(EVENTS_WAITING_MAX * sizeof *write_behind->events)};
	list_init(&write_behind->waiting);
	list_init(&write_behind->waiters);
}

static void drop(struct save *save) {
	list_remove(&save->link);
	free(save->detail);
	free(save->name);
	free(save);
}

static void drop_events(struct write_behind *write_behind, size_t from, size_t count) {
	for (size_t i = from; i < from + count; i++)
		free((char *)write_behind->events[i].module); /* all its texts are in one piece */
	if (count > 0)
		memmove(&write_behind->events[from], &write_behind->events[from + count],
			(write_behind->event_count - from - count) * sizeof *write_behind->events);
	write_behind->event_count -= count;
}

void write_behind_deinit(struct write_behind *write_behind) {
	LIST_FOREACH(link, &write_behind->waiting)
		drop(LIST_ENTRY(link, struct save, link));
	drop_events(write_behind, 0, write_behind->event_count);
	free(write_behind->events);
}

static struct save *first_of(const struct write_behind *write_behind) {
	return LIST_ENTRY(write_behind->waiting.next, struct save, link);
}

static void write_first(struct write_behind *write_behind) {
	if (write_behind->writing || list_is_empty(&write_behind->waiting))
		return;
	struct save *save = first_of(write_behind);
	write_behind->writing = true;
	write_behind->with_owner = write_behind->event_count;
	save->events = write_behind->events;
	save->event_count = write_behind->event_count;
	write_behind->write(write_behind, save);
}

/* Who waited for the one waits for the other now. */
static void move_waiters(struct write_behind *write_behind, uint64_t from, uint64_t to) {
	LIST_FOREACH(link, &write_behind->waiters) {
		struct write_behind_waiter *waiter = LIST_ENTRY(link, struct write_behind_waiter, link);
		if (waiter->sequence >= from)
			waiter->sequence = MAX(waiter->sequence, to);
	}
}

/* Takes out of what waits all that the newest says anew, and events alone, which go along with it. The one being
 * written stays. */
static void supersede(struct write_behind *write_behind, const struct save *newest) {
	LIST_FOREACH(link, &write_behind->waiting) {
		struct save *save = LIST_ENTRY(link, struct save, link);
		bool same_deployment =
			save->has_deployment && newest->has_deployment && strcmp(save->key, newest->key) == 0;
		bool same_module = save->has_module && newest->has_module && strcmp(save->name, newest->name) == 0;
		bool events_alone = !save->has_deployment && !save->has_module;
		if ((!same_deployment && !same_module && !events_alone) ||
		    (write_behind->writing && link == write_behind->waiting.next))
			continue;
		save->has_deployment &= !same_deployment;
		save->has_module &= !same_module;
		move_waiters(write_behind, save->sequence, newest->sequence);
		if (!save->has_deployment && !save->has_module)
			drop(save);
	}
}

void write_behind_add(struct write_behind *write_behind, const struct deployment *deployment,
		      const struct module *module) {
	struct save *save = mem_zalloc(sizeof *save);
	save->sequence = ++write_behind->sequence;
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
	supersede(write_behind, save);
	list_append(&write_behind->waiting, &save->link);
	write_first(write_behind);
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

void write_behind_add_event(struct write_behind *write_behind, const struct event_record *event) {
	if (write_behind->event_count == EVENTS_WAITING_MAX && write_behind->with_owner == EVENTS_WAITING_MAX)
		return;
	if (write_behind->event_count == EVENTS_WAITING_MAX)
		drop_events(write_behind, write_behind->with_owner, 1);
	struct str module = str_from(event->module), text = str_from(event->text),
		   lines = cut_lines(str_from(event->lines));
	struct str deployment = str_from(event->deployment_key), runner = str_from(event->runner_key);
	text.len = MIN(text.len, (size_t)EVENT_TEXT_MAX);
	char *at = mem_alloc(module.len + deployment.len + runner.len + text.len + lines.len + 5);
	struct event_record *kept = &write_behind->events[write_behind->event_count++];
	*kept = *event;
	kept->module = add_text(&at, module);
	kept->deployment_key = add_text(&at, deployment);
	kept->runner_key = add_text(&at, runner);
	kept->text = add_text(&at, text);
	kept->lines = add_text(&at, lines);
}

static bool has_new_events(const struct write_behind *write_behind) {
	return write_behind->event_count > write_behind->with_owner;
}

void write_behind_flush(struct write_behind *write_behind) {
	/* One that waits takes them along; the one being written does not. */
	bool goes_along = !list_is_empty(&write_behind->waiting) &&
			  (!write_behind->writing || write_behind->waiting.prev != write_behind->waiting.next);
	if (!has_new_events(write_behind) || goes_along)
		return;
	struct save *save = mem_zalloc(sizeof *save);
	save->sequence = ++write_behind->sequence;
	list_append(&write_behind->waiting, &save->link);
	write_first(write_behind);
}

/* --- written ------------------------------------------------------------------------------------------------------ */

static void tell_waiters(struct write_behind *write_behind) {
	uint64_t kept = UINT64_MAX;
	if (!list_is_empty(&write_behind->waiting))
		kept = first_of(write_behind)->sequence - 1;
	/* One at a time from the front, as kept() may add and wait. */
	for (struct list *link = write_behind->waiters.next; link != &write_behind->waiters;) {
		struct write_behind_waiter *waiter = LIST_ENTRY(link, struct write_behind_waiter, link);
		link = link->next;
		if (waiter->sequence > kept)
			continue;
		list_remove(&waiter->link);
		waiter->kept(waiter);
	}
}

void write_behind_written(struct write_behind *write_behind, bool kept) {
	ASSERT(write_behind->writing);
	write_behind->writing = false;
	size_t written = write_behind->with_owner;
	write_behind->with_owner = 0;
	if (!kept)
		return;
	drop_events(write_behind, 0, written);
	drop(first_of(write_behind));
	write_first(write_behind);
	tell_waiters(write_behind);
}

void write_behind_retry(struct write_behind *write_behind) {
	write_first(write_behind);
}

bool write_behind_wait(struct write_behind *write_behind, struct write_behind_waiter *waiter) {
	write_behind_flush(write_behind);
	return write_behind_wait_for_changes(write_behind, waiter);
}

bool write_behind_wait_for_changes(struct write_behind *write_behind, struct write_behind_waiter *waiter) {
	if (list_is_empty(&write_behind->waiting))
		return false;
	waiter->sequence = write_behind->sequence;
	list_append(&write_behind->waiters, &waiter->link);
	return true;
}
