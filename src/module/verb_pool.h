/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for verbs that may block: started when a job waits, up to a limit, and ended after 10 s without one.
 */
#pragma once

#include "base/list.h"

struct verb_pool;

/* Embedded in its owner. */
struct verb_job {
	struct list link;
	void (*run)(struct verb_job *job);
};

/* At most threads_max run ("max-verb-threads"), and queue_max wait for a thread ("max-waiting-calls"). */
struct verb_pool *verb_pool_new(size_t threads_max, size_t queue_max);

/* Runs the job in one of the threads. Returns false when queue_max jobs wait, or no thread could be started. */
bool verb_pool_submit(struct verb_pool *pool, struct verb_job *job);

/* Waits for the threads to end. To be called when no job waits or runs. */
void verb_pool_free(struct verb_pool *pool);
