/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the functions of a store, which block, on a thread of libuv's pool: one job at a time, in the order of
 * store_queue_add.
 */
#pragma once

#include "base/list.h"
#include "net/loop.h"
#include "store/store.h"

/* Embedded in its owner, which may free it in done. */
struct store_job {
	struct list link;
	void (*work)(struct store_job *job, struct store *store); /* on the pool's thread */
	void (*done)(struct store_job *job); /* on the loop, never from inside store_queue_add */
};

struct store_queue {
	struct loop *loop;
	struct store *store;
	struct list jobs; /* the first one is running */
	uv_work_t request;
	void (*empty)(void *data); /* optional: called whenever the last job is done */
	void *data;
};

void store_queue_init(struct store_queue *queue, struct loop *loop, struct store *store);
void store_queue_add(struct store_queue *queue, struct store_job *job);
bool store_queue_is_empty(const struct store_queue *queue);
