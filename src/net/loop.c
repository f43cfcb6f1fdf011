/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/thread.h"

static void on_awake(uv_idle_t *handle) {
	struct loop *loop = handle->data;
	if (uv_hrtime() < loop->awake_until_ns)
		sched_yield();
	else
		uv_idle_stop(handle);
}

static void stay_awake(struct loop *loop) {
	loop->awake_until_ns = uv_hrtime() + loop->busy_poll_ns;
	uv_idle_start(&loop->awake, on_awake);
}

static void flush_all(struct loop *loop) {
	if (loop->busy_poll_ns > 0 && !list_is_empty(&loop->dirty))
		stay_awake(loop);
	/* A flush may mark others dirty: continue until none is left. */
	while (!list_is_empty(&loop->dirty)) {
		struct flushable *flushable = LIST_ENTRY(loop->dirty.next, struct flushable, link);
		list_remove(&flushable->link);
		flushable->flush(flushable);
	}
}

static void on_before_poll(uv_prepare_t *handle) {
	flush_all(handle->data);
}

static void on_after_poll(uv_check_t *handle) {
	flush_all(handle->data);
}

static void run_tasks(uv_async_t *handle) {
	struct loop *loop = handle->data;
	struct list tasks;
	list_init(&tasks);
	pthread_mutex_lock(&loop->shared.lock);
	while (!list_is_empty(&loop->shared.tasks)) {
		struct list *first = loop->shared.tasks.next;
		list_remove(first);
		list_append(&tasks, first);
	}
	pthread_mutex_unlock(&loop->shared.lock);
	while (!list_is_empty(&tasks)) {
		struct task *task = LIST_ENTRY(tasks.next, struct task, link);
		list_remove(&task->link);
		task->run(task);
	}
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

static void on_alarm(uv_timer_t *handle);

static void set_alarm(struct loop *loop) {
	const struct heap_node *first = heap_first(&loop->timers);
	uint64_t now = uv_now(&loop->uv);
	if (first == NULL)
		uv_timer_stop(&loop->alarm);
	else
		uv_timer_start(&loop->alarm, on_alarm, first->key > now ? first->key - now : 0, 0);
}

static void on_alarm(uv_timer_t *handle) {
	struct loop *loop = handle->data;
	uint64_t now = uv_now(&loop->uv);
	for (struct heap_node *first; (first = heap_first(&loop->timers)) != NULL && first->key <= now;) {
		struct timer *timer = CONTAINER_OF(first, struct timer, due);
		timer_stop(loop, timer);
		timer->fire(timer);
	}
	set_alarm(loop);
}

void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms) {
	heap_set(&loop->timers, &timer->due, uv_now(&loop->uv) + delay_ms);
	/* After a stop the alarm may fire early, which costs a turn; it must not fire late. */
	if (heap_first(&loop->timers) == &timer->due)
		set_alarm(loop);
}

