/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Backplane finds when it starts: loaded deployments, and Runners of the Backplane before.
 */
#include "stage.h"

#include <stdio.h>

/* The Backplane before had no time to tell it. */
static void a_runner_found_draining_is_told_to_end_when_it_registers(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_found_draining(&stage->control, "rnr-a", 20000);
	control_begin(&stage->control, stage->now_ms);
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	expect("accept 1\nterminate all at unix:/a\n");
	control_runner_exited(&stage->control, "rnr-a", &(struct cause){.why = "exited"});
	assert_int_equal(stage->control.books.runners.len, 0);
}

/* The Backplane before left the deployment dpl-1 of echo LIVE. */
static void load_live(void) {
	const struct deployment_record record = {.key = "dpl-1",
						 .module = "echo",
						 .language = "c",
						 .schema = STR(""),
						 .detail = "",
						 .state = DEPLOYMENT_LIVE};
	control_load(&stage->control, &record, &(struct module_record){.replicas = 1}, true);
}

/* A deployment must not end because its Runner reported it too early. */
static void a_report_before_the_pong_is_to_be_sent_again(void **state UNUSED) {
	const struct deployed alive = {.runner_key = "rnr-a", .deployment_key = "dpl-1", .end.why = ""};
	struct error err;
	load_live();
	control_found(&stage->control, "rnr-a");
	control_begin(&stage->control, stage->now_ms);
	assert_int_equal(control_deployed(&stage->control, &alive, &err), -1);
	assert_int_equal(err.code, CODE_UNAVAILABLE);
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	assert_int_equal(control_deployed(&stage->control, &alive, &err), -1);
	assert_int_equal(err.code, CODE_UNAVAILABLE);
	pinged("rnr-a", NULL);
	assert_int_equal(control_deployed(&stage->control, &alive, &err), 0);
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 1);
}

/* An order of an earlier Backplane may take effect after the listing: the Runner may register first. */
static void a_runner_that_is_found_late_is_managed(void **state UNUSED) {
	register_runner(1, "unix:/a", "rnr-a", "");
	pinged("rnr-a", NULL);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("rnr-a"));
	assert_false(runner->managed);
	control_found(&stage->control, "rnr-a");
	assert_int_equal(stage->control.books.runners.len, 1);
	assert_true(runner->managed);
}

static void a_runner_that_is_found_while_the_backplane_stops_is_ended(void **state UNUSED) {
	control_shut_down(&stage->control);
	forget_log();
	control_found(&stage->control, "rnr-a");
	assert_int_equal(stage->control.books.runners.len, 0);
	expect("destroy\n");
}

static bool is_managed(const char *key) {
	const struct runner *runner = map_get(&stage->control.books.runners, str_from(key));
	assert_non_null(runner);
	return runner->managed;
}

/* A Runner that was given up may register before the Platform has ended it. */
static void a_runner_is_the_platforms_until_its_end_is_told(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_begin(&stage->control, stage->now_ms);
	pass(control_config_default.silence_ms);
	assert_int_equal(stage->control.books.runners.len, 0);
	assert_true(control_is_of_platform(&stage->control, STR("rnr-a")));
	register_runner(1, "unix:/a", "rnr-a", "");
	assert_true(is_managed("rnr-a"));
	control_runner_exited(&stage->control, "rnr-a", &(struct cause){.why = "exited"});
	assert_false(control_is_of_platform(&stage->control, STR("rnr-a")));
	register_runner(2, "unix:/a", "rnr-a", "");
	assert_false(is_managed("rnr-a"));
}

static void adopts_runners_after_a_restart(void **state UNUSED) {
	load_live();
	control_tick(&stage->control);
	expect("route echo to 0\n"); /* and no create: the old Runner may still come back */
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b");
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	pinged("rnr-a", NULL);
	expect("ping unix:/a\naccept 1\nroute echo to 1\n");
	/* A second replica is surplus. It ends once no older routes can lead to it. */
	register_runner(2, "unix:/b", "rnr-b", "dpl-1");
	pinged("rnr-b", NULL);
	expect("ping unix:/b\naccept 2\n");
	publish();
	expect("terminate all at unix:/b\n");
}

