/* SPDX-License-Identifier: Apache-2.0 */
#include "module/verb_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
	IDLE_S = 10, /* a thread without a job for so long ends */
	/* Only pages that are touched take memory. A smaller stack would be too small for libraries that modules use: a
	 * JSON parser alone may recurse two thousand times. */
	STACK_SIZE = 2 << 20,
};

struct verb_pool {
	size_t threads_max, queue_max;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t work; /* for the threads */
		pthread_cond_t ended; /* for verb_pool_free */
		struct list jobs;
		size_t waiting; /* jobs */
		size_t threads, idle;
		bool waking; /* a thread was woken and does not run yet */
		bool closing;
	} shared;
};

/* With the lock held. Wakes one thread at a time, which wakes the next one when more jobs wait: a verb is often over
 * before a thread wakes up, so that the threads that run take most jobs. */
static void wake_thread(struct verb_pool *pool) {
	if (list_is_empty(&pool->shared.jobs) || pool->shared.idle == 0 || pool->shared.waking)
		return;
	pool->shared.waking = true;
	pthread_cond_signal(&pool->shared.work);
}

/* With the lock held. Returns NULL when the thread is to end. */
static struct verb_job *wait_for_job(struct verb_pool *pool) {
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	pool->shared.idle++;
	int late = 0;
	while (list_is_empty(&pool->shared.jobs) && !pool->shared.closing && late == 0) {
		late = pthread_cond_timedwait(&pool->shared.work, &pool->shared.lock, &until);
		pool->shared.waking = false;
	}
	pool->shared.idle--;
	if (list_is_empty(&pool->shared.jobs))
		return NULL;
	struct verb_job *job = LIST_ENTRY(pool->shared.jobs.next, struct verb_job, link);
	list_remove(&job->link);
	pool->shared.waiting--;
	wake_thread(pool);
	return job;
}

static void *run_thread(void *data) {
	struct verb_pool *pool = data;
	char fault_stack[THREAD_FAULT_STACK_SIZE];
	thread_set_fault_stack(fault_stack);
	thread_unblock_signals();
	pthread_mutex_lock(&pool->shared.lock);
	for (struct verb_job *job; (job = wait_for_job(pool)) != NULL;) {
		pthread_mutex_unlock(&pool->shared.lock);
		job->run(job);
		pthread_mutex_lock(&pool->shared.lock);
	}
	pool->shared.threads--;
	pthread_cond_signal(&pool->shared.ended);
	pthread_mutex_unlock(&pool->shared.lock);
	return NULL;
}

/* With the lock held. */
static bool has_thread(struct verb_pool *pool) {
	if (pool->shared.idle > pool->shared.waiting || pool->shared.threads == pool->threads_max)
		return true;
	int failed = thread_start(NULL, STACK_SIZE, run_thread, pool);
	if (failed == 0)
		pool->shared.threads++;
	else
		log_error("could not start thread %zu for verbs: %s", pool->shared.threads + 1, strerror(failed));
	return pool->shared.threads > 0;
}

bool verb_pool_submit(struct verb_pool *pool, struct verb_job *job) {
	pthread_mutex_lock(&pool->shared.lock);
	bool room = pool->shared.waiting < pool->queue_max && has_thread(pool);
	if (room) {
		list_append(&pool->shared.jobs, &job->link);
		pool->shared.waiting++;
		wake_thread(pool);
	}
	pthread_mutex_unlock(&pool->shared.lock);
	return room;
}

struct verb_pool *verb_pool_new(size_t threads_max, size_t queue_max) {
	struct verb_pool *pool = mem_zalloc(sizeof *pool);
	pool->threads_max = threads_max;
	pool->queue_max = queue_max;
	pthread_mutex_init(&pool->shared.lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->shared.work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&pool->shared.ended, NULL);
	list_init(&pool->shared.jobs);
	return pool;
}

void verb_pool_free(struct verb_pool *pool) {
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->shared.lock);
	pool->shared.closing = true;
	pthread_cond_broadcast(&pool->shared.work);
	while (pool->shared.threads > 0)
		pthread_cond_wait(&pool->shared.ended, &pool->shared.lock);
	pthread_mutex_unlock(&pool->shared.lock);
	pthread_mutex_destroy(&pool->shared.lock);
	pthread_cond_destroy(&pool->shared.work);
	pthread_cond_destroy(&pool->shared.ended);
	free(pool);
}
