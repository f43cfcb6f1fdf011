/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deployments: coming up, failing, replacing, scaling.
 */
#include "stage.h"

#include <stdio.h>

static void brings_a_deployment_up(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	expect("dpl-1: created\nsave dpl-1 starting / -\ncreate c\nroute echo to -1\n");
	register_runner(1, "unix:/a", stage->last_created, "");
	expect("ping unix:/a\n");
	pinged(stage->last_created, NULL);
	expect("accept 1\ndeploy dpl-1 to unix:/a\n");
	report(stage->last_created, "dpl-1", "");
	assert_non_null(strstr(log_text(), "save dpl-1 live / dpl-1\nroute echo to 1\n"));
	forget_log();
	publish();
	expect("dpl-1: live\n");
}

static void the_active_deployment_keeps_its_calls_until_the_next_one_is_up(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	forget_log();
	deploy("dpl-2", "echo", 0);
	expect("dpl-2: created\nsave dpl-2 starting / dpl-1\ndeploy dpl-2 to unix:/two\nroute echo to 1\n");
	report("two", "dpl-2", "");
	const char *log = log_text();
	assert_non_null(strstr(log, "save dpl-2 live / dpl-2\n"));
	assert_non_null(strstr(log, "save dpl-1 draining / -\n"));
	/* The old Runner is told to end only when no worker routes to it. */
	assert_null(strstr(log, "terminate"));
	forget_log();
	publish();
	expect("dpl-2: live\nterminate dpl-1 at unix:/one\n");
	report("one", "dpl-1", "terminated");
	expect("dpl-1: stopped\nsave dpl-1 stopped / -\n");
	assert_null(control_deployment(&stage->control, STR("dpl-1")));
}

static void a_deployment_that_fails_leaves_the_active_one(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	deploy("dpl-2", "echo", 0);
	forget_log();
	report("two", "dpl-2", "exited with status 3");
	expect("dpl-2: exited with status 3\nsave dpl-2 failed / dpl-1\nroute echo to 1\n");
	assert_string_equal(control_module(&stage->control, STR("echo"))->active->key, "dpl-1");
}

/* Every replica says why it failed before the deployment fails. */
static void a_failing_deployment_waits_for_its_other_replicas(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	bring_runner(3, "six");
	deploy("dpl-1", "echo", 3);
	forget_log();
	buf_clear(&stage->told);
	report("one", "dpl-1", "exited with status 3");
	report("two", "dpl-1", "");
	forget_log();
	pass(999);
	expect("");
	report("six", "dpl-1", "exited with status 4");
	assert_non_null(strstr(
		log_text(),
		"dpl-1: 2 of 3 replicas did not come up; the first said: exited with status 3\nsave dpl-1 failed / -\n"));
	struct str told = buf_view(&stage->told);
	assert_non_null(memmem(told.ptr, told.len, STR("38 one dpl-1: exited with status 3\n").ptr, 35));
	assert_non_null(memmem(told.ptr, told.len, STR("38 six dpl-1: exited with status 4\n").ptr, 35));
}

static void a_failing_deployment_waits_one_second(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 2);
	forget_log();
	report("one", "dpl-1", "exited with status 3");
	pass(999);
	expect("");
	pass(1);
	assert_non_null(
		strstr(log_text(), "dpl-1: 1 of 2 replicas did not come up; the first said: exited with status 3\n"));
	/* A later report changes nothing, and the next deployment has no failures. */
	report("two", "dpl-1", "exited with status 4");
	forget_log();
	deploy("dpl-2", "echo", 1);
	report("one", "dpl-2", "exited with status 5");
	assert_non_null(strstr(log_text(), "dpl-2: exited with status 5\n"));
}

static void a_deployment_that_is_wanted_again_has_no_failures(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 2);
	report("one", "dpl-1", "exited with status 3");
	deploy("dpl-2", "echo", 2);
	forget_log();
	deploy("dpl-1", "echo", 2);
	pass(2000);
	assert_null(strstr(log_text(), "did not come up"));
}