static void a_found_runner_that_does_not_register_is_destroyed(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b");
	pass(1);
	expect("");
	register_runner(1, "unix:/a", "rnr-a", "");
	pinged("rnr-a", NULL);
	expect("ping unix:/a\naccept 1\n");
	pass(control_config_default.silence_ms);
	assert_non_null(strstr(log_text(), "destroy\n"));
	assert_int_equal(stage->control.books.runners.len, 1);
}

static void the_limits_of_found_runners_start_with_control_begin(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b");
	control_found_draining(&stage->control, "rnr-b", 1000);
	stage->now_ms += 20000;
	control_begin(&stage->control, stage->now_ms);
	pass(999);
	assert_int_equal(stage->control.books.runners.len, 2);
	pass(1);
	assert_int_equal(stage->control.books.runners.len, 1);
	pass(control_config_default.silence_ms - 1001);
	assert_int_equal(stage->control.books.runners.len, 1);
	pass(1);
	assert_int_equal(stage->control.books.runners.len, 0);
}

static void destroys_found_runners_when_it_stops(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_shut_down(&stage->control);
	expect("destroy\nall gone\n");
}

static void replaces_replicas_that_did_not_come_back(void **state UNUSED) {
	load_live();
	control_tick(&stage->control);
	forget_log();
	pass(control_config_default.adopt_timeout_ms);
	expect("create c\n");
}

static void waits_for_a_found_runner_beyond_the_adoption_time(void **state UNUSED) {
	load_live();
	control_found(&stage->control, "rnr-a");
	control_tick(&stage->control);
	forget_log();
	pass(control_config_default.adopt_timeout_ms + 1);
	expect("");
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	pass(1000);
	expect("ping unix:/a\n");
	pinged("rnr-a", NULL);
	expect("accept 1\nroute echo to 1\n");
}

static void does_not_wait_for_found_runners_after_a_failure(void **state UNUSED) {
	load_live();
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b"); /* hangs */
	control_tick(&stage->control);
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	pinged("rnr-a", NULL);
	pass(control_config_default.adopt_timeout_ms + 1);
	report("rnr-a", "dpl-1", "was killed");
	pass(101);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("rnr-a"));
	assert_int_equal(runner->state, RUNNER_DEPLOYING);
}

static void stops_waiting_when_the_found_runner_is_gone(void **state UNUSED) {
	load_live();
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b");
	control_tick(&stage->control);
	forget_log();
	register_runner(1, "unix:/a", "rnr-a", "");
	pinged("rnr-a", NULL);
	pass(control_config_default.adopt_timeout_ms);
	expect("ping unix:/a\naccept 1\nping unix:/a\n"); /* and no more: rnr-b may host it */
	control_runner_exited(&stage->control, "rnr-b", &(struct cause){.why = "exited"});
	expect("destroy\ndeploy dpl-1 to unix:/a\n");
}

static void adopts_a_replica_that_comes_alive_after_a_restart(void **state UNUSED) {
	const struct deployment_record record = {.key = "dpl-1",
						 .module = "echo",
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	control_load(&stage->control, &record, &(struct module_record){.replicas = 1}, false);
	control_tick(&stage->control);
	bring_runner(1, "one"); /* it fetches dpl-1 still, by order of the Backplane before */
	forget_log();
	report("one", "dpl-1", "");
	assert_non_null(strstr(log_text(), "save dpl-1 live / dpl-1\n"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		LOADING_TEST(a_runner_found_draining_is_told_to_end_when_it_registers),
		LOADING_TEST(a_report_before_the_pong_is_to_be_sent_again),
		STAGE_TEST(a_runner_that_is_found_late_is_managed),
		STAGE_TEST(a_runner_that_is_found_while_the_backplane_stops_is_ended),
		LOADING_TEST(a_runner_is_the_platforms_until_its_end_is_told),
		STAGE_TEST(adopts_runners_after_a_restart),
		STAGE_TEST(a_found_runner_that_does_not_register_is_destroyed),
		LOADING_TEST(the_limits_of_found_runners_start_with_control_begin),
		STAGE_TEST(destroys_found_runners_when_it_stops),
		STAGE_TEST(replaces_replicas_that_did_not_come_back),
		STAGE_TEST(waits_for_a_found_runner_beyond_the_adoption_time),
		STAGE_TEST(does_not_wait_for_found_runners_after_a_failure),
		STAGE_TEST(stops_waiting_when_the_found_runner_is_gone),
		STAGE_TEST(adopts_a_replica_that_comes_alive_after_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
