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

/* Takes the module out of the save, or the deployment. */

static void clear_module(struct save *save) {
	if (save->change.module == NULL)
		return;
	free((char *)save->module.name);
	free((char *)save->module.active_key);
	free((char *)save->module.next_key);
	save->change.module = NULL;
}

static void clear_deployment(struct save *save) {
	free((char *)save->change.deployment_key);
	free((char *)save->change.detail);
	save->change.deployment_key = save->change.detail = NULL;
}

static bool has_events_alone(const struct save *save) {
	return save->change.deployment_key == NULL && save->change.module == NULL;
}

static void drop(struct save *save) {
	list_remove(&save->link);
	clear_deployment(save);
	clear_module(save);
	free(save);
}

static void drop_events(struct write_behind *write_behind, size_t from, size_t count) {
	for (size_t i = from; i < from + count; i++)
		free((char *)write_behind->events[i].module); /* one block holds all texts of an event */
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
	save->change.events = write_behind->events;
	save->change.event_count = write_behind->event_count;
	write_behind->write(write_behind, save);
}

/* Waiters of a save that the newest one replaces wait for the newest one. */
static void move_waiters(struct write_behind *write_behind, uint64_t from, uint64_t to) {
	LIST_FOREACH(link, &write_behind->waiters) {
		struct write_behind_waiter *waiter = LIST_ENTRY(link, struct write_behind_waiter, link);
		if (waiter->sequence >= from)
			waiter->sequence = MAX(waiter->sequence, to);
	}
}

static bool is_same_deployment(const struct store_change *a, const struct store_change *b) {
	return a->deployment_key != NULL && b->deployment_key != NULL &&
	       strcmp(a->deployment_key, b->deployment_key) == 0;
}

static bool is_same_module(const struct store_change *a, const struct store_change *b) {
	return a->module != NULL && b->module != NULL && strcmp(a->module->name, b->module->name) == 0;
}

/* Removes from the queue what the newest save replaces, and saves with events alone, as the newest one takes the events
 * along. The save that is being written stays as it is. */
static void supersede(struct write_behind *write_behind, const struct save *newest) {
	LIST_FOREACH(link, &write_behind->waiting) {
		struct save *save = LIST_ENTRY(link, struct save, link);
		bool same_deployment = is_same_deployment(&save->change, &newest->change),
		     same_module = is_same_module(&save->change, &newest->change);
		if ((!same_deployment && !same_module && !has_events_alone(save)) ||
		    (write_behind->writing && link == write_behind->waiting.next))
			continue;
		if (same_deployment)
			clear_deployment(save);
		if (same_module)
			clear_module(save);
		move_waiters(write_behind, save->sequence, newest->sequence);
		if (has_events_alone(save))
			drop(save);
	}
}

static struct save *save_new(struct write_behind *write_behind) {
	struct save *save = mem_zalloc(sizeof *save);
	save->sequence = ++write_behind->sequence;
	return save;
}

void write_behind_add(struct write_behind *write_behind, const struct store_change *change) {
	ASSERT(change->event_count == 0);
	struct save *save = save_new(write_behind);
	if (change->deployment_key != NULL)
		save->change = (struct store_change){.deployment_key = mem_strdup(change->deployment_key),
						     .state = change->state,
						     .detail = mem_strdup(change->detail)};
	if (change->module != NULL) {
		save->module = *change->module;
		save->module.name = mem_strdup(change->module->name);
		save->module.active_key = mem_strdup(change->module->active_key);
		save->module.next_key = mem_strdup(change->module->next_key);
		save->change.module = &save->module;
	}
	supersede(write_behind, save);
	list_append(&write_behind->waiting, &save->link);
	write_first(write_behind);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* Copies the text to *at as valid UTF-8, so that readers can rely on it: a character that was cut at the end is
 * dropped; in any other invalid text each byte that is not ASCII becomes "?". Moves *at behind the copy. */
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

/* The last whole lines that fit, or the last bytes of a line that is too long. */
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
	struct event_record *copy = &write_behind->events[write_behind->event_count++];
	*copy = *event;
	copy->module = add_text(&at, module);
	copy->deployment_key = add_text(&at, deployment);
	copy->runner_key = add_text(&at, runner);
	copy->text = add_text(&at, text);
	copy->lines = add_text(&at, lines);
}

static bool has_new_events(const struct write_behind *write_behind) {
	return write_behind->event_count > write_behind->with_owner;
}

void write_behind_flush(struct write_behind *write_behind) {
	/* A save that is queued takes the events along; the one that is being written does not. */
	bool goes_along = !list_is_empty(&write_behind->waiting) &&
			  (!write_behind->writing || write_behind->waiting.prev != write_behind->waiting.next);
	if (!has_new_events(write_behind) || goes_along)
		return;
	list_append(&write_behind->waiting, &save_new(write_behind)->link);
	write_first(write_behind);
}

/* --- written ------------------------------------------------------------------------------------------------------ */

static void tell_waiters(struct write_behind *write_behind) {
	uint64_t stored = UINT64_MAX;
	if (!list_is_empty(&write_behind->waiting))
		stored = first_of(write_behind)->sequence - 1;
	/* One at a time from the front, as stored() may add saves and waiters. */
	for (struct list *link = write_behind->waiters.next; link != &write_behind->waiters;) {
		struct write_behind_waiter *waiter = LIST_ENTRY(link, struct write_behind_waiter, link);
		link = link->next;
		if (waiter->sequence > stored)
			continue;
		list_remove(&waiter->link);
		waiter->stored(waiter);
	}
}

void write_behind_written(struct write_behind *write_behind, bool stored) {
	ASSERT(write_behind->writing);
	write_behind->writing = false;
	size_t written = write_behind->with_owner;
	write_behind->with_owner = 0;
	if (!stored)
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
	if (list_is_empty(&write_behind->waiting))
		return false;
	waiter->sequence = write_behind->sequence;
	list_append(&write_behind->waiters, &waiter->link);
	return true;
}
