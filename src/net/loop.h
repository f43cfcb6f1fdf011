/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop, run by one thread: libuv's, with tasks, flushes and timers added.
 *
 * Tasks come from other threads: loop_post is the only function here that another thread may call. A connection with
 * output marks itself dirty and is flushed once at the end of the turn, so that the writes of one turn leave in one
 * system call. A timer is a plain struct that can be freed as soon as it is stopped, which libuv's cannot; each call
 * with a deadline starts and stops one.
 */
#pragma once

#include <pthread.h>
#include <uv.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"

enum { LOOP_READ_SIZE = 64 << 10 };

/* "max-held", unless set otherwise. */
#define LOOP_HELD_MAX_DEFAULT MIB(256)

/* Work handed to a loop. Embedded in its owner, who frees it from run or later. */
struct task {
	struct list link;
	void (*run)(struct task *task);
};

/* An object whose output waits for the end of the turn. */
struct flushable {
	struct list link;
	void (*flush)(struct flushable *flushable);
};

struct timer {
	struct heap_node due; /* in the loop's timers while it runs */
	void (*fire)(struct timer *timer);
};

struct loop {
	uv_loop_t uv;
	uv_timer_t alarm; /* for the timer that is due first */
	struct heap timers;
	uv_async_t wake;
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	struct list dirty;
	uv_idle_t awake; /* runs while the loop polls without sleeping */
	uint64_t busy_poll_ns, awake_until_ns;
	char *read_buffer; /* LOOP_READ_SIZE bytes; valid within one read callback */
	/* "max-held": messages that wait to be whole or to be read, of all streams (rpc_check_held). */
	struct buf_budget held;
	/* Operations under way elsewhere whose end comes by loop_post: loop_run_out waits for them. */
	size_t expected;
	struct {
		pthread_mutex_t lock;
		struct list tasks;
	} shared;
};

void loop_init(struct loop *loop);

/* After a turn that sent something the loop polls for this long before it sleeps. That takes processor time, which
 * other threads get when they ask for it, and spares the next event the time of waking up. 0, the default: the loop
 * sleeps at once. */
void loop_set_busy_poll(struct loop *loop, unsigned microseconds);

/* Threads of libuv's pool, which all loops of a process share. Work that blocks on a disk is bounded below that (see
 * net/work_queue.h), so that a slow disk leaves threads for other disks and for looking names up. */
enum { LOOP_POOL_THREADS = 6 };

/* Starts the pool of the process, whose threads then receive no signals. Without this call libuv starts it at its first
 * use. Before other threads are started: it changes the environment for a moment. */
void loop_start_helpers(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Closes a signal's handle and ignores the signal from then on, so that one which comes while the process ends does not
 * change its exit status. */
void loop_close_signal(uv_signal_t *handle);

/* Runs until nothing is left on the loop but what others still use: what was closed is gone then. To be called when
 * loop_run has returned. Waits for every operation that is `expected`, and five seconds at most for all else. */
void loop_run_out(struct loop *loop);

/* Closes the handles that are left on the loop and runs until they are closed. Nobody may use them any more. */
void loop_deinit(struct loop *loop);

/* Runs task on the loop's thread, in the order of posting. From any thread. */
void loop_post(struct loop *loop, struct task *task);

/* Milliseconds of the monotonic clock, as of the beginning of this turn. */
static inline uint64_t loop_now_ms(const struct loop *loop) {
	return uv_now(&loop->uv);
}

/* Fires once, after delay_ms; a second start moves it. A zeroed timer with fire set is ready for use. */
void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms);
void timer_stop(struct loop *loop, struct timer *timer); /* does nothing when it is not running */

static inline bool timer_is_running(const struct timer *timer) {
	return timer->due.place != 0;
}

/* Has it flushed at the end of this turn, once. */
void loop_mark_dirty(struct loop *loop, struct flushable *flushable);
void flushable_init(struct flushable *flushable, void (*flush)(struct flushable *flushable));
void flushable_deinit(struct flushable *flushable);
