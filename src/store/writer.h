/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes changes to the store: takes them from write_behind in order, commits each on the thread of the store queue,
 * and tries again while the store fails.
 *
 *               a write fails, or fail()
 *   WRITER_WORKS ──────────────────────▶ WRITER_TROUBLED   a write that failed is tried again every retry_ms
 *        │  ▲         a write succeeds       │
 *        │  └────────────────────────────────┤
 *        │ stop()                     stop() │
 *        ▼                                   ▼
 *      WRITER_STOPS    a write that fails is dropped, as the process ends and waits for nothing
 *
 * A change that names a missing row can never be stored: it is dropped and logged in every state. A writer whose epoch
 * is stale stays troubled, and so stores nothing more.
 */
#pragma once

#include "net/loop.h"
#include "store/queue.h"
#include "store/write_behind.h"

enum { STORE_RETRY_MS = 1000 };

enum writer_state { WRITER_WORKS, WRITER_TROUBLED, WRITER_STOPS, WRITER_STATE_COUNT };

struct store_writer;

/* Called on the loop. They may add changes and events. */
struct store_writer_events {
	/* All events up to this one are stored. */
	void (*stored)(struct store_writer *writer, const struct event_record *last);
	/* The store, which worked until now, has failed. */
	void (*troubled)(struct store_writer *writer, const struct error *why);
	/* The store works again after after_ms. */
	void (*recovered)(struct store_writer *writer, uint64_t after_ms);
};

struct store_writer {
	const struct store_writer_events *events;
	struct loop *loop;
	struct store_queue *queue;
	struct write_behind write_behind;
	enum writer_state state;
	uint64_t epoch; /* 0: the store is not open */
	char *folder; /* the folder of the store, for the free room on its disk; NULL: none */
	uint64_t retry_ms; /* STORE_RETRY_MS */
	struct timer retry;
	struct {
		uint64_t since_ms;
		int64_t free_bytes; /* free on the disk when the last write failed; -1: unknown */
		struct error why;
	} trouble;
	/* Used by the queue's thread while a save is being written. */
	struct {
		struct store_job job;
		const struct save *save;
		bool failed;
		struct error err;
		int64_t free_bytes;
	} work;
};

/* Borrows the loop and the queue, which may be initialised later, with the store. */
void store_writer_init(struct store_writer *writer, struct loop *loop, struct store_queue *queue,
		       const struct store_writer_events *events);
/* Frees what is queued. */
void store_writer_deinit(struct store_writer *writer);

/* The store of the queue is open, and was acquired with this epoch. folder is copied. */
void store_writer_open(struct store_writer *writer, uint64_t epoch, const char *folder);
/* The store is closed, and nothing is queued: until the next open no change may come. */
void store_writer_close(struct store_writer *writer);

/* Another user of the store failed to write: makes the writer troubled. */
void store_writer_fail(struct store_writer *writer, const struct error *why);

/* No retries from now on; queued changes get one more try, if the store is open. */
void store_writer_stop(struct store_writer *writer);

/* Why the store cannot be written; NULL: it can. */
const struct error *store_writer_trouble(const struct store_writer *writer);
/* The same as a text for users, in arena, with the time and the free room on the disk. */
char *store_writer_problem(const struct store_writer *writer, struct arena *arena);

/* Aborts on a transition that the diagram lacks. */
void writer_state_change(enum writer_state *state, enum writer_state next);
