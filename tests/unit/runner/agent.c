/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "dies.h"

/* An agent whose effects are written down, one word each. */
struct stage {
	struct agent agent;
	struct agent_effects effects;
	uint64_t random, due_ms;
	size_t calls;
	bool has_said_all;
	uint64_t sent_id;
	bool sent_fault;
	uint64_t sent_attempt;
	char done[256]; /* since the last look */
	unsigned warnings; /* that were logged */
	char warning[256]; /* the last */
};

static struct stage *stage_of(struct agent_effects *effects) {
	return CONTAINER_OF(effects, struct stage, effects);
}

static void note(struct agent_effects *effects, const char *word) {
	struct stage *stage = stage_of(effects);
	size_t len = strlen(stage->done);
	snprintf(stage->done + len, sizeof stage->done - len, "%s%s", len > 0 ? " " : "", word);
}

static uint64_t out_random(struct agent_effects *effects) {
	return stage_of(effects)->random;
}

static void out_log(struct agent_effects *effects, enum log_level level, const char *text) {
	struct stage *stage = stage_of(effects);
	if (level != LOG_WARN)
		return;
	stage->warnings++;
	snprintf(stage->warning, sizeof stage->warning, "%s", text);
}

static void out_open_stream(struct agent_effects *effects, const struct registrar *registrar) {
	note(effects, "open");
	if (registrar->said_hosted[0] != '\0')
		note(effects, registrar->said_hosted);
}

static void out_half_close_stream(struct agent_effects *effects) {
	note(effects, "leave");
}

static void out_drop_stream(struct agent_effects *effects, const char *why UNUSED) {
	note(effects, "drop");
}

static void out_send_report(struct agent_effects *effects, struct report *report, uint64_t timeout_ms) {
	struct stage *stage = stage_of(effects);
	assert_int_equal(timeout_ms, REPORT_ANSWER_MAX_MS);
	stage->sent_id = report->send_id;
	stage->sent_attempt = report->attempt;
	stage->sent_fault = report->runner_fault;
	note(effects, report->error == NULL ? "say-alive" : "say-ended");
}

static void out_cancel_report(struct agent_effects *effects, struct report *report UNUSED) {
	note(effects, "unsay");
}

static void out_fetch(struct agent_effects *effects, const struct hosting *hosting UNUSED) {
	note(effects, "fetch");
}

static void out_check(struct agent_effects *effects) {
	note(effects, "check");
}

static void out_start(struct agent_effects *effects) {
	note(effects, "start");
}

static void out_stop(struct agent_effects *effects) {
	note(effects, "stop");
}

static void out_remove(struct agent_effects *effects) {
	note(effects, "remove");
}

static size_t out_calls(struct agent_effects *effects) {
	return stage_of(effects)->calls;
}

static void out_say_last_words(struct agent_effects *effects) {
	note(effects, "last-words");
}

static bool out_has_said_all(struct agent_effects *effects) {
	return stage_of(effects)->has_said_all;
}

static void out_exit(struct agent_effects *effects) {
	note(effects, "exit");
}

static const struct agent_effects_ops ops = {
	.random = out_random,
	.log = out_log,
	.open_stream = out_open_stream,
	.half_close_stream = out_half_close_stream,
	.drop_stream = out_drop_stream,
	.send_report = out_send_report,
	.cancel_report = out_cancel_report,
	.fetch = out_fetch,
	.check = out_check,
	.start = out_start,
	.stop = out_stop,
	.remove = out_remove,
	.calls = out_calls,
	.say_last_words = out_say_last_words,
	.has_said_all = out_has_said_all,
	.exit = out_exit,
};

enum { ORPHAN_MS = 5000 };

static int set_up(void **state) {
	struct stage *stage = mem_zalloc(sizeof *stage);
	stage->effects.ops = &ops;
	stage->has_said_all = true;
	agent_init(&stage->agent,
		   &(struct agent_options){.backplane = "http://b",
					   .language = "c",
					   .endpoint = "http://r",
					   .orphan_timeout_ms = ORPHAN_MS,
					   .effects = &stage->effects},
		   1000);
	agent_begin(&stage->agent);
	*state = stage;
	return 0;
}

