/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control side under a clock of the test's own: every effect is written down as a line, and answered by the test.
 */
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/buf.h"

struct stage {
	struct control control;
	struct effects effects;
	struct buf log; /* effects since the last look, a line each */
	struct buf told; /* of Runners, the same */
	uint64_t now_ms, random;
	uint64_t published; /* the last version */
	char last_created[KEY_MAX];
	uint64_t retry_in_ms; /* of the last event that named one */
};

static struct stage *stage;

static void note(const char *format, ...) PRINTF_LIKE(1, 2);

static void note(const char *format, ...) {
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	assert_int_equal(buf_printf(&stage->log, "%s\n", line), 0);
}

static uint64_t out_random(struct effects *effects UNUSED) {
	return ++stage->random;
}

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return (int64_t)stage->now_ms;
}

static void out_create(struct effects *effects UNUSED, const char *runner_key, const char *language) {
	snprintf(stage->last_created, sizeof stage->last_created, "%s", runner_key);
	note("create %s", language);
}

static void out_destroy(struct effects *effects UNUSED, const char *runner_key UNUSED) {
	note("destroy");
}

static void out_ping(struct effects *effects UNUSED, const struct runner *runner, uint64_t timeout_ms) {
	assert_int_equal(timeout_ms, control_config_default.silence_ms / 3);
	note("ping %s", runner->endpoint);
}

static void out_deploy(struct effects *effects UNUSED, const struct runner *runner,
		       const struct deployment *deployment) {
	note("deploy %s to %s", deployment->key, runner->endpoint);
}

static void out_terminate(struct effects *effects UNUSED, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms UNUSED) {
	note("terminate %s at %s", deployment_key ? deployment_key : "all", runner->endpoint);
}

static void out_forget(struct effects *effects UNUSED, const struct runner *runner UNUSED) {
}

static void out_accept(struct effects *effects UNUSED, uint64_t registration, const struct runner *runner UNUSED) {
	note("accept %d", (int)registration);
}

static void out_refuse(struct effects *effects UNUSED, uint64_t registration, const struct error *why) {
	note("refuse %d: %s", (int)registration, code_name(why->code));
}

static void out_save(struct effects *effects UNUSED, const struct store_change *change) {
	bool has_active = change->module != NULL && change->module->active_key[0] != '\0';
	note("save %s %s / %s", change->deployment_key ? change->deployment_key : "-",
	     change->deployment_key ? deployment_state_name(change->state) : "-",
	     has_active ? change->module->active_key : "-");
}

static void out_route(struct effects *effects UNUSED, const struct module *module) {
	note("route %s to %d", module->name, module->active ? (int)module->active->alive : -1);
}

static void out_publish(struct effects *effects UNUSED, uint64_t version) {
	stage->published = version;
}

/* What is told of Runners has a log of its own. */
static void out_event(struct effects *effects UNUSED, const struct control_event *event) {
	if (event->retry_in_ms > 0)
		stage->retry_in_ms = event->retry_in_ms;
	if (event->runner == NULL)
		note("%s: %s", event->deployment->key, event->cause.why);
	else
		assert_int_equal(buf_printf(&stage->told, "%d %s %s: %s\n", event->kind, event->runner->key,
					    event->deployment ? event->deployment->key : "-", event->cause.why),
				 0);
}

static void out_all_gone(struct effects *effects UNUSED) {
	note("all gone");
}

static const struct effects_ops ops = {
	.random = out_random,
	.wall_ms = out_wall_ms,
	.create = out_create,
	.destroy = out_destroy,
	.ping = out_ping,
	.deploy = out_deploy,
	.terminate = out_terminate,
	.forget = out_forget,
	.accept = out_accept,
	.refuse = out_refuse,
	.save = out_save,
	.route = out_route,
	.publish = out_publish,
	.event = out_event,
	.all_gone = out_all_gone,
};

static int set_up(void **state UNUSED) {
	stage = calloc(1, sizeof *stage);
	stage->log = BUF_INIT(KIB(64));
	stage->told = BUF_INIT(KIB(64));
	stage->effects.ops = &ops;
	stage->now_ms = 1000000;
	struct control_config config = control_config_default;
	config.warm = 0;
	control_init(&stage->control, &config, &stage->effects, stage->now_ms);
	control_begin(&stage->control, stage->now_ms);
	return 0;
}

static int tear_down(void **state UNUSED) {
	control_deinit(&stage->control);
	buf_deinit(&stage->log);
	buf_deinit(&stage->told);
	free(stage);
	return 0;
}

