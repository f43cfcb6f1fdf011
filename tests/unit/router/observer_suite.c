/* SPDX-License-Identifier: Apache-2.0 */
#include "observer_suite.h"

#include <stdlib.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "router_world.h"

static const struct observer_kind *kind;

static int set_up(void **state) {
	struct router_world *world = mem_zalloc(sizeof *world);
	if (kind->reset != NULL)
		kind->reset();
	router_world_open(world, &(struct call_observers){{kind->observer}});
	*state = world;
	return 0;
}

static int tear_down(void **state) {
	router_world_close(*state);
	free(*state);
	return 0;
}

/* The end of a call may be told after its caller has the answer. */
static struct verb_summary read_ended(struct router_world *world, const char *module, const char *verb,
				      uint64_t count) {
	struct verb_summary sum;
	for (;;) {
		kind->read(world, module, verb, &sum);
		if (sum.finished >= count)
			break;
		router_world_turn(world);
	}
	assert_int_equal(sum.finished, count);
	assert_int_equal(sum.begun, count);
	return sum;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void each_call_ends_once_with_the_status_of_its_caller(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(router_world_call(world, "echo", "echo"), CODE_OK);
	assert_int_equal(router_world_call(world, "echo", "denies"), CODE_PERMISSION_DENIED);
	struct verb_summary sum = read_ended(world, "echo", "echo", 3);
	assert_int_equal(sum.ended[CODE_OK], 3);
	assert_int_equal(sum.failed, 0);
	sum = read_ended(world, "echo", "denies", 1);
	assert_int_equal(sum.ended[CODE_PERMISSION_DENIED], 1);
}

static void an_error_of_the_verb_is_told(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_call(world, "echo", "fails"), CODE_OK);
	struct verb_summary sum = read_ended(world, "echo", "fails", 1);
	assert_int_equal(sum.ended[CODE_OK], 1);
	assert_int_equal(sum.failed, 1);
}

static void the_duration_is_that_of_the_call(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_call(world, "echo", "late"), CODE_OK);
	struct verb_summary sum = read_ended(world, "echo", "late", 1);
	/* The loop's clock may be a millisecond ahead. */
	assert_in_range(sum.max_us, (LATE_MS - 1) * 1000, 10 * 1000 * 1000);
	assert_int_equal(sum.sum_us, sum.max_us);
}

static void a_call_that_its_caller_gives_up_has_ended(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "hangs", NULL, 0);
	router_world_wait_hanging(world, 1);
	struct verb_summary sum;
	kind->read(world, "echo", "hangs", &sum);
	assert_int_equal(sum.begun, 1);
	assert_int_equal(sum.finished, 0);
	rpc_unary_call_cancel(world->call);
	assert_int_equal(router_world_wait(world), CODE_CANCELLED);
	sum = read_ended(world, "echo", "hangs", 1);
	assert_int_equal(sum.ended[CODE_CANCELLED], 1);
}

static void a_call_of_no_known_verb_is_not_told_of(void **state) {
	struct router_world *world = *state;
	struct verb_summary sum;
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_call(world, "nobody", "echo"), CODE_NOT_FOUND);
	assert_int_equal(router_world_call(world, "echo", "nothing"), CODE_NOT_FOUND);
	assert_int_equal(router_world_call(world, "echo", "echo"), CODE_OK);
	read_ended(world, "echo", "echo", 1);
	kind->read(world, "echo", "nothing", &sum);
	assert_int_equal(sum.begun, 0);
	kind->read(world, "nobody", "echo", &sum);
	assert_int_equal(sum.begun, 0);
}

static void a_call_that_the_router_refuses_counts(void **state) {
	struct router_world *world = *state;
	struct arena arena = ARENA_INIT(KIB(4));
	struct http_headers headers = {0};
	router_world_route(world, "echo", "a");
	http_headers_add(&headers, &arena, STR("ftl-verb"), STR("echo.echo"));
	router_world_start(world, "echo", "echo", &headers, 0);
	assert_int_equal(router_world_wait(world), CODE_FAILED_PRECONDITION);
	struct verb_summary sum = read_ended(world, "echo", "echo", 1);
	assert_int_equal(sum.ended[CODE_FAILED_PRECONDITION], 1);
	assert_int_equal(world->runs, 0);
	arena_deinit(&arena);
}

static void a_call_that_is_sent_twice_counts_once(void **state) {
	struct router_world *world = *state;
	enum { CALLS = 30 };
	router_world_route(world, "echo", "sa");
	for (size_t i = 0; i < CALLS; i++)
		assert_int_equal(router_world_call(world, "echo", "echo"), CODE_OK);
	struct verb_summary sum = read_ended(world, "echo", "echo", CALLS);
	assert_int_equal(sum.ended[CODE_OK], CALLS);
	assert_int_equal(world->runs, CALLS);
}

static void a_held_call_counts_when_its_verb_becomes_known(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "unknown");
	router_world_start(world, "echo", "echo", NULL, 0);
	for (size_t i = 0; i < 20; i++)
		router_world_turn(world);
	assert_non_null(world->call);
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_wait(world), CODE_OK);
	read_ended(world, "echo", "echo", 1);
}

static void a_held_call_whose_deadline_passes_has_ended(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "");
	router_world_start(world, "echo", "echo", NULL, 100);
	assert_int_equal(router_world_wait(world), CODE_DEADLINE_EXCEEDED);
	struct verb_summary sum = read_ended(world, "echo", "echo", 1);
	assert_int_equal(sum.ended[CODE_DEADLINE_EXCEEDED] + sum.ended[CODE_CANCELLED], 1);
	assert_int_equal(world->runs, 0);
}

static void calls_that_are_cut_off_with_the_worker_have_ended(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "hangs", NULL, 0);
	router_world_wait_hanging(world, 1);
	router_world_stop_worker(world);
	read_ended(world, "echo", "hangs", 1);
	assert_int_equal(router_world_wait(world), CODE_UNAVAILABLE);
}

int observer_suite_run(const struct observer_kind *tested) {
	kind = tested;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_call_ends_once_with_the_status_of_its_caller, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_error_of_the_verb_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_duration_is_that_of_the_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_call_that_its_caller_gives_up_has_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_call_of_no_known_verb_is_not_told_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_call_that_the_router_refuses_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_call_that_is_sent_twice_counts_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_held_call_counts_when_its_verb_becomes_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_held_call_whose_deadline_passes_has_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_that_are_cut_off_with_the_worker_have_ended, set_up, tear_down),
	};
	return cmocka_run_group_tests_name(tested->name, tests, NULL, NULL);
}