static int tear_down(void **state) {
	struct stage *stage = *state;
	agent_deinit(&stage->agent);
	free(stage);
	return 0;
}

/* Has the agent do what is due, and compares all effects since the last time. */
static void expect(struct stage *stage, const char *words) {
	stage->due_ms = agent_tick(&stage->agent);
	assert_string_equal(stage->done, words);
	stage->done[0] = '\0';
}

/* Time passes until something is due. */
static uint64_t wait_until_due(struct stage *stage) {
	uint64_t waited_ms = stage->due_ms - stage->agent.now_ms;
	assert_true(stage->due_ms != UINT64_MAX);
	agent_advance(&stage->agent, stage->due_ms);
	return waited_ms;
}

static struct error error_of(enum code code) {
	struct error err;
	error_set(&err, code, "because");
	return err;
}

static void close_stream(struct stage *stage, enum code code) {
	struct error err = error_of(code);
	agent_stream_closed(&stage->agent, &err);
}

static void answer_report(struct stage *stage, enum code code) {
	struct error err = error_of(code == CODE_OK ? CODE_UNKNOWN : code);
	agent_report_answered(&stage->agent, stage->sent_id, code == CODE_OK ? NULL : &err);
}

static void end_host(struct stage *stage, enum hosting_remains remains) {
	struct error why = error_of(CODE_UNAVAILABLE);
	agent_host_ended(&stage->agent, &why, NULL, remains);
}

static int deploy(struct stage *stage, const char *key, uint64_t attempt) {
	struct error err;
	return agent_deploy(&stage->agent, key, attempt, &err);
}

static void terminate(struct stage *stage, const char *key, uint64_t grace_ms) {
	struct error err;
	assert_int_equal(agent_terminate(&stage->agent, key, grace_ms, &err), 0);
}

static void be_accepted(struct stage *stage) {
	expect(stage, "open");
	agent_accepted(&stage->agent, STR("rnr-1"));
	expect(stage, "");
}

static void bring_up(struct stage *stage) {
	assert_int_equal(deploy(stage, "dpl-1", 7), 0);
	expect(stage, "fetch");
	agent_fetched(&stage->agent);
	expect(stage, "check");
	agent_checked(&stage->agent, 10);
	expect(stage, "start");
	agent_alive(&stage->agent, 20);
	expect(stage, "say-alive");
	assert_int_equal(stage->sent_attempt, 7);
	answer_report(stage, CODE_OK);
	expect(stage, "");
}

/* --- registration ------------------------------------------------------------------------------------------------- */

static void keeps_the_key_that_it_is_given(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	assert_string_equal(stage->agent.registrar.key, "rnr-1");
	assert_int_equal(stage->due_ms, UINT64_MAX);
}

static void backs_off_up_to_the_last_delay(void **state) {
	struct stage *stage = *state;
	static const uint64_t delays_ms[] = {50, 100, 200, 250, 250};
	expect(stage, "open");
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		stage->random = i % 2 == 0 ? 0 : delays_ms[i] / 2; /* the shortest, and the longest */
		close_stream(stage, CODE_UNAVAILABLE);
		expect(stage, "");
		assert_int_equal(wait_until_due(stage), i % 2 == 0 ? delays_ms[i] / 2 : delays_ms[i]);
		expect(stage, "open");
	}
}

static void gives_up_a_stream_that_is_not_answered(void **state) {
	struct stage *stage = *state;
	stage->agent.registrar.orphan_due_ms = UINT64_MAX;
	expect(stage, "open");
	assert_int_equal(wait_until_due(stage), REGISTRAR_OPENING_MAX_MS);
	expect(stage, "drop");
	wait_until_due(stage);
	expect(stage, "open");
}

static void registers_at_once_with_a_successor(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	agent_advance(&stage->agent, stage->agent.now_ms + REGISTRAR_STABLE_MS);
	agent_stream_closed(&stage->agent, NULL);
	expect(stage, "open dpl-1");
}

