/* SPDX-License-Identifier: Apache-2.0 */
#include "control/wanted.h"

#include "cmocka_test.h"

/* Deploys KEY with so many replicas to a module, and compares what is wanted of it then. */
static void deploy(struct module_record module, const char *key, uint32_t replicas, struct module_record expected) {
	wanted_deploy(&module, key, replicas);
	assert_string_equal(module.active_key, expected.active_key);
	assert_string_equal(module.next_key, expected.next_key);
	assert_int_equal(module.replicas, expected.replicas);
	assert_int_equal(module.next_replicas, expected.next_replicas);
}

#define MODULE(active, next, replicas, next_replicas) \
	((struct module_record){"echo", active, next, replicas, next_replicas})

static void the_first_deployment_is_the_next_one(void **state UNUSED) {
	deploy(MODULE("", "", 1, 0), "a", 0, MODULE("", "a", 1, 0));
	deploy(MODULE("", "", 1, 0), "a", 3, MODULE("", "a", 3, 0));
	deploy(MODULE("", "a", 3, 0), "b", 0, MODULE("", "b", 3, 0));
	deploy(MODULE("", "a", 3, 0), "b", 2, MODULE("", "b", 2, 0));
	deploy(MODULE("", "", 0, 2), "a", 0, MODULE("", "a", 1, 0));
}

static void deploying_the_active_one_takes_back_the_next(void **state UNUSED) {
	deploy(MODULE("a", "b", 4, 2), "a", 7, MODULE("a", "", 7, 0));
	deploy(MODULE("a", "b", 4, 2), "a", 0, MODULE("a", "", 4, 0));
	deploy(MODULE("a", "", 0, 0), "a", 0, MODULE("a", "", 1, 0));
}

static void the_active_one_keeps_its_replicas(void **state UNUSED) {
	deploy(MODULE("a", "", 4, 0), "b", 2, MODULE("a", "b", 4, 2));
	deploy(MODULE("a", "", 4, 0), "b", 0, MODULE("a", "b", 4, 0));
	/* The number that was asked for earlier holds for the same deployment, and not for another one. */
	deploy(MODULE("a", "b", 4, 2), "b", 0, MODULE("a", "b", 4, 2));
	deploy(MODULE("a", "b", 4, 2), "b", 5, MODULE("a", "b", 4, 5));
	deploy(MODULE("a", "b", 4, 2), "c", 0, MODULE("a", "c", 4, 0));
}

static void a_module_that_was_scaled_to_0_gets_a_replica(void **state UNUSED) {
	deploy(MODULE("a", "", 0, 0), "b", 0, MODULE("a", "b", 0, 1));
	deploy(MODULE("a", "b", 0, 3), "b", 0, MODULE("a", "b", 0, 3));
}

static void after_a_crash_states_are_as_the_module_says(void **state UNUSED) {
	const struct module_record module = MODULE("a", "b", 1, 0);
	static const enum deployment_state all[] = {DEPLOYMENT_STARTING, DEPLOYMENT_LIVE, DEPLOYMENT_DRAINING,
						    DEPLOYMENT_STOPPED, DEPLOYMENT_FAILED};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(wanted_state(&module, "a", all[i]), DEPLOYMENT_LIVE);
		assert_int_equal(wanted_state(&module, "b", all[i]), DEPLOYMENT_STARTING);
		assert_int_equal(wanted_state(&module, "c", all[i]),
				 all[i] == DEPLOYMENT_FAILED ? DEPLOYMENT_FAILED : DEPLOYMENT_STOPPED);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_deployment_is_the_next_one),
		cmocka_unit_test(deploying_the_active_one_takes_back_the_next),
		cmocka_unit_test(the_active_one_keeps_its_replicas),
		cmocka_unit_test(a_module_that_was_scaled_to_0_gets_a_replica),
		cmocka_unit_test(after_a_crash_states_are_as_the_module_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
