/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stop_signals.h"

#include <signal.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cmocka_test.h"

struct stage {
	struct loop loop;
	struct stop_signals signals;
	int number; /* the last */
	unsigned count;
	bool was_order;
};

static void on_received(struct stop_signals *signals, int number, bool is_order) {
	struct stage *stage = CONTAINER_OF(signals, struct stage, signals);
	stage->number = number;
	stage->was_order = is_order;
	stage->count++;
}

static void send_one(struct stage *stage, int number) {
	unsigned before = stage->count;
	raise(number);
	for (int turns = 0; turns < 100 && stage->count == before; turns++)
		uv_run(&stage->loop.uv, UV_RUN_NOWAIT);
}

static void open_stage(struct stage *stage) {
	*stage = (struct stage){.signals.received = on_received};
	loop_init(&stage->loop);
	stop_signals_watch(&stage->signals, &stage->loop);
}

static void close_stage(struct stage *stage) {
	stop_signals_close(&stage->signals);
	loop_deinit(&stage->loop);
}

static void takes_each_signal_that_ends_a_process(void **state UNUSED) {
	const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT,   SIGUSR1, SIGUSR2,  SIGALRM,      SIGVTALRM,
			       SIGPROF, SIGIO,  SIGPWR, SIGSTKFLT, SIGXCPU, SIGRTMIN, SIGRTMIN + 5, SIGRTMAX};
	struct stage *stage = mem_zalloc(sizeof *stage);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		signal(numbers[i], SIG_DFL); /* whoever runs the tests may ignore some, as nohup and & do */
	open_stage(stage);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		send_one(stage, numbers[i]);
		assert_int_equal(stage->number, numbers[i]);
		assert_int_equal(stage->count, i + 1);
		assert_int_equal(stage->was_order, i < 2 || numbers[i] == SIGQUIT);
	}
	close_stage(stage);
	/* Further signals change nothing while the process ends. */
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		raise(numbers[i]);
		signal(numbers[i], SIG_DFL);
	}
	free(stage);
}

/* As after nohup, and in what a shell without job control starts with &. */
static void leaves_what_was_ignored(void **state UNUSED) {
	struct stage *stage = mem_zalloc(sizeof *stage);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	open_stage(stage);
	send_one(stage, SIGHUP);
	send_one(stage, SIGQUIT);
	assert_int_equal(stage->count, 0);
	send_one(stage, SIGINT);
	assert_int_equal(stage->count, 1);
	close_stage(stage);
	signal(SIGHUP, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	free(stage);
}

static void names_signals(void **state UNUSED) {
	char text[STOP_SIGNAL_TEXT_MAX];
	stop_signal_format(SIGHUP, text);
	assert_string_equal(text, "SIGHUP (Hangup)");
	stop_signal_format(SIGRTMIN + 3, text);
	assert_string_equal(text, "SIGRTMIN+3");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_each_signal_that_ends_a_process),
		cmocka_unit_test(leaves_what_was_ignored),
		cmocka_unit_test(names_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
