/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include "watcher.h"

static const struct platform_suite *suite;

static void open_with(struct watcher *watcher, const char *program) {
	watcher_open(watcher, suite->driver, suite->options, program);
	watcher_start(watcher);
	WATCHER_WAIT(watcher, watcher->listed);
}

static void reopen(struct watcher *watcher) {
	open_with(watcher, suite->program);
}

static int set_up(void **state) {
	*state = watcher_new();
	return 0;
}

static int set_up_open(void **state) {
	struct watcher *watcher = watcher_new();
	reopen(watcher);
	*state = watcher;
	return 0;
}

static int tear_down(void **state) {
	struct watcher *watcher = *state;
	if (watcher->platform != NULL)
		watcher_close(watcher);
	watcher_run_out(watcher);
	suite->clean_up(watcher->run);
	watcher_free(watcher);
	return 0;
}

static bool runs(const struct watcher *watcher, const char *key) {
	return suite->runs(watcher->run, key);
}

static void create_running(struct watcher *watcher, const char *key) {
	watcher_create(watcher, key, "stays");
	WATCHER_WAIT(watcher, runs(watcher, key));
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void an_empty_platform_lists_nothing(void **state) {
	struct watcher *watcher = *state;
	assert_int_equal(watcher->found_count, 0);
	assert_int_equal(watcher->listing_error.code, CODE_OK);
}

static void a_runner_runs_until_it_is_destroyed(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 0);
	watcher_destroy(watcher, "rnr-a");
	assert_true(strlen(watcher_wait_exit(watcher, "rnr-a")->why) > 0);
	assert_false(runs(watcher, "rnr-a"));
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
}

static void a_runner_that_ends_by_itself_exits_once(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "ends");
	assert_string_equal(watcher_wait_exit(watcher, "rnr-a")->why, "exited with status 7");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
}

static void a_runner_that_dies_exits_once(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	create_running(watcher, "rnr-b");
	suite->end(watcher->run, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
	assert_true(runs(watcher, "rnr-b"));
}

static void a_runner_that_cannot_be_started_exits(void **state) {
	struct watcher *watcher = *state;
	open_with(watcher, suite->broken_program);
	watcher_create(watcher, "rnr-a", "stays");
	assert_non_null(strstr(watcher_wait_exit(watcher, "rnr-a")->why, "could not be started"));
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
	assert_false(runs(watcher, "rnr-a"));
}

static void destroying_is_idempotent(void **state) {
	struct watcher *watcher = *state;
	watcher_destroy(watcher, "rnr-unknown");
	create_running(watcher, "rnr-a");
	watcher_destroy(watcher, "rnr-a");
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	watcher_destroy(watcher, "rnr-a");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
}

static void creating_is_idempotent(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "stays");
	watcher_create(watcher, "rnr-a", "stays");
	WATCHER_WAIT(watcher, runs(watcher, "rnr-a"));
	watcher_create(watcher, "rnr-a", "stays");
	watcher_destroy(watcher, "rnr-a");
	watcher_create(watcher, "rnr-a", "stays"); /* it is still there */
	watcher_wait_exit(watcher, "rnr-a");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
	assert_false(runs(watcher, "rnr-a"));
}

static void a_key_is_free_after_its_end(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "ends");
	watcher_wait_exit(watcher, "rnr-a");
	create_running(watcher, "rnr-a");
	watcher_destroy(watcher, "rnr-a");
	WATCHER_WAIT(watcher, watcher_count_exits(watcher, "rnr-a") == 2);
}

static void a_runner_that_is_destroyed_at_once_exits_once(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "stays");
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 1);
	assert_false(runs(watcher, "rnr-a"));
}

static void closing_leaves_runners_running(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	watcher_close(watcher);
	watcher_pass(watcher, 50);
	assert_true(runs(watcher, "rnr-a"));
}

