/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane's end of a Platform, with a Platform and effects that are made up.
 */
#include "backplane/platform_link.h"

#include <stdlib.h>

#include "../../platform/fake.h"
#include "../dies.h"
#include "backplane/context.h"
#include "base/memory.h"
#include "platform/registry.h"

struct stage {
	struct context context;
	struct platform_link link;
	struct effects effects;
	struct backplane_options options;
	struct platform_choice choice;
	struct control_config config;
	struct buf told; /* the Runners' events */
};

static struct stage *stage;

static uint64_t out_random(struct effects *effects UNUSED) {
	return 1;
}

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return 1;
}

static void out_destroy(struct effects *effects UNUSED, const char *key) {
	platform_link_destroy(&stage->link, key);
}

static void out_forget(struct effects *effects UNUSED, const struct runner *runner UNUSED) {
}

static void out_event(struct effects *effects UNUSED, const struct control_event *event) {
	int over = buf_printf(&stage->told, "%s: %s\n", event->runner->key, event->cause.why);
	assert_int_equal(over, 0);
}

static void ignore_tick(struct timer *timer UNUSED) {
}

static const struct effects_ops ops = {
	.random = out_random,
	.wall_ms = out_wall_ms,
	.destroy = out_destroy,
	.forget = out_forget,
	.event = out_event,
};

static char *run_folder(void) {
	return mem_printf("%s/run", stage->context.data.folder);
}

static int set_up(void **state UNUSED) {
	static const struct platform_driver *const drivers[] = {&platform_fake};
	struct error err;
	stage = mem_zalloc(sizeof *stage);
	struct context *context = &stage->context;
	stage->told = BUF_INIT(KIB(64));
	assert_int_equal(platform_choose_among(drivers, 1, "fake", &stage->choice, &err), 0);
	stage->options = (struct backplane_options){.platform = &stage->choice, .program = "/usr/bin/ftl"};
	context->options = &stage->options;
	context->data.folder = mem_strdup("/data");
	stage->effects.ops = &ops;
	stage->link.context = context;
	context->tick.fire = ignore_tick;
	loop_init(&context->loop);
	stage->config = control_config_default;
	control_init(&context->control, &stage->config, &stage->effects, loop_now_ms(&context->loop));
	return 0;
}

static int tear_down(void **state UNUSED) {
	struct context *context = &stage->context;
	char *folder = run_folder();
	platform_link_close(&stage->link);
	fake_free(folder);
	free(folder);
	timer_stop(&context->loop, &context->tick);
	control_deinit(&context->control);
	loop_deinit(&context->loop);
	buf_deinit(&stage->told);
	platform_choice_deinit(&stage->choice);
	free(context->data.folder);
	free(stage);
	return 0;
}

static void appear(const char *key) {
	char *folder = run_folder();
	fake_appear(folder, key);
	free(folder);
}

static void end_runner(const char *key) {
	char *folder = run_folder();
	fake_end(folder, key);
	free(folder);
}

static void open_link(void) {
	struct error err;
	if (platform_link_open(&stage->link, 10000, &err) < 0)
		fail_msg("%s", err.msg);
}