/* --- what the test does ------------------------------------------------------------------------------------------- */

/* The effects since the last time are exactly these lines. */
static void expect(const char *lines) {
	struct str seen = buf_view(&stage->log);
	if (!str_eq_c(seen, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(seen));
	buf_clear(&stage->log);
}

static const char *log_text(void) {
	char *end = buf_reserve(&stage->log, 1);
	assert_non_null(end);
	*end = '\0';
	return buf_view(&stage->log).ptr;
}

/* What was told of Runners since the last time: these lines. */
static void expect_told(const char *lines) {
	struct str seen = buf_view(&stage->told);
	if (!str_eq_c(seen, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(seen));
	buf_clear(&stage->told);
}

static void forget_log(void) {
	buf_clear(&stage->log);
}

static void pass(uint64_t ms) {
	stage->now_ms += ms;
	control_advance(&stage->control, stage->now_ms);
	control_tick(&stage->control);
}

static void deploy(const char *key, const char *module, unsigned replicas) {
	const struct deployment_record record = {.key = key,
						 .module = module,
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	control_deployment_created(&stage->control, &record, replicas);
}

static void register_runner(uint64_t id, const char *endpoint, const char *key, const char *hosts) {
	control_register(&stage->control, &(struct registration){.id = id,
								 .language = STR("c"),
								 .endpoint = str_from(endpoint),
								 .runner_key = str_from(key),
								 .deployment_key = str_from(hosts)});
}

/* The answer to the ping that was sent; if none is on its way, to one that was sent just now. */
static void pinged(const char *key, const struct error *err) {
	struct runner *runner = map_get(&stage->control.books.runners, str_from(key));
	assert_non_null(runner);
	if (runner->liveness.ping == PING_WAITING) {
		liveness_set_ping(runner, PING_SENT);
		runner->liveness.ping_sent_ms = stage->now_ms;
	}
	control_pinged(&stage->control, key, runner->serial, err);
}

/* A hand-started Runner up to the point where it counts. */
static void bring_runner(uint64_t id, const char *key) {
	char endpoint[KEY_MAX + 8];
	snprintf(endpoint, sizeof endpoint, "unix:/%s", key);
	register_runner(id, endpoint, key, "");
	pinged(key, NULL);
}

static void report(const char *runner, const char *deployment, const char *error) {
	struct error err;
	const struct deployed deployed = {.runner_key = runner, .deployment_key = deployment, .end.why = error};
	assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
}

static void report_attempt(const char *runner, const char *deployment, uint64_t attempt, const char *error,
			   bool runner_fault);

static unsigned alive_of(const char *key) {
	return control_deployment(&stage->control, str_from(key))->alive;
}

static void publish(void) {
	control_published(&stage->control, stage->published);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

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

static void refuses_what_it_cannot_reach(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "nobody there");
	register_runner(1, "unix:/a", "", "");
	forget_log();
	pinged(LIST_ENTRY(stage->control.books.all_runners.next, struct runner, in_control)->key, &err);
	expect("refuse 1: FailedPrecondition\n");
	assert_int_equal(stage->control.books.runners.len, 0);
}

static void refuses_a_second_one_at_the_same_place(void **state UNUSED) {
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

static void keeps_the_old_one_until_the_new_one_is_up(void **state UNUSED) {
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
	/* The old one is told to end only when no thread routes to it any more. */
	assert_null(strstr(log, "terminate"));
	forget_log();
	publish();
	expect("dpl-2: live\nterminate dpl-1 at unix:/one\n");
	report("one", "dpl-1", "terminated");
	expect("dpl-1: stopped\nsave dpl-1 stopped / -\n");
	assert_null(control_deployment(&stage->control, STR("dpl-1")));
}

static void fails_without_touching_the_old_one(void **state UNUSED) {
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

/* All say why, before the deployment is told to have failed. */
static void waits_for_what_the_other_replicas_say(void **state UNUSED) {
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

static void waits_a_moment_and_no_longer(void **state UNUSED) {
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
	/* What comes later changes nothing, and the next deployment begins anew. */
	report("two", "dpl-1", "exited with status 4");
	forget_log();
	deploy("dpl-2", "echo", 1);
	report("one", "dpl-2", "exited with status 5");
	assert_non_null(strstr(log_text(), "dpl-2: exited with status 5\n"));
}

static void begins_anew_when_it_is_wanted_again(void **state UNUSED) {
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

static void what_has_ended_is_not_alive_by_an_earlier_word(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	const struct runner *runner = map_get(&stage->control.books.runners, STR("one"));
	uint64_t attempt = runner->attempt;
	report_attempt("one", "dpl-1", attempt, "", false);
	report_attempt("one", "dpl-1", attempt, "was killed", false);
	/* Should it be alive after all, it is to end it. */
	const struct deployed late = {.runner_key = "one", .deployment_key = "dpl-1", .attempt = attempt, .end.why = ""};
	struct error err;
	assert_int_equal(control_deployed(&stage->control, &late, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	assert_int_equal(runner->state, RUNNER_IDLE);
	assert_int_equal(alive_of("dpl-1"), 0);
}

/* The Backplane stood still, and not the Runner: however often that happens, the ping is sent anew. */
static void a_late_word_of_a_ping_says_nothing(void **state UNUSED) {
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

/* However late the Backplane looks, and whatever it looks at first. */
static void a_retry_that_is_overdue_is_made(void **state UNUSED) {
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

/* The word to end a deployment may come to a Runner before the order to host it. */
static void tells_what_comes_up_too_late_to_end_once_more(void **state UNUSED) {
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

/* One that hosted a deployment, lost it and brings it up anew is routed to by whoever has the routes of before. */
static void ends_nothing_while_routes_are_on_their_way(void **state UNUSED) {
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

static void a_lost_runner_ends_the_waiting(void **state UNUSED) {
	bring_runner(1, "one");
	bring_runner(2, "two");
	deploy("dpl-1", "echo", 2);
	forget_log();
	report("one", "dpl-1", "exited with status 3");
	control_runner_exited(&stage->control, "two", &(struct cause){.why = "exited"});
	assert_non_null(
		strstr(log_text(), "dpl-1: 1 of 2 replicas did not come up; the first said: exited with status 3\n"));
}

static void replaces_a_replica_later_and_later(void **state UNUSED) {
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

static void gives_the_work_of_a_lost_runner_to_another(void **state UNUSED) {
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

static void keeps_what_lost_no_more_than_its_connection(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	pass(control_config_default.silence_ms / 3);
	forget_log();
	control_registration_ended(&stage->control, 1, false);
	expect("");
	pinged("one", NULL); /* it was sent before, and says nothing */
	expect("ping unix:/one\n");
	pinged("one", NULL);
	expect("");
	register_runner(2, "unix:/one", "one", "dpl-1");
	expect("accept 2\n");
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 1);
}

/* It came alive, and its report overtook its registration. */
static void takes_no_earlier_word_for_a_later_one(void **state UNUSED) {
	deploy("dpl-1", "echo", 1);
	bring_runner(1, stage->last_created);
	control_registration_ended(&stage->control, 1, false);
	report(stage->last_created, "dpl-1", "");
	forget_log();
	register_runner(2, "unix:/again", stage->last_created, "");
	assert_non_null(strstr(log_text(), "accept 2\ndeploy dpl-1 to unix:/rnr-"));
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 1);
	/* What broke while it was alive, and then says that it hosts nothing, is of no use. */
	control_registration_ended(&stage->control, 2, false);
	register_runner(3, "unix:/again", stage->last_created, "");
	assert_non_null(strstr(log_text(), "registers anew, and not as it was"));
}

/* Its stream broke before it counted, and it is as any other once it has another one. */
static void forgets_that_the_connection_broke(void **state UNUSED) {
	register_runner(1, "unix:/one", "one", "");
	control_registration_ended(&stage->control, 1, false);
	register_runner(2, "unix:/one", "one", "");
	pinged("one", NULL); /* it was sent before, and says nothing */
	pinged("one", NULL);
	buf_clear(&stage->told);
	struct error err;
	error_set(&err, CODE_DEADLINE_EXCEEDED, "no answer");
	for (unsigned i = 0; i < 2; i++)
		pinged("one", &err);
	expect_told("16 one -: no answer\n17 one -: does not answer pings\n");
}

/* By a person, before anybody noticed that the one before had died. */
static void knows_one_that_was_started_anew(void **state UNUSED) {
	bring_runner(1, "one");
	deploy("dpl-1", "echo", 1);
	report("one", "dpl-1", "");
	publish();
	control_registration_ended(&stage->control, 1, false);
	pinged("one", NULL);
	forget_log();
	register_runner(2, "unix:/one", "one", "");
	assert_non_null(strstr(log_text(), "registers anew, and not as it was"));
	assert_int_equal(control_deployment(&stage->control, STR("dpl-1"))->alive, 0);
	pinged("one", NULL);
	forget_log();
	pass(100);
	expect("deploy dpl-1 to unix:/one\n");
}

/* The Backplane before meant to, and had no more time. */
static void tells_what_drains_and_comes_again_to_end(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_found_draining(&stage->control, "rnr-a", 20000);
	control_begin(&stage->control, stage->now_ms);
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	expect("accept 1\nterminate all at unix:/a\n");
	control_runner_exited(&stage->control, "rnr-a", &(struct cause){.why = "exited"});
	assert_int_equal(stage->control.books.runners.len, 0);
}

/* The Backplane before left the deployment dpl-1 of echo live. */
static void load_live(void) {
	const struct deployment_record record = {.key = "dpl-1",
						 .module = "echo",
						 .language = "c",
						 .schema = STR(""),
						 .detail = "",
						 .state = DEPLOYMENT_LIVE};
	control_load(&stage->control, &record, &(struct module_record){.replicas = 1}, true);
}

/* What a Runner hosts must not end because it told of it too early. */
static void has_a_report_sent_again_that_comes_before_the_pong(void **state UNUSED) {
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

static void orders_again_what_was_not_answered_in_time(void **state UNUSED) {
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

static void a_runner_that_is_found_while_it_stops_is_ended(void **state UNUSED) {
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
static void a_runner_is_the_platforms_until_its_end(void **state UNUSED) {
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

static void finds_runners_again_after_a_restart(void **state UNUSED) {
	load_live();
	control_tick(&stage->control);
	expect("route echo to 0\n"); /* and no new Runner: the old one may still come back */
	control_found(&stage->control, "rnr-a");
	control_found(&stage->control, "rnr-b");
	register_runner(1, "unix:/a", "rnr-a", "dpl-1");
	pinged("rnr-a", NULL);
	expect("ping unix:/a\naccept 1\nroute echo to 1\n");
	/* A second one of it is one too many. It ends once no routes of before may lead to it. */
	register_runner(2, "unix:/b", "rnr-b", "dpl-1");
	pinged("rnr-b", NULL);
	expect("ping unix:/b\naccept 2\n");
	publish();
	expect("terminate all at unix:/b\n");
}

static void ends_what_was_found_and_never_registers(void **state UNUSED) {
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

static void waits_from_the_beginning_for_what_was_found(void **state UNUSED) {
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

static void ends_at_its_stop_what_was_found(void **state UNUSED) {
	control_found(&stage->control, "rnr-a");
	control_shut_down(&stage->control);
	expect("destroy\nall gone\n");
}

static void starts_anew_what_did_not_come_back(void **state UNUSED) {
	load_live();
	control_tick(&stage->control);
	forget_log();
	pass(control_config_default.adopt_timeout_ms);
	expect("create c\n");
}

static void waits_longer_for_what_was_found(void **state UNUSED) {
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

static void waits_for_nobody_once_it_was_found(void **state UNUSED) {
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

static void waits_no_longer_than_what_was_found_has(void **state UNUSED) {
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

static void gives_up_when_no_runner_can_be_had(void **state UNUSED) {
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

static void kills_and_takes_back(void **state UNUSED) {
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

/* What is as it is to be costs nothing after an event, however much of it there is. */
static void looks_at_what_is_restless_only(void **state UNUSED) {
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

/* A replica dies while the routes that lead to it are on their way out. */
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
	/* More copies: it is told again when they are there; fewer: at once there is nothing to wait for. */
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

static void notices_a_silent_runner(void **state UNUSED) {
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

/* Its last answer came as late as it may, and it fell silent right after the ping that it answered was sent. */
static void gives_up_within_the_time_of_silence(void **state UNUSED) {
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

static void one_answer_ends_the_doubt(void **state UNUSED) {
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

static void ends_all_that_it_made(void **state UNUSED) {
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

/* Its program dies while the routes that lead to it are on their way out. */
static void ends_what_died_before_it_was_told_to_end(void **state UNUSED) {
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

static uint64_t attempt_of(const char *key) {
	const struct runner *runner = map_get(&stage->control.books.runners, str_from(key));
	assert_non_null(runner);
	return runner->attempt;
}

static void report_attempt(const char *runner, const char *deployment, uint64_t attempt, const char *error,
			   bool runner_fault) {
	struct error err;
	const struct deployed deployed = {.runner_key = runner,
					  .deployment_key = deployment,
					  .attempt = attempt,
					  .end.why = error,
					  .runner_fault = runner_fault};
	assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
}

static void takes_no_late_report_for_one_on_a_later_attempt(void **state UNUSED) {
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

static void adopts_what_comes_alive_after_a_restart(void **state UNUSED) {
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

static void counts_no_failures_from_before_a_stable_time(void **state UNUSED) {
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

static void does_not_blame_a_deployment_for_its_runner(void **state UNUSED) {
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

/* The number asked with a deployment is for that one: what does not come up changes nothing. */
static void leaves_the_number_of_the_old_one(void **state UNUSED) {
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
	/* A scaling meanwhile is for both. */
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

static void scales_to_nothing_and_back(void **state UNUSED) {
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
	/* A new one cannot be judged now, and does not take over. */
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

static void tells_when_the_next_try_is(void **state UNUSED) {
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

#define STAGE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		STAGE_TEST(brings_a_deployment_up),
		STAGE_TEST(refuses_what_it_cannot_reach),
		STAGE_TEST(refuses_a_second_one_at_the_same_place),
		STAGE_TEST(keeps_the_old_one_until_the_new_one_is_up),
		STAGE_TEST(fails_without_touching_the_old_one),
		STAGE_TEST(waits_for_what_the_other_replicas_say),
		STAGE_TEST(waits_a_moment_and_no_longer),
		STAGE_TEST(begins_anew_when_it_is_wanted_again),
		STAGE_TEST(a_late_word_of_a_ping_says_nothing),
		STAGE_TEST(what_has_ended_is_not_alive_by_an_earlier_word),
		STAGE_TEST(a_retry_that_is_overdue_is_made),
		STAGE_TEST(tells_what_comes_up_too_late_to_end_once_more),
		STAGE_TEST(ends_nothing_while_routes_are_on_their_way),
		STAGE_TEST(a_lost_runner_ends_the_waiting),
		STAGE_TEST(replaces_a_replica_later_and_later),
		STAGE_TEST(gives_the_work_of_a_lost_runner_to_another),
		STAGE_TEST(keeps_what_lost_no_more_than_its_connection),
		STAGE_TEST(takes_no_earlier_word_for_a_later_one),
		STAGE_TEST(forgets_that_the_connection_broke),
		STAGE_TEST(knows_one_that_was_started_anew),
		STAGE_TEST(tells_what_drains_and_comes_again_to_end),
		STAGE_TEST(has_a_report_sent_again_that_comes_before_the_pong),
		STAGE_TEST(orders_again_what_was_not_answered_in_time),
		STAGE_TEST(a_runner_that_is_found_late_is_managed),
		STAGE_TEST(a_runner_that_is_found_while_it_stops_is_ended),
		STAGE_TEST(a_runner_is_the_platforms_until_its_end),
		STAGE_TEST(progress_is_told_until_the_runner_registers),
		STAGE_TEST(finds_runners_again_after_a_restart),
		STAGE_TEST(ends_what_was_found_and_never_registers),
		STAGE_TEST(waits_from_the_beginning_for_what_was_found),
		STAGE_TEST(ends_at_its_stop_what_was_found),
		STAGE_TEST(starts_anew_what_did_not_come_back),
		STAGE_TEST(waits_longer_for_what_was_found),
		STAGE_TEST(waits_for_nobody_once_it_was_found),
		STAGE_TEST(waits_no_longer_than_what_was_found_has),
		STAGE_TEST(gives_up_when_no_runner_can_be_had),
		STAGE_TEST(kills_and_takes_back),
		STAGE_TEST(looks_at_what_is_restless_only),
		STAGE_TEST(is_live_when_all_replicas_are_routed),
		STAGE_TEST(notices_a_silent_runner),
		STAGE_TEST(gives_up_within_the_time_of_silence),
		STAGE_TEST(one_answer_ends_the_doubt),
		STAGE_TEST(ends_all_that_it_made),
		STAGE_TEST(ends_what_died_before_it_was_told_to_end),
		STAGE_TEST(takes_no_late_report_for_one_on_a_later_attempt),
		STAGE_TEST(adopts_what_comes_alive_after_a_restart),
		STAGE_TEST(counts_no_failures_from_before_a_stable_time),
		STAGE_TEST(does_not_blame_a_deployment_for_its_runner),
		STAGE_TEST(leaves_the_number_of_the_old_one),
		STAGE_TEST(scales_to_nothing_and_back),
		STAGE_TEST(tells_of_every_change_of_a_runner),
		STAGE_TEST(tells_when_the_next_try_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
