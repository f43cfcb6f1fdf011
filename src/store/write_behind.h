/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of changes on their way to the store. Changes are written in the order of their arrival, one at a time, and
 * each is retried until it is stored. A newer state of a deployment or a module replaces an older one that is still
 * queued, so the queue is never longer than the number of deployments and modules.
 *
 * An event is stored in one transaction with the next change, so no change is stored without the events before it.
 * Events that no change follows are written when a caller waits, or when the owner calls write_behind_flush.
 *
 * The queue does no I/O: its owner writes, and reports the result.
 */
#pragma once

#include "base/list.h"
#include "store/store.h"

/* Limit of queued events, reached for instance while a disk is full. Further ones replace the oldest. */
enum { EVENTS_WAITING_MAX = 1024 };

/* One queued change. */
struct save {
	struct list link;
	uint64_t sequence;
	/* All texts are copies that the save owns. The events are set, and lent, while the save is being written; a
	 * save made by write_behind_flush has events alone. */
	struct store_change change;
	struct module_record module; /* change.module points here, or is NULL */
};

/* Waits until all changes that were added before it are stored. Embedded in its owner; stored is called once. */
struct write_behind_waiter {
	struct list link;
	uint64_t sequence;
	void (*stored)(struct write_behind_waiter *waiter);
};

struct write_behind {
	/* Starts to write; write_behind_written follows later, never from inside. The save is lent until then. */
	void (*write)(struct write_behind *write_behind, const struct save *save);
	struct list waiting; /* of struct save, oldest first */
	struct list waiters; /* in the order of write_behind_wait */
	bool writing; /* the owner is writing the first save */
	uint64_t sequence;
	struct event_record *events; /* queued; the first with_owner of them are being written */
	size_t event_count, with_owner;
};

void write_behind_init(struct write_behind *write_behind,
		       void (*write)(struct write_behind *write_behind, const struct save *save));
/* Frees what is queued. Waiters are not called. */
void write_behind_deinit(struct write_behind *write_behind);

/* Queues a copy of the change, which has no events of its own. */
void write_behind_add(struct write_behind *write_behind, const struct store_change *change);

/* Queues a copy of the event: of its text the first EVENT_TEXT_MAX bytes, of its lines the last EVENT_LINES_MAX. */
void write_behind_add_event(struct write_behind *write_behind, const struct event_record *event);
/* Writes the queued events now, unless a queued change will take them along. */
void write_behind_flush(struct write_behind *write_behind);

/* The owner reports that the write ended. After a failed one (stored is false) it calls write_behind_retry later. */
void write_behind_written(struct write_behind *write_behind, bool stored);
void write_behind_retry(struct write_behind *write_behind);

/* Returns false when nothing is queued; stored is then not called. */
bool write_behind_wait(struct write_behind *write_behind, struct write_behind_waiter *waiter);