/* A proxy or a peer accepts each registration and ends it at once, in order or not. */
static void backs_off_when_accepted_streams_end_at_once(void **state) {
	struct stage *stage = *state;
	/* Each third one by an error, after which the delay is at most that of a Backplane that died. */
	static const uint64_t delays_ms[] = {50, 100, 200, 400, 800, 250, 500, 1000, 250, 500, 1000, 250};
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		expect(stage, "open");
		agent_accepted(&stage->agent, STR("rnr-1"));
		expect(stage, "");
		stage->random = delays_ms[i] / 2;
		if (i % 3 == 2)
			close_stream(stage, CODE_UNAVAILABLE);
		else
			agent_stream_closed(&stage->agent, NULL);
		expect(stage, "");
		assert_int_equal(wait_until_due(stage), delays_ms[i]);
	}
	/* Of twelve failures within 10 s the first that came after a second is told, and no other. */
	assert_int_equal(stage->warnings, 1);
	assert_non_null(strstr(stage->warning, "at once"));
	expect(stage, "open");
	agent_accepted(&stage->agent, STR("rnr-1"));
	agent_advance(&stage->agent, stage->agent.now_ms + REGISTRAR_STABLE_MS);
	agent_stream_closed(&stage->agent, NULL);
	expect(stage, "open"); /* a stable one ends the back-off */
}

static void tells_why_it_is_not_registered(void **state) {
	struct stage *stage = *state;
	uint64_t begin_ms = stage->agent.now_ms, told_ms[2] = {0};
	stage->agent.registrar.orphan_due_ms = UINT64_MAX;
	while (stage->agent.now_ms - begin_ms < 40000) {
		unsigned before = stage->warnings;
		expect(stage, "open");
		close_stream(stage, CODE_UNAVAILABLE);
		if (stage->warnings > before && stage->warnings <= ARRAY_LEN(told_ms))
			told_ms[stage->warnings - 1] = stage->agent.now_ms - begin_ms;
		expect(stage, "");
		wait_until_due(stage);
	}
	assert_int_equal(stage->warnings, 2);
	assert_non_null(strstr(stage->warning, "because"));
	assert_in_range(told_ms[0], REGISTRAR_TELL_FIRST_MS, REGISTRAR_TELL_FIRST_MS + REGISTRAR_RETRY_LAST_MS);
	assert_in_range(told_ms[1] - told_ms[0], REGISTRAR_TELL_AGAIN_MS,
			REGISTRAR_TELL_AGAIN_MS + REGISTRAR_RETRY_LAST_MS);
}

static void says_again_what_came_alive_meanwhile(void **state) {
	struct stage *stage = *state;
	expect(stage, "open");
	bring_up(stage);
	agent_accepted(&stage->agent, STR("rnr-1"));
	expect(stage, "say-alive");
}

static void takes_back_what_ended_meanwhile(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	close_stream(stage, CODE_UNAVAILABLE);
	expect(stage, "");
	wait_until_due(stage);
	expect(stage, "open dpl-1");
	end_host(stage, REMAINS_NOTHING);
	expect(stage, "remove");
	agent_accepted(&stage->agent, STR("rnr-1"));
	expect(stage, "drop");
	wait_until_due(stage);
	expect(stage, "open");
}

static void ends_when_the_refusal_is_final(void **state) {
	struct stage *stage = *state;
	expect(stage, "open");
	close_stream(stage, CODE_FAILED_PRECONDITION);
	expect(stage, "last-words");
	assert_int_equal(stage->agent.failure.code, CODE_FAILED_PRECONDITION);
	wait_until_due(stage);
	expect(stage, "exit");
}

static void another_of_its_key_is_final_only_the_first_time(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	close_stream(stage, CODE_UNAVAILABLE);
	expect(stage, "");
	wait_until_due(stage);
	expect(stage, "open");
	close_stream(stage, CODE_ALREADY_EXISTS);
	expect(stage, "");
	assert_int_equal(stage->agent.registrar.state, REGISTRAR_WAITING);
}

