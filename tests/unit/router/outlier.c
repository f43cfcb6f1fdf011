/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlier.h"

#include <string.h>

#include "cmocka_test.h"

#include "dies.h"

enum { REPLICAS_MAX = 4, START_MS = 1000000 };

static struct outlier *items[REPLICAS_MAX];
static uint64_t now_ms;

static struct outliers make(size_t count) {
	now_ms = START_MS;
	for (size_t i = 0; i < count; i++)
		items[i] = outlier_new(i);
	return (struct outliers){items, count};
}

static void done(struct outliers all) {
	for (size_t i = 0; i < all.count; i++)
		outlier_unref(items[i]);
}

static void failing(struct outliers all, size_t at, unsigned calls) {
	for (unsigned i = 0; i < calls; i++)
		outlier_failed(all, at, false, now_ms);
}

static void answer(struct outliers all, size_t at, unsigned calls, uint64_t took_ms) {
	for (unsigned i = 0; i < calls; i++)
		outlier_answered(all, at, false, took_ms, now_ms);
}

/* Advances the time until a call may try the replica; returns how long that took. */
static uint64_t wait_for_trial(struct outlier *outlier) {
	uint64_t since_ms = now_ms;
	while (!outlier_try(outlier, now_ms)) {
		now_ms += 10;
		assert_true(now_ms - since_ms < 60000);
	}
	return now_ms - since_ms;
}

/* The replica was ejected just now, for the first time. */
static void assert_ejected(const struct outlier *outlier, const char *why) {
	char shown[OUTLIER_TEXT_MAX];
	outlier_text(outlier, now_ms + OUTLIER_OUT_FIRST_MS / 2, shown);
	assert_true(outlier_is_ejected(outlier));
	assert_int_equal(strncmp(shown, "left out for 1 s: ", strlen("left out for 1 s: ")), 0);
	assert_string_equal(shown + strlen("left out for 1 s: "), why);
}

