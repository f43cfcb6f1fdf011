/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a real worker: the reasons of errors, and what becomes of calls when the worker's state changes. */
#include <stdlib.h>
#include <string.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "base/reasons.h"
#include "router_world.h"

static int set_up(void **state) {
	struct router_world *world = mem_zalloc(sizeof *world);
	router_world_open(world, &(struct call_observers){{NULL}});
	*state = world;
	return 0;
}

static int tear_down(void **state) {
	router_world_close(*state);
	free(*state);
	return 0;
}

/* A call that verbs led to, each with the same name. */
static enum code call_within(struct router_world *world, const char *verb, const char *caller, size_t depth) {
	struct arena arena = ARENA_INIT(KIB(64));
	struct http_headers headers = {0};
	for (size_t i = 0; i < depth; i++)
		http_headers_add(&headers, &arena, STR("ftl-verb"), str_from(caller));
	router_world_start(world, "echo", verb, &headers, 0);
	enum code status = router_world_wait(world);
	arena_deinit(&arena);
	return status;
}

static bool has_happened(const atomic_uint *happened) {
	return atomic_load(happened) > 0;
}

static void on_countdown(void *owner) {
	atomic_fetch_add((atomic_uint *)owner, 1);
}

static struct countdown *countdown(struct router_world *world, atomic_uint *happened) {
	return countdown_new(&world->loop, 1, on_countdown, happened);
}

static void wait_until(struct router_world *world, const atomic_uint *happened) {
	while (!has_happened(happened))
		router_world_turn(world);
}

/* Turns until the held call is the worker's: it has come by then. */
static void start_held(struct router_world *world) {
	router_world_route(world, "echo", "unknown");
	router_world_start(world, "echo", "echo", NULL, 0);
	for (size_t i = 0; i < 50; i++)
		router_world_turn(world);
	assert_non_null(world->call);
}

/* The control side is paused with a stock that nobody reads; the Runner's port plays the process that takes over. */
static void leave(struct router_world *world, atomic_uint *told, atomic_uint *gone) {
	const int stock[CONTROL_LINK_STOCK] = {-1, -1};
	struct worker_successor successor = {.len = sizeof successor.address,
					     .told = countdown(world, told),
					     .gone = countdown(world, gone)};
	atomic_uint paused = 0;
	assert_int_equal(getsockname(world->listener.fd, (struct sockaddr *)&successor.address, &successor.len), 0);
	worker_pause_control(world->worker, stock, countdown(world, &paused));
	wait_until(world, &paused);
	worker_leave(world->worker, &successor);
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static void errors_of_the_router_have_reasons(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_call(world, "ecko", "echo"), CODE_NOT_FOUND);
	assert_string_equal(world->err.reason, REASON_NO_SUCH_MODULE);
	assert_int_equal(router_world_call(world, "echo", "ecko"), CODE_NOT_FOUND);
	assert_string_equal(world->err.reason, REASON_NO_SUCH_VERB);
	assert_int_equal(call_within(world, "echo", "echo.echo", 1), CODE_FAILED_PRECONDITION);
	assert_string_equal(world->err.reason, REASON_CALL_LOOP);
	assert_int_equal(call_within(world, "echo", "other.verb", 64), CODE_FAILED_PRECONDITION);
	assert_string_equal(world->err.reason, REASON_CALL_TOO_DEEP);
	assert_non_null(strstr(world->err.msg, "other.verb \xE2\x86\x92 \xE2\x80\xA6 \xE2\x86\x92 echo.echo"));
	assert_int_equal(call_within(world, "echo", "other.verb", 63), CODE_OK);
}

static void a_module_that_is_not_alive_says_why_and_a_held_call_as_well(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "stopped");
	assert_int_equal(router_world_call(world, "echo", "echo"), CODE_UNAVAILABLE);
	assert_string_equal(world->err.reason, REASON_STOPPED);
	assert_string_equal(world->err.msg, "nothing of the module echo is alive: it was stopped");
	start_held(world);
	router_world_route(world, "echo", "stopped");
	assert_int_equal(router_world_wait(world), CODE_UNAVAILABLE);
	assert_string_equal(world->err.reason, REASON_STOPPED);
}