/* The event may come before the tick that makes the retry. */
static void an_overdue_retry_is_made_by_any_event(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	report("one", "dpl-1", "was killed");
	forget_log();
	stage->now_ms += 5000;
	control_advance(&stage->control, stage->now_ms);
	pinged("one", NULL);
	expect("deploy dpl-1 to unix:/one\n");
}

static void a_lost_runner_ends_the_wait_for_other_replicas(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 2);
	forget_log();
	report("one", "dpl-1", "exited with status 3");
	control_runner_exited(&stage->control, "two", &(struct cause){.why = "exited"});
	assert_non_null(
		strstr(log_text(), "dpl-1: 1 of 2 replicas did not come up; the first said: exited with status 3\n"));
}

static void the_delay_before_a_replacement_grows(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	forget_log();
	report("one", "dpl-1", "was killed");
	expect("dpl-1: was killed; trying again in 100 ms\nroute echo to 0\n");
	pass(99);
	expect("");
	pass(1);
	expect("deploy dpl-1 to unix:/one\n");
	report("one", "dpl-1", "was killed");
	assert_non_null(strstr(log_text(), "trying again in 200 ms"));
}

static void fails_when_no_runner_can_be_had(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	for (int attempt = 0; attempt < 3; attempt++) {
		control_runner_exited(&stage->control, stage->last_created,
				      &(struct cause){.why = "exited with status 1"});
		pass(1000);
	}
	const char *log = log_text();
	assert_non_null(strstr(log, "no Runner for the language c could be had: exited with status 1\n"));
	assert_non_null(strstr(log, "save dpl-1 failed / -\n"));
	char problem[256];
	control_module_problem(&stage->control, control_module(&stage->control, STR("echo")), problem, sizeof problem);
	assert_non_null(strstr(problem, "dpl-1 failed: no Runner"));
}

static const char *created_key(void) {
	const char *key = "none";
	LIST_FOREACH(link, &stage->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		key = runner->state == RUNNER_CREATING ? runner->key : key;
	}
	return key;
}

static void lose_created(unsigned count) {
	for (unsigned i = 0; i < count; i++) {
		control_runner_exited(&stage->control, created_key(), &(struct cause){.why = "exited"});
		pass(1000);
	}
}

static bool has_failed(const char *key) {
	char line[64];
	snprintf(line, sizeof line, "save %s failed", key);
	return strstr(log_text(), line) != NULL;
}

/* Runners that an earlier Backplane left may be broken for reasons of their own. */
static void runners_that_were_left_do_not_count_against_a_deployment(void **state UNUSED) {
	struct error err;
	char key[KEY_MAX];
	deploy("dpl-1", "echo", 1);
	error_set(&err, CODE_UNAVAILABLE, "the socket is gone");
	for (uint64_t i = 0; i < 5; i++) {
		snprintf(key, sizeof key, "rnr-left-%u", (unsigned)i);
		control_found(&stage->control, key);
		register_runner(i + 1, key, key, "");
		pinged(key, &err);
	}
	lose_created(2);
	assert_false(has_failed("dpl-1"));
	lose_created(1);
	assert_true(has_failed("dpl-1"));
}

static void a_deployment_has_attempts_of_its_own(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	lose_created(2);
	deploy("dpl-2", "time", 1);
	pass(1000);
	lose_created(1);
	assert_true(has_failed("dpl-1"));
	assert_false(has_failed("dpl-2"));
	pass(1000);
	lose_created(1); /* asked for before dpl-2 was there */
	assert_false(has_failed("dpl-2"));
	lose_created(2);
	assert_true(has_failed("dpl-2"));
}

static void a_killed_deployment_can_be_deployed_again(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	forget_log();
	char key[KEY_MAX];
	control_kill(&stage->control, STR("echo"), key);
	assert_string_equal(key, "dpl-1");
	expect("save - - / -\ndpl-1: killed\nsave dpl-1 draining / -\nroute echo to -1\n");
	publish();
	expect("terminate dpl-1 at unix:/one\n");
	report("one", "dpl-1", "terminated");
	forget_log();
	deploy("dpl-1", "echo", 0);
	expect("dpl-1: created\nsave dpl-1 starting / -\ndeploy dpl-1 to unix:/one\nroute echo to -1\n");
}

