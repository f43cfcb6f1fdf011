/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "net/loop.h"

enum { LATER_MS = 30, MUCH_LATER_MS = 30000, MANY = 20 };

static struct world {
	struct loop loop;
	uv_prepare_t turn;
	struct timer work, end;
	struct flushable output;
	unsigned flushed, turns;
} world;

static void on_flush(struct flushable *flushable UNUSED) {
	world.flushed++;
}

static void on_turn(uv_prepare_t *handle UNUSED) {
	if (++world.turns > MANY)
		loop_stop(&world.loop);
}

static void on_work(struct timer *timer UNUSED) {
	loop_mark_dirty(&world.loop, &world.output);
	loop_mark_dirty(&world.loop, &world.output);
	world.turns = 0;
}

static void on_end(struct timer *timer UNUSED) {
	loop_stop(&world.loop);
}

static int set_up(void **state UNUSED) {
	world = (struct world){.work.fire = on_work, .end.fire = on_end};
	loop_init(&world.loop);
	flushable_init(&world.output, on_flush);
	uv_prepare_init(&world.loop.uv, &world.turn);
	uv_prepare_start(&world.turn, on_turn);
	return 0;
}

static int tear_down(void **state UNUSED) {
	loop_deinit(&world.loop);
	return 0;
}

static void work_and_wait(uint64_t ms) {
	timer_start(&world.loop, &world.work, 1);
	timer_start(&world.loop, &world.end, ms);
	loop_run(&world.loop);
	assert_int_equal(world.flushed, 1);
}

static void sleeps_when_there_is_nothing_to_do(void **state UNUSED) {
	work_and_wait(LATER_MS);
	assert_true(world.turns < MANY);
}

static void polls_after_work(void **state UNUSED) {
	loop_set_busy_poll(&world.loop, UINT32_MAX);
	work_and_wait(MUCH_LATER_MS);
	assert_true(world.turns > MANY);
}

static void sleeps_after_the_polling_time(void **state UNUSED) {
	loop_set_busy_poll(&world.loop, 1);
	work_and_wait(LATER_MS);
	assert_false(uv_is_active((uv_handle_t *)&world.loop.awake));
}

static void does_not_poll_without_work(void **state UNUSED) {
	loop_set_busy_poll(&world.loop, UINT32_MAX);
	timer_start(&world.loop, &world.end, LATER_MS);
	loop_run(&world.loop);
	assert_true(world.turns < MANY);
}

static void on_signal(uv_signal_t *handle UNUSED, int number UNUSED) {
}

static void hear_and_close_many_times(void) {
	enum { TIMES = 500 };
	struct loop loop;
	loop_init(&loop);
	for (int i = 0; i < TIMES; i++) {
		uv_signal_t handle;
		uv_signal_init(&loop.uv, &handle);
		uv_signal_start(&handle, on_signal, SIGTERM);
		loop_close_signal(&handle);
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	loop_deinit(&loop);
}

static void a_signal_does_not_end_a_process_that_has_closed_its_handle(void **state UNUSED) {
	signal(SIGTERM, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) {
		hear_and_close_many_times();
		_exit(0);
	}
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0)
		kill(pid, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	assert_int_equal(status, 0);
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		LOOP_TEST(sleeps_when_there_is_nothing_to_do),
		LOOP_TEST(polls_after_work),
		LOOP_TEST(sleeps_after_the_polling_time),
		LOOP_TEST(does_not_poll_without_work),
		cmocka_unit_test(a_signal_does_not_end_a_process_that_has_closed_its_handle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