static void ends_without_a_backplane(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	close_stream(stage, CODE_UNAVAILABLE);
	uint64_t lost_ms = stage->agent.now_ms;
	expect(stage, "");
	while (stage->agent.state == AGENT_SERVING) {
		wait_until_due(stage);
		stage->due_ms = agent_tick(&stage->agent);
		if (stage->agent.registrar.state == REGISTRAR_OPENING) {
			close_stream(stage, CODE_UNAVAILABLE);
			stage->due_ms = agent_tick(&stage->agent);
		}
	}
	assert_int_equal(stage->agent.now_ms - lost_ms, ORPHAN_MS);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

static void the_same_order_again_is_one_order(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	assert_int_equal(deploy(stage, "dpl-1", 7), 0);
	expect(stage, "fetch");
	assert_int_equal(deploy(stage, "dpl-1", 9), 0);
	assert_int_equal(deploy(stage, "dpl-1", 8), 0);
	expect(stage, "");
	assert_int_equal(stage->agent.hosting.attempt, 9);
}

static void an_order_for_what_is_alive_is_answered_by_a_report(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	assert_int_equal(deploy(stage, "dpl-1", 9), 0);
	expect(stage, "say-alive");
	assert_int_equal(stage->sent_attempt, 9);
}

static void another_order_is_refused_until_nothing_is_left(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	assert_int_equal(deploy(stage, "dpl-2", 8), -1);
	terminate(stage, "dpl-1", 100);
	expect(stage, "stop");
	assert_int_equal(deploy(stage, "dpl-1", 8), -1);
	end_host(stage, REMAINS_NOTHING);
	expect(stage, "remove");
	assert_int_equal(deploy(stage, "dpl-2", 8), -1);
	agent_removed(&stage->agent);
	expect(stage, "say-ended");
	assert_int_equal(deploy(stage, "dpl-2", 8), 0);
	expect(stage, "fetch");
}

static void terminate_ends_what_takes_no_calls_yet(void **state) {
	struct stage *stage = *state;
	struct error cancelled = error_of(CODE_CANCELLED);
	be_accepted(stage);
	assert_int_equal(deploy(stage, "dpl-1", 7), 0);
	expect(stage, "fetch");
	terminate(stage, "dpl-1", 1000);
	expect(stage, "stop");
	agent_fetched(&stage->agent); /* on its way when the order came */
	expect(stage, "");
	agent_fetch_failed(&stage->agent, &cancelled);
	expect(stage, "remove");
	agent_removed(&stage->agent);
	expect(stage, "say-ended");
	assert_false(stage->sent_fault);
}

static void a_further_order_only_shortens_the_grace(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	stage->calls = 2;
	terminate(stage, "dpl-1", 1000);
	expect(stage, "");
	assert_int_equal(stage->due_ms, stage->agent.now_ms + 1000);
	terminate(stage, "dpl-1", 2000);
	expect(stage, "");
	assert_int_equal(stage->due_ms, stage->agent.now_ms + 1000);
	terminate(stage, "dpl-1", 300);
	expect(stage, "");
	assert_int_equal(wait_until_due(stage), 300);
	expect(stage, "stop");
}

static void stops_when_the_last_call_is_answered(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	agent_idle(&stage->agent);
	expect(stage, "");
	stage->calls = 1;
	terminate(stage, "dpl-1", 1000);
	expect(stage, "");
	agent_idle(&stage->agent);
	expect(stage, "stop");
}

static void terminate_of_the_runner_ends_all(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	terminate(stage, "", 1000);
	expect(stage, "leave stop");
	end_host(stage, REMAINS_NOTHING);
	expect(stage, "remove");
	agent_removed(&stage->agent);
	expect(stage, "say-ended last-words");
	assert_int_equal(deploy(stage, "dpl-2", 8), -1);
	answer_report(stage, CODE_OK);
	wait_until_due(stage);
	expect(stage, "exit");
}

static void a_second_signal_leaves_calls_no_time(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	stage->calls = 1;
	agent_signalled(&stage->agent, "SIGTERM (Terminated)", true);
	expect(stage, "leave");
	assert_int_equal(stage->due_ms, stage->agent.now_ms + AGENT_STOP_GRACE_MS);
	agent_signalled(&stage->agent, "SIGTERM (Terminated)", true);
	expect(stage, "stop");
}

/* A terminal that closes may send SIGHUP twice. */
static void a_second_signal_that_is_no_order_changes_nothing(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	stage->calls = 1;
	agent_signalled(&stage->agent, "SIGHUP (Hangup)", false);
	expect(stage, "leave");
	agent_signalled(&stage->agent, "SIGHUP (Hangup)", false);
	expect(stage, "");
	assert_int_equal(stage->due_ms, stage->agent.now_ms + AGENT_STOP_GRACE_MS);
}

static void a_shared_object_ends_the_runner_too(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	end_host(stage, REMAINS_CODE);
	expect(stage, "remove");
	agent_removed(&stage->agent);
	expect(stage, "say-ended leave last-words");
}

static void the_last_words_have_a_limit(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	stage->has_said_all = false;
	terminate(stage, "", 0);
	expect(stage, "leave last-words");
	uint64_t since_ms = stage->agent.now_ms;
	while (stage->agent.state != AGENT_ENDED) {
		wait_until_due(stage);
		stage->due_ms = agent_tick(&stage->agent);
	}
	assert_int_equal(stage->agent.now_ms - since_ms, AGENT_FINISHING_MAX_MS);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static void a_report_is_repeated_until_it_is_taken(void **state) {
	struct stage *stage = *state;
	static const uint64_t delays_ms[] = {50, 100, 200, 400, 800, 1000, 1000};
	be_accepted(stage);
	bring_up(stage);
	end_host(stage, REMAINS_NOTHING);
	expect(stage, "remove");
	agent_removed(&stage->agent);
	expect(stage, "say-ended");
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		answer_report(stage, CODE_UNAVAILABLE);
		expect(stage, "");
		assert_int_equal(wait_until_due(stage), delays_ms[i]);
		expect(stage, "say-ended");
	}
	answer_report(stage, CODE_NOT_FOUND);
	assert_true(reports_are_sent(&stage->agent.reports));
}

static void an_answer_to_an_earlier_attempt_is_ignored(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	assert_int_equal(deploy(stage, "dpl-1", 7), 0);
	agent_fetched(&stage->agent);
	agent_checked(&stage->agent, 0);
	agent_alive(&stage->agent, 0);
	expect(stage, "fetch check start say-alive");
	uint64_t first = stage->sent_id;
	end_host(stage, REMAINS_NOTHING);
	agent_removed(&stage->agent);
	expect(stage, "remove unsay say-ended");
	agent_report_answered(&stage->agent, first, NULL);
	assert_false(reports_are_sent(&stage->agent.reports));
}

static void what_the_backplane_does_not_want_is_ended(void **state) {
	struct stage *stage = *state;
	be_accepted(stage);
	bring_up(stage);
	assert_int_equal(deploy(stage, "dpl-1", 9), 0);
	expect(stage, "say-alive");
	answer_report(stage, CODE_FAILED_PRECONDITION);
	expect(stage, "stop");
}

static void what_cannot_be_fetched_just_now_is_the_runners_fault(void **state) {
	struct stage *stage = *state;
	static const enum code codes[] = {CODE_UNAVAILABLE, CODE_NOT_FOUND};
	be_accepted(stage);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct error err = error_of(codes[i]);
		assert_int_equal(deploy(stage, "dpl-1", 7 + i), 0);
		agent_fetch_failed(&stage->agent, &err);
		agent_removed(&stage->agent);
		expect(stage, "fetch remove say-ended");
		assert_int_equal(stage->sent_fault, codes[i] == CODE_UNAVAILABLE);
		answer_report(stage, CODE_OK);
	}
}