/* Modules that are as wanted cost nothing after an event, however many there are. */
static void only_unreconciled_modules_are_looked_at(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	deploy("dpl-2", "time", 1);
	report("one", "dpl-1", "");
	publish();
	pass(0);
	const struct module *module =
		LIST_ENTRY(stage->control.marks.unreconciled.next, struct module, in_unreconciled);
	assert_string_equal(module->name, "time");
	assert_ptr_equal(stage->control.marks.unreconciled.next, stage->control.marks.unreconciled.prev);
	report("one", "dpl-1", "exited");
	pass(0);
	assert_ptr_not_equal(stage->control.marks.unreconciled.next, stage->control.marks.unreconciled.prev);
}

/* A replica dies while the routes that lead to it are being published. */
static void is_live_when_all_replicas_are_routed(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	forget_log();
	report("one", "dpl-1", "exited");
	publish();
	assert_null(strstr(log_text(), ": live"));
	pass(100);
	report("one", "dpl-1", "");
	assert_null(strstr(log_text(), ": live"));
	publish();
	assert_non_null(strstr(log_text(), "dpl-1: live\n"));
	/* With more replicas LIVE is told again when they are routed; with fewer there is nothing to wait for. */
	struct error err;
	assert_int_equal(control_scale(&stage->control, STR("echo"), 2, &err), 0);
	publish();
	forget_log();
	bring_runner(2, "two");
	report("two", "dpl-1", "");
	assert_null(strstr(log_text(), ": live"));
	publish();
	assert_non_null(strstr(log_text(), "dpl-1: live\n"));
	assert_int_equal(control_scale(&stage->control, STR("echo"), 1, &err), 0);
	assert_int_equal(control_module(&stage->control, STR("echo"))->active->phase, PHASE_LIVE);
}

static void stable_time_resets_the_failures(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	for (int i = 0; i < 3; i++) {
		report("one", "dpl-1", "");
		publish();
		pass(control_config_default.stable_ms);
		forget_log();
		report("one", "dpl-1", "was killed");
		assert_non_null(strstr(log_text(), "trying again in 100 ms"));
		pass(100);
	}
}

static void a_fault_of_a_runner_is_not_blamed_on_its_deployment(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	forget_log();
	report_attempt("one", "dpl-1", attempt_of("one"), "could not fetch", true);
	expect("dpl-1: could not fetch; trying again in 100 ms\n");
	struct error err;
	error_set(&err, CODE_FAILED_PRECONDITION, "this Runner hosts dpl-7 already");
	for (int i = 0; i < 5; i++) {
		pass(1000);
		char key[16];
		snprintf(key, sizeof key, "busy-%d", i);
		bring_runner((uint64_t)i + 2, key);
		const struct runner *runner =
			map_get(&stage->control.books.runners, i == 0 ? STR("one") : str_from(key));
		if (runner == NULL || runner->state != RUNNER_DEPLOYING)
			continue;
		control_deploy_answered(&stage->control, runner->key, runner->serial, runner->attempt, &err);
	}
	assert_non_null(control_module(&stage->control, STR("echo"))->next);
}

