/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the state machines want kept, on its way to the store: in order, one after the other, each tried again until it
 * is kept. A later state of a deployment or a module takes the place of an earlier one that still waits, so what waits
 * is never more than there are deployments and modules. Events go along with the next save, as one with it: no change
 * is kept without the events before it. Those that no save takes along are written when somebody waits, or the owner
 * says so.
 *
 * Does no I/O: its owner writes, and says how it went.
 */
#pragma once

#include "control/control.h"

/* Events that wait, as while a disk is full. Beyond it the oldest are dropped. */
enum { EVENTS_WAITING_MAX = 1024 };

struct save {
	struct list link;
	uint64_t sequence;
	bool has_deployment, has_module;
	char key[KEY_MAX], active[KEY_MAX], next[KEY_MAX];
	enum deployment_state state;
	char *detail, *name;
	uint32_t replicas, next_replicas;
	/* While it is written. A save of events alone has neither a deployment nor a module. */
	const struct event_record *events;
	size_t event_count;
};

/* Waits until all that was asked for before it is kept. Embedded in its owner, who has it back in kept. */
struct write_behind_waiter {
	struct list link;
	uint64_t sequence;
	void (*kept)(struct write_behind_waiter *waiter);
};

struct write_behind {
	/* Starts to write; write_behind_written follows, never from inside. The save is lent until then. */
	void (*write)(struct write_behind *write_behind, const struct save *save);
	struct list waiting; /* of struct save, oldest first */
	struct list waiters; /* in the order of asking */
	bool writing; /* the first is with the owner */
	uint64_t sequence;
	struct event_record *events; /* that wait; the first with_owner of them are being written */
	size_t event_count, with_owner;
};

void write_behind_init(struct write_behind *write_behind,
		       void (*write)(struct write_behind *write_behind, const struct save *save));
/* Forgets what waits. Waiters are not called. */
void write_behind_deinit(struct write_behind *write_behind);

/* Either may be NULL. */
void write_behind_add(struct write_behind *write_behind, const struct deployment *deployment,
		      const struct module *module);

/* Copies it: of its text the first EVENT_TEXT_MAX bytes, of its lines the last EVENT_LINES_MAX. */
void write_behind_add_event(struct write_behind *write_behind, const struct event_record *event);
/* Writes the events that wait for a save to go along with. */
void write_behind_flush(struct write_behind *write_behind);

/* The write ended. Not kept: the owner tries again by write_behind_retry. */
void write_behind_written(struct write_behind *write_behind, bool kept);
void write_behind_retry(struct write_behind *write_behind);

/* false: nothing is left to wait for, and kept is not called. */
bool write_behind_wait(struct write_behind *write_behind, struct write_behind_waiter *waiter);
/* The same, but events that wait for a change to go along with go on waiting. */
bool write_behind_wait_for_changes(struct write_behind *write_behind, struct write_behind_waiter *waiter);
