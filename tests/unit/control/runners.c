/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners: registering, pings, reports, ending.
 */
#include "stage.h"

#include <stdio.h>

static void refuses_a_runner_that_cannot_be_pinged(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "nobody there");
	register_runner(1, "unix:/a", "", "");
	forget_log();
	pinged(LIST_ENTRY(stage->control.books.all_runners.next, struct runner, in_control)->key, &err);
	expect("refuse 1: FailedPrecondition\n");
	assert_int_equal(stage->control.books.runners.len, 0);
}

static void refuses_a_second_runner_with_the_same_endpoint_or_key(void **state UNUSED) {
	bring_runner(1, "one");
	forget_log();
	register_runner(2, "unix:/one", "two", "");
	expect("refuse 2: AlreadyExists\n");
	register_runner(3, "unix:/other", "one", "");
	expect("refuse 3: AlreadyExists\n");
	control_register(&stage->control,
			 &(struct registration){.id = 4, .language = STR(""), .endpoint = STR("unix:/x")});
	expect("refuse 4: InvalidArgument\n");
}

static void ignores_alive_reports_older_than_the_last_end_report(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("one"));
	uint64_t attempt = runner->attempt;
	report_attempt("one", "dpl-1", attempt, "", false);
	report_attempt("one", "dpl-1", attempt, "was killed", false);
	/* If it is alive after all, the Runner is to end it. */
	const struct deployed late = {.runner_key = "one",
				      .deployment_key = "dpl-1",
				      .attempt = attempt,
				      .end.why = ""};
	struct error err;
	assert_int_equal(control_deployed(&stage->control, &late, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	assert_int_equal(runner->state, RUNNER_IDLE);
	assert_int_equal(alive_of("dpl-1"), 0);
}

/* The timeout fired late, so the Backplane was stalled: the ping is sent again, however often that happens. */
static void a_ping_timeout_that_fires_late_is_not_counted(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	bring_runner(1, "one");
	for (int i = 0; i < 3; i++) {
		stage->now_ms += 6000;
		control_advance(&stage->control, stage->now_ms);
		control_tick(&stage->control); /* sends it */
		stage->now_ms += 6000;
		control_advance(&stage->control, stage->now_ms);
		forget_log();
		pinged("one", &err);
		expect("ping unix:/one\n");
	}
	assert_non_null(map_get(&stage->control.books.runners, STR("one")));
}

/* Terminate may reach a Runner before Deploy does. */
static void a_replica_that_comes_alive_after_terminate_is_terminated_again(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	publish();
	deploy("dpl-2", "echo", 1);
	publish();
	assert_non_null(strstr(log_text(), "terminate dpl-1 at unix:/one\n"));
	forget_log();
	report("one", "dpl-1", "");
	expect("terminate dpl-1 at unix:/one\n");
	assert_int_equal(alive_of("dpl-1"), 0);
}

/* A worker with old routes still calls a Runner that hosted the deployment before, and brings it up again now. */
static void ends_no_runner_while_routes_are_being_published(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	report("one", "dpl-1", "was killed");
	pass(100);
	forget_log();
	assert_int_equal(control_scale(&stage->control, STR("echo"), 0, NULL), 0);
	assert_null(strstr(log_text(), "terminate"));
	publish();
	assert_non_null(strstr(log_text(), "terminate dpl-1 at unix:/one\n"));
}

static void another_runner_replaces_a_lost_one(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "nobody there");
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	forget_log();
	control_registration_ended(&stage->control, 1, false);
	expect("ping unix:/one\n");
	pinged("one", &err);
	pass(0);
	expect("ping unix:/one\n");
	pinged("one", &err);
	expect("dpl-1: the Runner one closed its connection; trying again in 100 ms\nroute echo to 0\n");
	pass(100);
	expect("deploy dpl-1 to unix:/two\n");
}

static void a_runner_that_only_lost_its_connection_keeps_its_deployment(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	pass(control_config_default.silence_ms / 3);
	forget_log();
	control_registration_ended(&stage->control, 1, false);
	expect("");
	pinged("one", NULL); /* sent before the stream broke: it says nothing */
	expect("ping unix:/one\n");
	pinged("one", NULL);
	expect("");
	register_runner(2, "unix:/one", "one", "dpl-1");
	expect("accept 2\n");
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 1);
}

/* The Runner registered, then came alive; the report arrives first. */
static void a_report_may_overtake_a_registration(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	bring_runner(1, stage->last_created);
	control_registration_ended(&stage->control, 1, false);
	report(stage->last_created, "dpl-1", "");
	forget_log();
	register_runner(2, "unix:/again", stage->last_created, "");
	assert_non_null(strstr(log_text(), "accept 2\ndeploy dpl-1 to unix:/rnr-"));
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 1);
	/* A Runner whose stream broke while it was ALIVE, and that then says it hosts nothing, is another process. */
	control_registration_ended(&stage->control, 2, false);
	register_runner(3, "unix:/again", stage->last_created, "");
	assert_non_null(strstr(log_text(), "was replaced by another process that registers with its key"));
}