/* The number given with a deployment is for that one: if it fails nothing has changed. */
static void replicas_of_the_next_deployment_leave_the_active_one(void **state UNUSED) {
	const struct module *echo;
	struct error err;
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 2);
	report("one", "dpl-1", "");
	report("two", "dpl-1", "");
	publish();
	echo = control_module(&stage->control, STR("echo"));
	bring_runner(3, "three");
	forget_log();
	deploy("dpl-2", "echo", 1);
	assert_null(strstr(log_text(), "terminate"));
	assert_int_equal(deployment_wanted(echo->active), 2);
	assert_int_equal(deployment_wanted(echo->next), 1);
	report("three", "dpl-2", "exited with status 3");
	publish();
	assert_int_equal(echo->replicas, 2);
	assert_int_equal(alive_of("dpl-1"), 2);
	/* Scaling meanwhile is for both. */
	deploy("dpl-3", "echo", 1);
	assert_int_equal(control_scale(&stage->control, STR("echo"), 1, &err), 0);
	assert_int_equal(deployment_wanted(echo->next), 1);
	assert_int_equal(deployment_wanted(echo->active), 1);
	deploy("dpl-4", "echo", 3);
	assert_int_equal(deployment_wanted(echo->next), 3);
	for (unsigned i = 4; i < 7; i++)
		bring_runner(i, (const char *const[]){"four", "five", "six"}[i - 4]);
	LIST_FOREACH(link, &echo->next->runners)
		assert_int_equal(LIST_ENTRY(link, struct runner, in_deployment)->state, RUNNER_DEPLOYING);
	char keys[3][KEY_MAX];
	size_t count = 0;
	LIST_FOREACH(link, &echo->next->runners)
		snprintf(keys[count++], KEY_MAX, "%s", LIST_ENTRY(link, struct runner, in_deployment)->key);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		report(keys[i], "dpl-4", "");
	assert_string_equal(echo->active->key, "dpl-4");
	assert_int_equal(echo->replicas, 3);
}

