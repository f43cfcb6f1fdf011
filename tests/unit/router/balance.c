/* SPDX-License-Identifier: Apache-2.0 */
#include "router/balance.h"

#include "cmocka_test.h"

#include "base/memory.h"

enum { START_MS = 1000000, DRAWS = 2000 };

static struct route_module *make_module(size_t count) {
	struct route_replica *replicas = mem_zalloc(count * sizeof *replicas);
	for (size_t i = 0; i < count; i++)
		replicas[i].outlier = outlier_new(i);
	return route_module_new(STR("echo"), NULL, 0, replicas, count, "");
}

static void eject(const struct route_module *module, size_t at) {
	for (unsigned i = 0; i < OUTLIER_FAILURES_MAX; i++)
		outlier_failed(module->outliers, at, false, START_MS);
	assert_true(outlier_is_ejected(module->outliers.items[at]));
}

/* How often each replica is chosen; tried: the place of the one that refused the call, or -1. */
static void draw(const struct route_module *module, int tried, uint64_t now_ms, unsigned *ret_chosen) {
	uint64_t random = 1;
	memset(ret_chosen, 0, module->replica_count * sizeof *ret_chosen);
	for (unsigned i = 0; i < DRAWS; i++) {
		bool trial = true;
		const struct route_replica *refused = tried < 0 ? NULL : &module->replicas[tried];
		const struct route_replica *chosen =
			balance_pick(module, refused, random_next(&random), now_ms, &trial);
		assert_false(trial);
		ret_chosen[chosen - module->replicas]++;
	}
}

static void replicas_that_are_as_busy_get_as_many_calls(void **state UNUSED) {
	struct route_module *module = make_module(4);
	unsigned chosen[4];
	draw(module, -1, START_MS, chosen);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(chosen[i], DRAWS / 4 * 4 / 5, DRAWS / 4 * 6 / 5);
	route_module_unref(module);
}

static void the_busiest_gets_none(void **state UNUSED) {
	struct route_module *module = make_module(3);
	unsigned chosen[3];
	outlier_enter(module->replicas[1].outlier);
	draw(module, -1, START_MS, chosen);
	assert_int_equal(chosen[1], 0);
	assert_int_equal(chosen[0] + chosen[2], DRAWS);
	outlier_leave(module->replicas[1].outlier);
	route_module_unref(module);
}

static void a_replica_that_refused_the_call_is_avoided_if_there_is_another(void **state UNUSED) {
	struct route_module *module = make_module(2), *alone = make_module(1);
	unsigned chosen[2];
	draw(module, 0, START_MS, chosen);
	assert_int_equal(chosen[0], 0);
	draw(alone, 0, START_MS, chosen);
	assert_int_equal(chosen[0], DRAWS);
	route_module_unref(module);
	route_module_unref(alone);
}

static void an_ejected_one_is_passed_over_until_one_call_tries_it(void **state UNUSED) {
	struct route_module *module = make_module(3);
	unsigned chosen[3];
	eject(module, 2);
	draw(module, -1, START_MS, chosen);
	assert_int_equal(chosen[2], 0);
	assert_true(chosen[0] > 0 && chosen[1] > 0);
	uint64_t random = 1, later_ms = START_MS + 2 * OUTLIER_OUT_FIRST_MS;
	unsigned trials = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		bool trial;
		const struct route_replica *one = balance_pick(module, NULL, random_next(&random), later_ms, &trial);
		assert_int_equal(trial, one == &module->replicas[2]);
		trials += trial;
	}
	assert_int_equal(trials, 1);
	route_module_unref(module);
}

static void the_only_other_one_is_taken_though_it_is_ejected(void **state UNUSED) {
	struct route_module *module = make_module(2);
	unsigned chosen[2];
	eject(module, 1);
	draw(module, 0, START_MS, chosen);
	assert_int_equal(chosen[1], DRAWS);
	route_module_unref(module);
}

static void a_hung_replica_is_ejected_when_the_other_is_chosen(void **state UNUSED) {
	struct route_module *module = make_module(2);
	unsigned chosen[2];
	outlier_answered(module->outliers, 0, false, 1, START_MS);
	outlier_sent(module->outliers.items[1], 0, START_MS);
	outlier_enter(module->outliers.items[1]);
	outlier_answered(module->outliers, 0, false, 1, START_MS + OUTLIER_STUCK_MS);
	draw(module, -1, START_MS + OUTLIER_STUCK_MS, chosen);
	assert_true(outlier_is_ejected(module->outliers.items[1]));
	outlier_leave(module->outliers.items[1]);
	route_module_unref(module);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replicas_that_are_as_busy_get_as_many_calls),
		cmocka_unit_test(the_busiest_gets_none),
		cmocka_unit_test(a_replica_that_refused_the_call_is_avoided_if_there_is_another),
		cmocka_unit_test(an_ejected_one_is_passed_over_until_one_call_tries_it),
		cmocka_unit_test(the_only_other_one_is_taken_though_it_is_ejected),
		cmocka_unit_test(a_hung_replica_is_ejected_when_the_other_is_chosen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