static void closing_ends_what_is_being_destroyed(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	create_running(watcher, "rnr-b");
	watcher_destroy(watcher, "rnr-a");
	watcher_close(watcher);
	WATCHER_WAIT(watcher, !runs(watcher, "rnr-a"));
	assert_true(runs(watcher, "rnr-b"));
	watcher_run_out(watcher);
	reopen(watcher);
	assert_int_equal(watcher->found_count, 1);
	assert_true(watcher_has_found(watcher, "rnr-b"));
}

static void a_restart_finds_what_runs_and_nothing_else(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	create_running(watcher, "rnr-b");
	create_running(watcher, "rnr-c");
	watcher_close(watcher);
	watcher_run_out(watcher);
	suite->end(watcher->run, "rnr-c");
	WATCHER_WAIT(watcher, !runs(watcher, "rnr-c"));
	reopen(watcher);
	assert_int_equal(watcher->found_count, 2);
	assert_true(watcher_has_found(watcher, "rnr-a"));
	assert_true(watcher_has_found(watcher, "rnr-b"));
	assert_int_equal(watcher->exit_count, 0);
}

static void a_found_runner_behaves_like_a_created_one(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	create_running(watcher, "rnr-b");
	watcher_close(watcher);
	watcher_run_out(watcher);
	reopen(watcher);
	watcher_create(watcher, "rnr-a", "stays");
	watcher_destroy(watcher, "rnr-a");
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	suite->end(watcher->run, "rnr-b");
	watcher_wait_exit(watcher, "rnr-b");
	watcher_pass(watcher, 30);
	assert_int_equal(watcher->exit_count, 2);
}

static void a_platform_may_be_closed_before_it_is_started(void **state) {
	struct watcher *watcher = *state;
	watcher_open(watcher, suite->driver, suite->options, suite->program);
	watcher_close(watcher);
	watcher_pass(watcher, 30);
}

static void a_platform_may_be_closed_while_it_lists(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	watcher_close(watcher);
	watcher_run_out(watcher);
	watcher_open(watcher, suite->driver, suite->options, suite->program);
	watcher_start(watcher);
	watcher_close(watcher);
	watcher_pass(watcher, 50);
	assert_true(runs(watcher, "rnr-a"));
}

static void a_platform_may_be_closed_within_an_event(void **state) {
	struct watcher *watcher = *state;
	create_running(watcher, "rnr-a");
	create_running(watcher, "rnr-b");
	watcher->closes_at_exit = true;
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	assert_null(watcher->platform);
	watcher_pass(watcher, 50);
	assert_true(runs(watcher, "rnr-b"));
}

#define OPEN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_open, tear_down)
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int platform_suite_run(const struct platform_suite *run) {
	const struct CMUnitTest tests[] = {
		OPEN_TEST(an_empty_platform_lists_nothing),
		OPEN_TEST(a_runner_runs_until_it_is_destroyed),
		OPEN_TEST(a_runner_that_ends_by_itself_exits_once),
		OPEN_TEST(a_runner_that_dies_exits_once),
		TEST(a_runner_that_cannot_be_started_exits),
		OPEN_TEST(destroying_is_idempotent),
		OPEN_TEST(creating_is_idempotent),
		OPEN_TEST(a_key_is_free_after_its_end),
		OPEN_TEST(a_runner_that_is_destroyed_at_once_exits_once),
		OPEN_TEST(closing_leaves_runners_running),
		OPEN_TEST(closing_ends_what_is_being_destroyed),
		OPEN_TEST(a_restart_finds_what_runs_and_nothing_else),
		OPEN_TEST(a_found_runner_behaves_like_a_created_one),
		TEST(a_platform_may_be_closed_before_it_is_started),
		OPEN_TEST(a_platform_may_be_closed_while_it_lists),
		OPEN_TEST(a_platform_may_be_closed_within_an_event),
	};
	suite = run;
	return cmocka_run_group_tests_name(run->name, tests, NULL, NULL);
}
