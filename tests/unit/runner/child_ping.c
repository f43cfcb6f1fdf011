/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/child_ping.h"

#include "base/macros.h"

#include "dies.h"

enum { EVERY_MS = 2000 };

static struct child_ping pinging(void) {
	struct child_ping ping = {.every_ms = EVERY_MS};
	child_ping_sent(&ping, 10000);
	return ping;
}

/* The child misses so many Pings in a row. Returns its state after the last. */
static enum child_state miss(struct child_ping *ping, unsigned count, uint64_t now_ms, size_t calls, bool is_stopped) {
	enum child_state state = ping->state;
	const struct child_activity activity = {.calls = calls, .is_stopped = is_stopped};
	while (count-- > 0)
		state = child_ping_missed(ping, now_ms, &activity);
	return state;
}

static void hangs_after_three_in_a_row(void **state UNUSED) {
	struct child_ping ping = pinging();
	assert_int_equal(miss(&ping, 2, 20000, 0, true), CHILD_ANSWERING);
	assert_false(child_ping_answered(&ping));
	assert_int_equal(miss(&ping, 2, 20000, 0, false), CHILD_ANSWERING);
	assert_int_equal(miss(&ping, 1, 20000, 0, false), CHILD_HUNG);
}

static void is_busy_while_calls_are_in_progress(void **state UNUSED) {
	struct child_ping ping = pinging();
	assert_int_equal(miss(&ping, 100, 20000, 1, false), CHILD_BUSY);
	assert_true(child_ping_answered(&ping));
	assert_int_equal(ping.state, CHILD_ANSWERING);
	assert_int_equal(miss(&ping, 3, 20000, 1, false), CHILD_BUSY);
	/* Its last call has ended, and it does not answer yet. */
	assert_int_equal(miss(&ping, 1, 22000, 0, false), CHILD_HUNG);
}

static void a_stopped_one_hangs_whatever_it_was_doing(void **state UNUSED) {
	struct child_ping ping = pinging();
	assert_int_equal(miss(&ping, 3, 20000, 1, false), CHILD_BUSY);
	assert_int_equal(miss(&ping, 1, 20000, 1, true), CHILD_HUNG);
}

static void a_call_whose_caller_left_counts_for_a_minute(void **state UNUSED) {
	struct child_ping ping = pinging();
	child_ping_abandoned(&ping, 20000);
	assert_int_equal(miss(&ping, 3, 20001, 0, false), CHILD_BUSY);
	assert_int_equal(miss(&ping, 1, 20000 + CHILD_ABANDONED_MS - 1, 0, false), CHILD_BUSY);
	assert_int_equal(miss(&ping, 1, 20000 + CHILD_ABANDONED_MS, 0, false), CHILD_HUNG);
	/* An answer shows that the child is done with it. */
	ping = pinging();
	child_ping_abandoned(&ping, 20000);
	child_ping_answered(&ping);
	assert_int_equal(miss(&ping, 3, 20001, 0, false), CHILD_HUNG);
}

static void one_that_uses_the_processor_has_more_time(void **state UNUSED) {
	struct child_ping ping = pinging();
	const struct child_activity works = {.has_worked = true};
	for (unsigned missed = 1; missed < CHILD_PINGS_MISSED_WORKING; missed++)
		assert_int_equal(child_ping_missed(&ping, 20000, &works),
				 missed < CHILD_PINGS_MISSED_MAX ? CHILD_ANSWERING : CHILD_BUSY);
	assert_int_equal(child_ping_missed(&ping, 20000, &works), CHILD_HUNG);
	/* The child stopped working before. */
	ping = pinging();
	for (unsigned missed = 1; missed < 10; missed++)
		child_ping_missed(&ping, 20000, &works);
	assert_int_equal(miss(&ping, 1, 20000, 0, false), CHILD_HUNG);
}

static void a_late_timeout_is_this_process_that_was_stalled(void **state UNUSED) {
	const struct child_ping ping = pinging();
	assert_false(child_ping_is_late(&ping, 10000 + EVERY_MS + CHILD_PING_LATE_MS));
	assert_true(child_ping_is_late(&ping, 10000 + EVERY_MS + CHILD_PING_LATE_MS + 1));
	assert_int_equal(child_ping_due_ms(&ping), 10000 + EVERY_MS);
}

static void move(void *argument) {
	const enum child_state *states = argument;
	enum child_state state = states[0];
	child_ping_move(&state, states[1]);
}

static void moves_that_the_diagram_lacks_abort(void **state UNUSED) {
	static enum child_state forbidden[][2] = {{CHILD_ANSWERING, CHILD_ANSWERING},
						  {CHILD_BUSY, CHILD_BUSY},
						  {CHILD_HUNG, CHILD_ANSWERING},
						  {CHILD_HUNG, CHILD_BUSY},
						  {CHILD_HUNG, CHILD_HUNG}};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		assert_dies(move, forbidden[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hangs_after_three_in_a_row),
		cmocka_unit_test(is_busy_while_calls_are_in_progress),
		cmocka_unit_test(a_stopped_one_hangs_whatever_it_was_doing),
		cmocka_unit_test(a_call_whose_caller_left_counts_for_a_minute),
		cmocka_unit_test(one_that_uses_the_processor_has_more_time),
		cmocka_unit_test(a_late_timeout_is_this_process_that_was_stalled),
		cmocka_unit_test(moves_that_the_diagram_lacks_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