/* --- the tables --------------------------------------------------------------------------------------------------- */

static void move_agent(void *argument) {
	const enum agent_state *states = argument;
	struct agent agent = {.state = states[0]};
	agent_move(&agent, states[1]);
}

static void move_hosting(void *argument) {
	const enum hosting_state *states = argument;
	struct hosting hosting = {.state = states[0]};
	hosting_move(&hosting, states[1]);
}

static void move_registrar(void *argument) {
	const enum registrar_state *states = argument;
	struct registrar registrar = {.state = states[0]};
	registrar_move(&registrar, states[1]);
}

static void move_report(void *argument) {
	const enum report_state *states = argument;
	struct report report = {.state = states[0]};
	report_move(&report, states[1]);
}

static void moves_that_no_table_has_abort(void **state UNUSED) {
	static enum agent_state agents[][2] = {{AGENT_SERVING, AGENT_FINISHING},
					       {AGENT_STOPPING, AGENT_SERVING},
					       {AGENT_FINISHING, AGENT_STOPPING},
					       {AGENT_ENDED, AGENT_SERVING}};
	static enum hosting_state hostings[][2] = {{HOSTING_NONE, HOSTING_ALIVE},
						   {HOSTING_FETCHING, HOSTING_STARTING},
						   {HOSTING_ALIVE, HOSTING_STOPPING},
						   {HOSTING_DRAINING, HOSTING_ALIVE},
						   {HOSTING_STOPPING, HOSTING_NONE},
						   {HOSTING_REMOVING, HOSTING_ALIVE}};
	static enum registrar_state registrars[][2] = {{REGISTRAR_WAITING, REGISTRAR_ACCEPTED},
						       {REGISTRAR_OPENING, REGISTRAR_LEAVING},
						       {REGISTRAR_LEAVING, REGISTRAR_WAITING},
						       {REGISTRAR_ENDED, REGISTRAR_OPENING}};
	static enum report_state reports[][2] = {{REPORT_WAITING, REPORT_WAITING}, {REPORT_SENDING, REPORT_SENDING}};
	for (size_t i = 0; i < ARRAY_LEN(agents); i++)
		assert_dies(move_agent, agents[i]);
	for (size_t i = 0; i < ARRAY_LEN(hostings); i++)
		assert_dies(move_hosting, hostings[i]);
	for (size_t i = 0; i < ARRAY_LEN(registrars); i++)
		assert_dies(move_registrar, registrars[i]);
	for (size_t i = 0; i < ARRAY_LEN(reports); i++)
		assert_dies(move_report, reports[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(keeps_the_key_that_it_is_given),
		TEST(backs_off_up_to_the_last_delay),
		TEST(gives_up_a_stream_that_is_not_answered),
		TEST(registers_at_once_with_a_successor),
		TEST(backs_off_when_accepted_streams_end_at_once),
		TEST(tells_why_it_is_not_registered),
		TEST(says_again_what_came_alive_meanwhile),
		TEST(takes_back_what_ended_meanwhile),
		TEST(ends_when_the_refusal_is_final),
		TEST(another_of_its_key_is_final_only_the_first_time),
		TEST(ends_without_a_backplane),
		TEST(the_same_order_again_is_one_order),
		TEST(an_order_for_what_is_alive_is_answered_by_a_report),
		TEST(another_order_is_refused_until_nothing_is_left),
		TEST(terminate_ends_what_takes_no_calls_yet),
		TEST(a_further_order_only_shortens_the_grace),
		TEST(stops_when_the_last_call_is_answered),
		TEST(terminate_of_the_runner_ends_all),
		TEST(a_second_signal_leaves_calls_no_time),
		TEST(a_second_signal_that_is_no_order_changes_nothing),
		TEST(a_shared_object_ends_the_runner_too),
		TEST(the_last_words_have_a_limit),
		TEST(a_report_is_repeated_until_it_is_taken),
		TEST(an_answer_to_an_earlier_attempt_is_ignored),
		TEST(what_the_backplane_does_not_want_is_ended),
		TEST(what_cannot_be_fetched_just_now_is_the_runners_fault),
		cmocka_unit_test(moves_that_no_table_has_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