static void assert_text(const struct outlier *outlier, const char *text) {
	char shown[OUTLIER_TEXT_MAX];
	outlier_text(outlier, now_ms, shown);
	assert_string_equal(shown, text);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void five_failures_in_a_row_eject(void **state UNUSED) {
	struct outliers all = make(2);
	failing(all, 0, OUTLIER_FAILURES_MAX - 1);
	answer(all, 0, 1, 1);
	failing(all, 0, OUTLIER_FAILURES_MAX - 1);
	assert_false(outlier_is_ejected(items[0]));
	assert_text(items[0], "");
	failing(all, 0, 1);
	assert_ejected(items[0], "5 calls in a row failed");
	now_ms += 2000;
	assert_text(items[0], "left out until a call has tried it: 5 calls in a row failed");
	done(all);
}

static void at_most_half_of_the_replicas_are_ejected(void **state UNUSED) {
	static const size_t most[] = {0, 0, 1, 1, 2};
	for (size_t count = 1; count <= REPLICAS_MAX; count++) {
		struct outliers all = make(count);
		size_t out = 0;
		for (size_t i = 0; i < count; i++) {
			failing(all, i, 100);
			out += outlier_is_ejected(items[i]);
		}
		assert_int_equal(out, most[count]);
		done(all);
	}
}

static void one_successful_trial_readmits(void **state UNUSED) {
	struct outliers all = make(2);
	failing(all, 0, OUTLIER_FAILURES_MAX);
	assert_false(outlier_try(items[0], now_ms));
	assert_in_range(wait_for_trial(items[0]), OUTLIER_OUT_FIRST_MS * 4 / 5, OUTLIER_OUT_FIRST_MS * 6 / 5 + 10);
	assert_false(outlier_try(items[0], now_ms)); /* a second trial is not allowed */
	assert_true(outlier_is_ejected(items[0]));
	/* A call that began before the ejection does not readmit. */
	answer(all, 0, 1, 1);
	assert_true(outlier_is_ejected(items[0]));
	now_ms += OUTLIER_OUT_FIRST_MS / 2; /* of twice the first time, give or take a fifth */
	assert_text(items[0], "left out for 2 s: 5 calls in a row failed");
	outlier_answered(all, 0, true, 3, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	assert_false(outlier_try(items[0], now_ms));
	done(all);
}

static void ejections_get_longer_up_to_a_limit(void **state UNUSED) {
	struct outliers all = make(2);
	failing(all, 0, OUTLIER_FAILURES_MAX);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t expected = MIN(OUTLIER_OUT_FIRST_MS << i, OUTLIER_OUT_MAX_MS);
		assert_in_range(wait_for_trial(items[0]), expected * 4 / 5, expected * 6 / 5 + 10);
		if (i % 2 == 0) /* a trial that never ends counts as failed, too */
			outlier_failed(all, 0, true, now_ms);
	}
	outlier_answered(all, 0, true, 1, now_ms);
	/* Failures soon after eject for as long as before; after a long good time, for the shortest time. */
	failing(all, 0, OUTLIER_FAILURES_MAX);
	assert_in_range(wait_for_trial(items[0]), OUTLIER_OUT_MAX_MS * 4 / 5, OUTLIER_OUT_MAX_MS * 6 / 5 + 10);
	outlier_answered(all, 0, true, 1, now_ms);
	now_ms += OUTLIER_OUT_MAX_MS + 1;
	failing(all, 0, OUTLIER_FAILURES_MAX);
	assert_in_range(wait_for_trial(items[0]), OUTLIER_OUT_FIRST_MS * 4 / 5, OUTLIER_OUT_FIRST_MS * 6 / 5 + 10);
	done(all);
}

static void a_replica_far_slower_than_the_others_is_ejected(void **state UNUSED) {
	struct outliers all = make(2);
	answer(all, 1, 20, 5);
	answer(all, 0, 3 * OUTLIER_SLOW_MAX, OUTLIER_SLOW_MIN_MS - 1); /* slow, but below the minimum */
	assert_false(outlier_is_ejected(items[0]));
	answer(all, 0, OUTLIER_SLOW_MAX, 400);
	assert_ejected(items[0], "5 calls in a row were far slower than at the others");
	/* A slow trial does not readmit; a fast one does. */
	wait_for_trial(items[0]);
	outlier_answered(all, 0, true, 400, now_ms);
	assert_true(outlier_is_ejected(items[0]));
	assert_in_range(wait_for_trial(items[0]), OUTLIER_OUT_FIRST_MS, 3 * OUTLIER_OUT_FIRST_MS);
	outlier_answered(all, 0, true, 6, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	done(all);
}

static void a_replica_as_slow_as_the_others_is_not_ejected(void **state UNUSED) {
	struct outliers all = make(2);
	for (unsigned i = 0; i < 100; i++) {
		answer(all, 0, 1, 900);
		answer(all, 1, 1, 300);
	}
	assert_false(outlier_is_ejected(items[0]));
	/* The other replica has answered nothing: there is nothing to compare with. */
	done(all);
	all = make(2);
	answer(all, 0, 100, 5000);
	assert_false(outlier_is_ejected(items[0]));
	done(all);
}

static void cancelled_calls_count_when_they_were_slow(void **state UNUSED) {
	struct outliers all = make(2);
	answer(all, 1, 20, 2);
	for (unsigned i = 0; i < 100; i++)
		outlier_given_up(all, 0, false, 20, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	for (unsigned i = 0; i < OUTLIER_SLOW_MAX; i++)
		outlier_given_up(all, 0, false, 1000, now_ms);
	assert_true(outlier_is_ejected(items[0]));
	done(all);
}

static void a_replica_whose_calls_do_not_end_is_ejected(void **state UNUSED) {
	struct outliers all = make(2);
	outlier_sent(items[0], 0, now_ms);
	now_ms += OUTLIER_STUCK_MS;
	outlier_check_progress(all, 0, now_ms); /* no call ended elsewhere either */
	assert_false(outlier_is_ejected(items[0]));
	answer(all, 1, 1, 1);
	outlier_sent(items[0], 1, now_ms); /* another call that is sent there is no progress */
	outlier_check_progress(all, 0, now_ms - 1);
	assert_false(outlier_is_ejected(items[0]));
	outlier_check_progress(all, 0, now_ms);
	assert_ejected(items[0], "calls are under way there, and none has ended for 2 s");
	done(all);
}

static void one_long_call_does_not_eject(void **state UNUSED) {
	struct outliers all = make(2);
	answer(all, 1, 20, 900);
	outlier_sent(items[0], 0, now_ms);
	now_ms += 5000;
	answer(all, 1, 1, 900);
	outlier_check_progress(all, 0, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	done(all);
}

static void a_slow_trial_is_told_as_slow(void **state UNUSED) {
	struct outliers all = make(2);
	answer(all, 1, 20, 5);
	failing(all, 0, OUTLIER_FAILURES_MAX);
	wait_for_trial(items[0]);
	outlier_answered(all, 0, true, 400, now_ms);
	now_ms += 3 * OUTLIER_OUT_FIRST_MS;
	assert_text(items[0],
		    "left out until a call has tried it: 1 calls in a row were far slower than at the others");
	done(all);
}

static void a_late_trial_readmits_and_a_later_one_changes_nothing(void **state UNUSED) {
	struct outliers all = make(2);
	failing(all, 0, OUTLIER_FAILURES_MAX);
	wait_for_trial(items[0]);
	wait_for_trial(items[0]); /* the first trial has not ended: ON_TRIAL again */
	outlier_failed(all, 0, true, now_ms);
	assert_true(outlier_is_ejected(items[0]));
	outlier_answered(all, 0, true, 1, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	outlier_failed(all, 0, true, now_ms); /* of an earlier trial: one failure, no ejection */
	outlier_answered(all, 0, true, 1, now_ms);
	assert_false(outlier_is_ejected(items[0]));
	done(all);
}

static void check(void *states) {
	const enum outlier_state *pair = states;
	outlier_check(pair[0], pair[1]);
}

static void a_transition_that_the_diagram_lacks_aborts(void **state UNUSED) {
	static enum outlier_state missing[][2] = {{OUTLIER_IN, OUTLIER_IN},
						  {OUTLIER_IN, OUTLIER_ON_TRIAL},
						  {OUTLIER_EJECTED, OUTLIER_EJECTED}};
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		assert_dies(check, missing[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_failures_in_a_row_eject),
		cmocka_unit_test(at_most_half_of_the_replicas_are_ejected),
		cmocka_unit_test(one_successful_trial_readmits),
		cmocka_unit_test(ejections_get_longer_up_to_a_limit),
		cmocka_unit_test(a_replica_far_slower_than_the_others_is_ejected),
		cmocka_unit_test(a_replica_as_slow_as_the_others_is_not_ejected),
		cmocka_unit_test(cancelled_calls_count_when_they_were_slow),
		cmocka_unit_test(a_replica_whose_calls_do_not_end_is_ejected),
		cmocka_unit_test(one_long_call_does_not_eject),
		cmocka_unit_test(a_slow_trial_is_told_as_slow),
		cmocka_unit_test(a_late_trial_readmits_and_a_later_one_changes_nothing),
		cmocka_unit_test(a_transition_that_the_diagram_lacks_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