/* The stream broke while the Runner was PROBING; with its second stream the Runner is like any other. */
static void a_new_registration_ends_the_doubt(void **state UNUSED) {
	register_runner(1, "unix:/one", "one", "");
	control_registration_ended(&stage->control, 1, false);
	register_runner(2, "unix:/one", "one", "");
	pinged("one", NULL); /* sent before the stream broke: it says nothing */
	pinged("one", NULL);
	buf_clear(&stage->told);
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	for (unsigned i = 0; i < 2; i++)
		pinged("one", &err);
	expect_told("16 one -: no answer\n17 one -: does not answer pings\n");
}

/* A person restarts it before the Backplane has noticed that the first process died. */
static void a_runner_restarted_under_its_key_is_another_one(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	control_registration_ended(&stage->control, 1, false);
	pinged("one", NULL);
	forget_log();
	register_runner(2, "unix:/one", "one", "");
	assert_non_null(strstr(log_text(), "was replaced by another process that registers with its key"));
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 0);
	pinged("one", NULL);
	forget_log();
	pass(100);
	expect("deploy dpl-1 to unix:/one\n");
}

static void an_order_that_timed_out_is_sent_a_second_time(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("one"));
	forget_log();
	control_deploy_answered(&stage->control, "one", runner->serial, runner->attempt, &err);
	expect("deploy dpl-1 to unix:/one\n");
	control_deploy_answered(&stage->control, "one", runner->serial, runner->attempt, &err);
	assert_int_equal(stage->control.books.runners.len, 0);
}

static void progress_is_told_until_the_runner_registers(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	buf_clear(&stage->told);
	control_runner_progress(&stage->control, "rnr-a", "pulls the image");
	expect_told("10 rnr-a -: pulls the image\n");
	control_runner_progress(&stage->control, "rnr-other", "pulls the image");
	register_runner(1, "unix:/a", "rnr-a", "");
	buf_clear(&stage->told);
	control_runner_progress(&stage->control, "rnr-a", "pulls the image");
	expect_told("");
}

static void gives_up_a_silent_runner(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	bring_runner(1, "one");
	forget_log();
	pass(control_config_default.silence_ms / 3);
	expect("ping unix:/one\n");
	pinged("one", &err);
	pass(100);
	expect("ping unix:/one\n");
	pinged("one", &err);
	assert_int_equal(stage->control.books.runners.len, 0);
}

/* The worst case: the last answer came as late as it may, and the Runner fell silent right after that ping was sent. */
static void gives_up_within_silence_ms(void **state UNUSED) {
	uint64_t third_ms = control_config_default.silence_ms / 3, sent_ms = stage->now_ms;
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	register_runner(1, "unix:/one", "one", "");
	pass(third_ms);
	pinged("one", NULL);
	forget_log();
	for (unsigned i = 0; i < 2; i++) {
		pass(0);
		expect("ping unix:/one\n");
		pass(third_ms);
		assert_int_equal(stage->control.books.runners.len, 1);
		pinged("one", &err);
	}
	assert_int_equal(stage->control.books.runners.len, 0);
	assert_int_equal(stage->now_ms - sent_ms, control_config_default.silence_ms);
	assert_true(control_config_default.silence_ms < 5000);
}

static void one_answer_resets_the_missed_pings(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	bring_runner(1, "one");
	for (unsigned i = 0; i < 3; i++) {
		pass(control_config_default.silence_ms / 3);
		pinged("one", &err);
		pass(100);
		pinged("one", NULL);
	}
	assert_int_equal(stage->control.books.runners.len, 1);
}

static void ends_managed_runners_when_it_stops(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	register_runner(1, "unix:/a", stage->last_created, "");
	pinged(stage->last_created, NULL);
	report(stage->last_created, "dpl-1", "");
	publish();
	bring_runner(2, "by-hand");
	forget_log();
	control_shut_down(&stage->control);
	expect("route echo to 0\n");
	publish();
	expect("terminate all at unix:/a\n");
	control_runner_exited(&stage->control, stage->last_created, &(struct cause){.why = "exited with status 0"});
	assert_non_null(strstr(log_text(), "all gone\n"));
	assert_int_equal(stage->control.books.runners.len, 1);
}

/* The program dies while the routes without it are being published. */
static void ends_a_runner_whose_program_died_before_terminate(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	register_runner(1, "unix:/a", stage->last_created, "");
	pinged(stage->last_created, NULL);
	report(stage->last_created, "dpl-1", "");
	publish();
	control_shut_down(&stage->control);
	forget_log();
	report(stage->last_created, "dpl-1", "was killed by SIGKILL");
	expect("terminate all at unix:/a\n");
	publish();
	expect("");
	control_runner_exited(&stage->control, stage->last_created, &(struct cause){.why = "exited with status 0"});
	assert_non_null(strstr(log_text(), "all gone\n"));
}