static void expect_told(const char *lines) {
	struct str told = buf_view(&stage->told);
	if (!str_eq_c(told, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(told));
	buf_clear(&stage->told);
}

static bool is_of_platform(const char *key) {
	return control_is_of_platform(&stage->context.control, str_from(key));
}

static void stop_loop(struct timer *timer UNUSED) {
	loop_stop(&stage->context.loop);
}

static void pass(uint64_t ms) {
	struct timer timer = {.fire = stop_loop};
	timer_start(&stage->context.loop, &timer, ms);
	loop_run(&stage->context.loop);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void runners_that_are_found_reach_the_control_side_at_the_beginning(void **state UNUSED) {
	appear("rnr-a");
	appear("rnr-b");
	open_link();
	expect_told("");
	assert_false(is_of_platform("rnr-a"));
	platform_link_begin(&stage->link);
	assert_true(is_of_platform("rnr-a") && is_of_platform("rnr-b"));
	expect_told("rnr-a: left by the Backplane before; it may register again\n"
		    "rnr-b: left by the Backplane before; it may register again\n");
}

static void a_runner_that_ends_before_the_beginning_is_not_told(void **state UNUSED) {
	appear("rnr-a");
	appear("rnr-b");
	open_link();
	end_runner("rnr-a");
	pass(20);
	platform_link_begin(&stage->link);
	assert_false(is_of_platform("rnr-a"));
	assert_true(is_of_platform("rnr-b"));
}

static void events_reach_the_control_side_after_the_beginning(void **state UNUSED) {
	open_link();
	platform_link_begin(&stage->link);
	appear("rnr-late");
	assert_true(is_of_platform("rnr-late"));
	platform_link_create(&stage->link, "rnr-b", "ends");
	end_runner("rnr-late");
	pass(50);
	assert_false(is_of_platform("rnr-late"));
	expect_told("rnr-late: left by the Backplane before; it may register again\nrnr-late: exited\n");
}

static void progress_is_an_event_of_the_runner(void **state UNUSED) {
	open_link();
	platform_link_begin(&stage->link);
	control_found(&stage->context.control, "rnr-a"); /* stands in for a creation of the control side */
	buf_clear(&stage->told);
	platform_link_create(&stage->link, "rnr-a", "stays");
	pass(20);
	expect_told("rnr-a: pulls the image\n");
}

static void a_listing_that_fails_is_an_error(void **state UNUSED) {
	char *folder = run_folder();
	struct error err;
	fake_fail_listing(folder, "the cluster does not answer");
	assert_int_equal(platform_link_open(&stage->link, 10000, &err), -1);
	assert_string_equal(err.msg, "the cluster does not answer");
	assert_int_equal(err.code, CODE_UNAVAILABLE);
	free(folder);
}

static void a_listing_that_takes_too_long_is_an_error(void **state UNUSED) {
	char *folder = run_folder();
	struct error err;
	fake_hold_listing(folder);
	assert_int_equal(platform_link_open(&stage->link, 20, &err), -1);
	assert_string_equal(err.msg, "the platform \"fake\" has not listed its Runners within 20 ms");
	assert_int_equal(err.code, CODE_DEADLINE_EXCEEDED);
	free(folder);
}

static void closing_twice_is_harmless(void **state UNUSED) {
	appear("rnr-a");
	open_link();
	platform_link_close(&stage->link);
	platform_link_close(&stage->link);
}

static void set_state(void *argument) {
	const enum platform_link_state *states = argument;
	struct platform_link link = {.state = states[0]};
	platform_link_set_state(&link, states[1]);
}

static void a_transition_that_the_table_lacks_aborts(void **state UNUSED) {
	static const unsigned allowed[PLATFORM_LINK_STATE_COUNT] = {
		[PLATFORM_LINK_CLOSED] = 1 << PLATFORM_LINK_LISTING,
		[PLATFORM_LINK_LISTING] = 1 << PLATFORM_LINK_LISTED | 1 << PLATFORM_LINK_CLOSED,
		[PLATFORM_LINK_LISTED] = 1 << PLATFORM_LINK_SERVING | 1 << PLATFORM_LINK_CLOSED,
		[PLATFORM_LINK_SERVING] = 1 << PLATFORM_LINK_CLOSED,
	};
	for (unsigned from = 0; from < PLATFORM_LINK_STATE_COUNT; from++) {
		for (unsigned to = 0; to < PLATFORM_LINK_STATE_COUNT; to++) {
			enum platform_link_state states[] = {from, to};
			if (allowed[from] & 1u << to)
				set_state(states);
			else
				assert_dies(set_state, states);
		}
	}
}

#define STAGE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		STAGE_TEST(runners_that_are_found_reach_the_control_side_at_the_beginning),
		STAGE_TEST(a_runner_that_ends_before_the_beginning_is_not_told),
		STAGE_TEST(events_reach_the_control_side_after_the_beginning),
		STAGE_TEST(progress_is_an_event_of_the_runner),
		STAGE_TEST(a_listing_that_fails_is_an_error),
		STAGE_TEST(a_listing_that_takes_too_long_is_an_error),
		STAGE_TEST(closing_twice_is_harmless),
		cmocka_unit_test(a_transition_that_the_table_lacks_aborts),
	};
	return cmocka_run_group_tests_name("platform_link", tests, NULL, NULL);
}