void timer_stop(struct loop *loop, struct timer *timer) {
	heap_remove(&loop->timers, &timer->due);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void loop_init(struct loop *loop) {
	*loop = (struct loop){.held.max = LOOP_HELD_MAX_DEFAULT};
	int failed = uv_loop_init(&loop->uv);
	ASSERT(failed == 0);
	list_init(&loop->dirty);
	list_init(&loop->shared.tasks);
	pthread_mutex_init(&loop->shared.lock, NULL);
	loop->read_buffer = mem_alloc(LOOP_READ_SIZE);
	failed = uv_async_init(&loop->uv, &loop->wake, run_tasks);
	ASSERT(failed == 0);
	uv_prepare_init(&loop->uv, &loop->before_poll);
	uv_check_init(&loop->uv, &loop->after_poll);
	uv_timer_init(&loop->uv, &loop->alarm);
	uv_idle_init(&loop->uv, &loop->awake);
	loop->wake.data = loop->before_poll.data = loop->after_poll.data = loop->alarm.data = loop->awake.data = loop;
	uv_prepare_start(&loop->before_poll, on_before_poll);
	uv_check_start(&loop->after_poll, on_after_poll);
}

void loop_set_busy_poll(struct loop *loop, unsigned microseconds) {
	loop->busy_poll_ns = (uint64_t)microseconds * 1000;
}

static void do_nothing(uv_work_t *work UNUSED) {
}

static void on_nothing_done(uv_work_t *work, int status UNUSED) {
	free(work);
}

void loop_start_helpers(struct loop *loop) {
	static const char name[] = "UV_THREADPOOL_SIZE";
	bool is_set = getenv(name) != NULL;
	char threads[12];
	sigset_t before;
	snprintf(threads, sizeof threads, "%d", LOOP_POOL_THREADS);
	setenv(name, threads, false);
	thread_block_signals(&before);
	int failed = uv_queue_work(&loop->uv, mem_zalloc(sizeof(uv_work_t)), do_nothing, on_nothing_done);
	thread_restore_signals(&before);
	/* The processes that this one starts have pools of their own size. */
	if (!is_set)
		unsetenv(name);
	ASSERT(failed == 0);
}

void loop_run(struct loop *loop) {
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
	uv_stop(&loop->uv);
}

static void end_turn(struct timer *timer UNUSED) {
}

void loop_close_signal(uv_signal_t *handle) {
	int number = handle->signum;
	sigset_t before;
	thread_block_signals(&before); /* between the two calls the signal would end the process */
	uv_close((uv_handle_t *)handle, NULL);
	signal(number, SIG_IGN);
	thread_restore_signals(&before);
}

void loop_run_out(struct loop *loop) {
	enum { WAIT_MAX_MS = 5000, TURN_MS = 20 };
	uv_handle_t *own[] = {(uv_handle_t *)&loop->wake, (uv_handle_t *)&loop->before_poll,
			      (uv_handle_t *)&loop->after_poll, (uv_handle_t *)&loop->alarm,
			      (uv_handle_t *)&loop->awake};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		uv_unref(own[i]);
	uv_run(&loop->uv, UV_RUN_NOWAIT); /* tasks that were posted before */
	for (uint64_t until = uv_now(&loop->uv) + WAIT_MAX_MS; uv_now(&loop->uv) < until || loop->expected > 0;) {
		if (!uv_loop_alive(&loop->uv) && loop->timers.count == 0 && loop->expected == 0)
			return;
		/* Without another event the alarm ends the turn. */
		struct timer turn = {.fire = end_turn};
		timer_start(loop, &turn, TURN_MS);
		uv_ref((uv_handle_t *)&loop->alarm);
		uv_run(&loop->uv, UV_RUN_ONCE);
		uv_unref((uv_handle_t *)&loop->alarm);
		timer_stop(loop, &turn);
	}
}

static void close_handle(uv_handle_t *handle, void *data UNUSED) {
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_deinit(struct loop *loop) {
	/* Handles that are closing still have their callbacks to run. */
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	int busy = uv_loop_close(&loop->uv);
	ASSERT(busy == 0);
	pthread_mutex_destroy(&loop->shared.lock);
	heap_deinit(&loop->timers);
	free(loop->read_buffer);
}

void loop_post(struct loop *loop, struct task *task) {
	pthread_mutex_lock(&loop->shared.lock);
	list_append(&loop->shared.tasks, &task->link);
	pthread_mutex_unlock(&loop->shared.lock);
	uv_async_send(&loop->wake);
}

void loop_mark_dirty(struct loop *loop, struct flushable *flushable) {
	if (list_is_empty(&flushable->link))
		list_append(&loop->dirty, &flushable->link);
}

void flushable_init(struct flushable *flushable, void (*flush)(struct flushable *flushable)) {
	list_init(&flushable->link);
	flushable->flush = flush;
}

void flushable_deinit(struct flushable *flushable) {
	list_remove(&flushable->link);
}
