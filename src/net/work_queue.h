/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that blocks, such as that on a disk, run by threads of libuv's pool: in the order of asking, and at most
 * max_running pieces of one queue at a time, so that a slow disk holds no more threads of the pool than that.
 *
 *   add ──▶ waiting ──fewer than max_running are running──▶ running ──▶ done, on the loop that asked
 *
 * A queue may serve several loops. Each piece is added from its loop's thread and reported there.
 */
#pragma once

#include "net/loop.h"

struct work_queue;

/* One piece. Embedded in its owner, whose it is again in done. */
struct work {
	void (*run)(struct work *work); /* on a thread of the pool; may block */
	void (*done)(struct work *work); /* on the loop, exactly once, never from inside work_queue_add */
	/* The queue's until done: */
	struct work_queue *queue;
	struct loop *loop;
	struct list link;
	struct task start;
	uv_work_t request;
};

struct work_queue {
	size_t max_running;
	struct {
		pthread_mutex_t lock;
		struct list waiting; /* oldest first */
		size_t running;
	} shared;
};

void work_queue_init(struct work_queue *queue, size_t max_running);
/* After the last done. */
void work_queue_deinit(struct work_queue *queue);

/* The loop runs until done: loop_run_out waits for it. */
void work_queue_add(struct work_queue *queue, struct loop *loop, struct work *work);
