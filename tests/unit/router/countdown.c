/* SPDX-License-Identifier: Apache-2.0 */
#include "router/countdown.h"

#include <pthread.h>

#include "cmocka_test.h"

enum { THREADS = 4 };

struct waiter {
	struct loop loop;
	unsigned done;
};

static void on_done(void *owner) {
	struct waiter *waiter = owner;
	waiter->done++;
	loop_stop(&waiter->loop);
}

static void *report(void *countdown) {
	countdown_report(countdown);
	return NULL;
}

static void done_runs_once_after_the_last_report(void **state UNUSED) {
	struct waiter waiter = {0};
	pthread_t threads[THREADS];
	loop_init(&waiter.loop);
	struct countdown *countdown = countdown_new(&waiter.loop, THREADS + 1, on_done, &waiter);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, report, countdown), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	uv_run(&waiter.loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(waiter.done, 0);
	countdown_report(countdown);
	assert_int_equal(waiter.done, 0); /* not from inside a report */
	loop_run(&waiter.loop);
	assert_int_equal(waiter.done, 1);
	loop_run_out(&waiter.loop);
	loop_deinit(&waiter.loop);
	assert_int_equal(waiter.done, 1);
}

static void with_nobody_to_wait_for_it_is_done_in_the_next_turn(void **state UNUSED) {
	struct waiter waiter = {0};
	loop_init(&waiter.loop);
	countdown_new(&waiter.loop, 0, on_done, &waiter);
	assert_int_equal(waiter.done, 0);
	loop_run(&waiter.loop);
	assert_int_equal(waiter.done, 1);
	loop_deinit(&waiter.loop);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(done_runs_once_after_the_last_report),
		cmocka_unit_test(with_nobody_to_wait_for_it_is_done_in_the_next_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