static void scales_to_zero_and_back(void **state UNUSED) {
	struct error err;
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	forget_log();
	assert_int_equal(control_scale(&stage->control, STR("echo"), 0, &err), 0);
	expect("dpl-1: scaled to 0\nsave - - / dpl-1\nroute echo to 0\n");
	publish();
	expect("terminate dpl-1 at unix:/one\n");
	report("one", "dpl-1", "terminated");
	/* Nothing shows whether the next deployment would come up: it does not take over. */
	deploy("dpl-2", "echo", 0);
	assert_int_equal(control_scale(&stage->control, STR("echo"), 0, &err), 0);
	pass(control_config_default.deploy_timeout_ms);
	assert_string_equal(control_module(&stage->control, STR("echo"))->active->key, "dpl-1");
	assert_string_equal(control_module(&stage->control, STR("echo"))->next->key, "dpl-2");
	assert_int_equal(control_scale(&stage->control, STR("ecco"), 1, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	char key[KEY_MAX];
	control_kill(&stage->control, STR("echo"), key);
	assert_int_equal(control_scale(&stage->control, STR("echo"), 1, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
}

static void events_tell_when_the_next_attempt_is(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	expect_told("10 rnr-c-0000000000001 -: asked of the Platform\n");
	pass(control_config_default.create_timeout_ms);
	expect_told("18 rnr-c-0000000000001 -: did not register within 10000 ms\n");
	assert_int_equal(stage->retry_in_ms, 100);
	pass(100);
	bring_runner(1, stage->last_created);
	report(stage->last_created, "dpl-1", "");
	report(stage->last_created, "dpl-1", "was killed");
	assert_int_equal(stage->retry_in_ms, 100);
}

/* Servers speak no command line: the reason lets each interface add a hint of its own. */
static void expect_problem(const char *reason, const char *text) {
	char told[256];
	const struct module *module = control_module(&stage->control, STR("echo"));
	assert_string_equal(control_module_problem(&stage->control, module, told, sizeof told), reason);
	assert_string_equal(told, text);
}

static void callers_are_told_why_nothing_is_alive(void **state UNUSED) {
	char key[KEY_MAX];
	deploy("dpl-1", "echo", 1);
	expect_problem("STARTING", "dpl-1 is starting");
	control_runner_exited(&stage->control, stage->last_created, &(struct cause){.why = "exited with status 1"});
	expect_problem("NO_RUNNER", "dpl-1 waits for a Runner for c: exited with status 1");
	bring_runner(1, "one");
	report("one", "dpl-1", "");
	publish();
	report("one", "dpl-1", "was killed");
	expect_problem("BACKING_OFF", "dpl-1 failed 1 times in a row, and is tried again in 1 s: was killed");
	pass(100);
	expect_problem("STARTING", "dpl-1 is starting again: was killed");
	assert_int_equal(control_scale(&stage->control, STR("echo"), 0, NULL), 0);
	expect_problem("SCALED_TO_ZERO", "it is scaled to 0");
	control_kill(&stage->control, STR("echo"), key);
	expect_problem("STOPPED", "it was stopped");
	struct error err;
	assert_int_equal(control_scale(&stage->control, STR("echo"), 1, &err), -1);
	assert_string_equal(err.reason, "STOPPED");
}

static void replicas_that_fail_again_and_again_are_a_problem(void **state UNUSED) {
	char text[256];
	const struct control *control = &stage->control;
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	const struct module *module = control_module(control, STR("echo"));
	assert_false(control_module_is_unstable(control, module, text, sizeof text));
	report("one", "dpl-1", "exited with status 3");
	/* A problem of another kind: nothing is alive. */
	assert_false(control_module_is_unstable(control, module, text, sizeof text));
	pass(100);
	report("one", "dpl-1", "");
	publish();
	assert_true(control_module_is_unstable(control, module, text, sizeof text));
	assert_string_equal(text,
			    "echo has all 1 replicas alive, but one was started again just now: dpl-1 failed 1 time "
			    "in a row: exited with status 3");
	pass(control_config_default.stable_ms);
	assert_false(control_module_is_unstable(control, module, text, sizeof text));
}

static void a_deployment_that_comes_up_badly_is_a_problem(void **state UNUSED) {
	char text[256];
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	const struct module *module = control_module(&stage->control, STR("echo"));
	assert_false(control_module_comes_up_badly(module, text, sizeof text));
	control_runner_exited(&stage->control, "one", &(struct cause){.why = "was killed"});
	assert_true(control_module_comes_up_badly(module, text, sizeof text));
	assert_string_equal(text,
			    "echo: dpl-1 is being brought up, and failed 1 time in a row: the Runner one was killed");
}

static void callers_are_told_why_a_deployment_failed(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "exited with status 3");
	expect_problem("FAILED", "dpl-1 failed: exited with status 3");
	struct error err;
	assert_int_equal(control_scale(&stage->control, STR("echo"), 1, &err), -1);
	assert_string_equal(err.reason, "FAILED");
	assert_int_equal(control_scale(&stage->control, STR("ecco"), 1, &err), -1);
	assert_string_equal(err.reason, "NO_SUCH_MODULE");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		STAGE_TEST(brings_a_deployment_up),
		STAGE_TEST(the_active_deployment_keeps_its_calls_until_the_next_one_is_up),
		STAGE_TEST(a_deployment_that_fails_leaves_the_active_one),
		STAGE_TEST(a_failing_deployment_waits_for_its_other_replicas),
		STAGE_TEST(a_failing_deployment_waits_one_second),
		STAGE_TEST(a_deployment_that_is_wanted_again_has_no_failures),
		STAGE_TEST(an_overdue_retry_is_made_by_any_event),
		STAGE_TEST(a_lost_runner_ends_the_wait_for_other_replicas),
		STAGE_TEST(the_delay_before_a_replacement_grows),
		STAGE_TEST(fails_when_no_runner_can_be_had),
		STAGE_TEST(runners_that_were_left_do_not_count_against_a_deployment),
		STAGE_TEST(a_deployment_has_attempts_of_its_own),
		STAGE_TEST(a_killed_deployment_can_be_deployed_again),
		STAGE_TEST(only_unreconciled_modules_are_looked_at),
		STAGE_TEST(is_live_when_all_replicas_are_routed),
		STAGE_TEST(stable_time_resets_the_failures),
		STAGE_TEST(a_fault_of_a_runner_is_not_blamed_on_its_deployment),
		STAGE_TEST(replicas_of_the_next_deployment_leave_the_active_one),
		STAGE_TEST(scales_to_zero_and_back),
		STAGE_TEST(events_tell_when_the_next_attempt_is),
		STAGE_TEST(callers_are_told_why_nothing_is_alive),
		STAGE_TEST(callers_are_told_why_a_deployment_failed),
		STAGE_TEST(replicas_that_fail_again_and_again_are_a_problem),
		STAGE_TEST(a_deployment_that_comes_up_badly_is_a_problem),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