static void the_text_of_an_error_keeps_its_outer_blanks(void **state) {
	struct router_world *world = *state;
	router_world_route(world, "echo", "a");
	assert_int_equal(router_world_call(world, "echo", "denies"), CODE_PERMISSION_DENIED);
	assert_string_equal(world->err.msg, " not you ");
}

/* --- DRAINING ----------------------------------------------------------------------------------------------------- */

static void a_draining_worker_takes_calls_within_others_only(void **state) {
	struct router_world *world = *state;
	atomic_uint idle = 0;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "hangs", NULL, 0);
	router_world_wait_hanging(world, 1);
	struct rpc_unary_call *hanging = world->call;
	worker_drain(world->worker, countdown(world, &idle));
	router_world_route(world, "echo", "a"); /* in use once the worker drains */
	assert_int_equal(router_world_call(world, "echo", "echo"), CODE_UNAVAILABLE);
	assert_int_equal(call_within(world, "echo", "other.verb", 1), CODE_OK);
	assert_false(has_happened(&idle));
	world->call = hanging;
	rpc_unary_call_cancel(hanging);
	assert_int_equal(router_world_wait(world), CODE_CANCELLED);
	wait_until(world, &idle);
}

static void a_held_call_ends_with_the_drain(void **state) {
	struct router_world *world = *state;
	atomic_uint idle = 0;
	start_held(world);
	worker_drain(world->worker, countdown(world, &idle));
	assert_int_equal(router_world_wait(world), CODE_UNAVAILABLE);
	assert_string_equal(world->err.reason, REASON_STARTING);
	wait_until(world, &idle);
}

/* --- LEAVING ------------------------------------------------------------------------------------------------------ */

static void a_held_call_is_passed_on_to_the_process_that_takes_over(void **state) {
	struct router_world *world = *state;
	atomic_uint told = 0, gone = 0;
	start_held(world);
	leave(world, &told, &gone);
	assert_int_equal(router_world_wait(world), CODE_OK);
	assert_int_equal(world->runs, 1);
	wait_until(world, &told);
	wait_until(world, &gone);
}

static void a_call_in_progress_finishes_in_a_worker_that_leaves(void **state) {
	struct router_world *world = *state;
	atomic_uint told = 0, gone = 0;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "late", NULL, 0);
	while (world->late_unary == NULL)
		router_world_turn(world);
	leave(world, &told, &gone);
	assert_int_equal(router_world_wait(world), CODE_OK);
	wait_until(world, &gone);
	assert_int_equal(world->runs, 1);
}

static void a_takeover_overtakes_a_drain(void **state) {
	struct router_world *world = *state;
	atomic_uint idle = 0, told = 0, gone = 0;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "hangs", NULL, 0);
	router_world_wait_hanging(world, 1);
	worker_drain(world->worker, countdown(world, &idle));
	leave(world, &told, &gone);
	wait_until(world, &idle); /* nobody waits for it any more */
	wait_until(world, &told);
	assert_false(has_happened(&gone));
	rpc_unary_call_cancel(world->call);
	assert_int_equal(router_world_wait(world), CODE_CANCELLED);
	wait_until(world, &gone);
}

static void a_worker_that_is_stopped_while_it_leaves_reports_all_the_same(void **state) {
	struct router_world *world = *state;
	atomic_uint told = 0, gone = 0;
	router_world_route(world, "echo", "a");
	router_world_start(world, "echo", "hangs", NULL, 0);
	router_world_wait_hanging(world, 1);
	leave(world, &told, &gone);
	wait_until(world, &told);
	assert_false(has_happened(&gone));
	router_world_stop_worker(world);
	wait_until(world, &gone);
	assert_int_equal(router_world_wait(world), CODE_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(errors_of_the_router_have_reasons),
		TEST(a_module_that_is_not_alive_says_why_and_a_held_call_as_well),
		TEST(the_text_of_an_error_keeps_its_outer_blanks),
		TEST(a_draining_worker_takes_calls_within_others_only),
		TEST(a_held_call_ends_with_the_drain),
		TEST(a_held_call_is_passed_on_to_the_process_that_takes_over),
		TEST(a_call_in_progress_finishes_in_a_worker_that_leaves),
		TEST(a_takeover_overtakes_a_drain),
		TEST(a_worker_that_is_stopped_while_it_leaves_reports_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