static void ignores_reports_on_earlier_attempts(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	uint64_t first = attempt_of("one");
	report_attempt("one", "dpl-1", first, "was killed", false);
	pass(100);
	assert_true(attempt_of("one") > first);
	forget_log();
	report_attempt("one", "dpl-1", first, "was killed", false);
	expect("");
	report_attempt("one", "dpl-1", attempt_of("one"), "", false);
	assert_non_null(strstr(log_text(), "route echo to 1"));
}

static void tells_of_every_change_of_a_runner(void **state UNUSED) {
	bring_runner(1, "one");
	expect_told("11 one -: registers at unix:/one, for c; it is pinged before it counts\n"
		    "12 one -: registered at unix:/one, for c\n");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	expect_told("13 one dpl-1: told to host it\n14 one dpl-1: alive: fetched in 0.0 ms, started in 0.0 ms\n");
	struct error err, none;
	error_set(&err, CODE_UNAVAILABLE, "no answer");
	pinged("one", &err);
	expect_told("16 one dpl-1: no answer\n");
	pinged("one", NULL);
	expect_told("");
	assert_int_equal(control_scale(&stage->control, STR("echo"), 0, &none), 0);
	publish();
	expect_told("15 one dpl-1: a surplus replica\n");
	report("one", "dpl-1", "terminated");
	expect_told("12 one -: no longer hosts dpl-1: terminated\n");
	control_registration_ended(&stage->control, 1, false);
	expect_told("16 one -: closed its connection; it is pinged before it counts as lost\n");
	for (unsigned i = 0; i < 2; i++)
		pinged("one", &err);
	expect_told("17 one -: closed its connection\n");
}

/* Whatever a peer reports is answered, and changes nothing that it is not about. */
static void strange_reports_change_nothing(void **state UNUSED) {
	static const char *const keys[] = {"", "dpl-1", "dpl-unknown"};
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct deployed deployed = {.runner_key = "two", .deployment_key = keys[i], .end.why = "ended"};
		struct error err;
		assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
		deployed.runner_key = i == 1 ? "two" : "one";
		assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
		deployed.end.why = "";
		deployed.attempt = UINT64_MAX;
		control_deployed(&stage->control, &deployed, &err);
		deployed.runner_key = "nobody";
		assert_int_equal(control_deployed(&stage->control, &deployed, &err), -1);
	}
	assert_int_equal(map_get(&stage->control.books.runners, STR("two")) != NULL, 1);
	assert_int_equal(alive_of("dpl-1"), 1);
}

static void tells_once_what_troubles_a_runner(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("one"));
	control_runner_trouble(&stage->control, "one", runner->serial, "main misses pings"); /* it hosts nothing yet */
	assert_string_equal(runner->liveness.trouble, "");
	report("one", "dpl-1", "");
	buf_clear(&stage->told);
	control_runner_trouble(&stage->control, "one", runner->serial, "main misses pings");
	control_runner_trouble(&stage->control, "one", runner->serial, "main misses more pings");
	control_runner_trouble(&stage->control, "one", runner->serial + 1, "");
	expect_told("16 one dpl-1: main misses pings\n");
	assert_string_equal(runner->liveness.trouble, "main misses more pings");
	control_runner_trouble(&stage->control, "one", runner->serial, "");
	control_runner_trouble(&stage->control, "one", runner->serial, "");
	expect_told("14 one dpl-1: its child answers pings again\n");
	control_runner_trouble(&stage->control, "one", runner->serial, "main misses pings");
	report("one", "dpl-1", "main hung, and was killed");
	assert_string_equal(runner->liveness.trouble, "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		STAGE_TEST(refuses_a_runner_that_cannot_be_pinged),
		STAGE_TEST(refuses_a_second_runner_with_the_same_endpoint_or_key),
		STAGE_TEST(ignores_alive_reports_older_than_the_last_end_report),
		STAGE_TEST(a_ping_timeout_that_fires_late_is_not_counted),
		STAGE_TEST(a_replica_that_comes_alive_after_terminate_is_terminated_again),
		STAGE_TEST(ends_no_runner_while_routes_are_being_published),
		STAGE_TEST(another_runner_replaces_a_lost_one),
		STAGE_TEST(a_runner_that_only_lost_its_connection_keeps_its_deployment),
		STAGE_TEST(a_report_may_overtake_a_registration),
		STAGE_TEST(a_new_registration_ends_the_doubt),
		STAGE_TEST(a_runner_restarted_under_its_key_is_another_one),
		STAGE_TEST(an_order_that_timed_out_is_sent_a_second_time),
		STAGE_TEST(progress_is_told_until_the_runner_registers),
		STAGE_TEST(gives_up_a_silent_runner),
		STAGE_TEST(gives_up_within_silence_ms),
		STAGE_TEST(one_answer_resets_the_missed_pings),
		STAGE_TEST(ends_managed_runners_when_it_stops),
		STAGE_TEST(ends_a_runner_whose_program_died_before_terminate),
		STAGE_TEST(ignores_reports_on_earlier_attempts),
		STAGE_TEST(tells_of_every_change_of_a_runner),
		STAGE_TEST(strange_reports_change_nothing),
		STAGE_TEST(tells_once_what_troubles_a_runner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
