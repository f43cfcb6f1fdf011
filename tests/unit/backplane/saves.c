/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of saves, with an owner who writes down what it is given and answers when the test says so.
 */
#include "backplane/saves.h"

#include <stdio.h>

#include "../cmocka_test.h"

#include "base/buf.h"

static struct saves saves;
static struct buf log_buf;
static unsigned waited;

/* "dpl-1 3 4": the deployment, and the events with it. */
static void write_down(struct saves *owner UNUSED, const struct save *save) {
	int over = buf_printf(&log_buf, "%s", save->has_deployment ? save->key : "-");
	for (size_t i = 0; i < save->event_count; i++)
		over |= buf_printf(&log_buf, " %d", (int)save->events[i].sequence);
	over |= buf_printf(&log_buf, "\n");
	assert_int_equal(over, 0);
}

static int set_up(void **state UNUSED) {
	saves_init(&saves, write_down);
	log_buf = BUF_INIT(MIB(1));
	waited = 0;
	return 0;
}

static int tear_down(void **state UNUSED) {
	saves_deinit(&saves);
	buf_deinit(&log_buf);
	return 0;
}

static void expect(const char *lines) {
	struct str seen = buf_view(&log_buf);
	if (!str_eq_c(seen, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(seen));
	buf_clear(&log_buf);
}

static void add_event(uint64_t sequence, const char *text, const char *lines) {
	saves_add_event(&saves, &(struct event_record){.sequence = sequence,
						       .module = "echo",
						       .deployment_key = "dpl-1",
						       .runner_key = "",
						       .text = text,
						       .lines = lines});
}

static void add_deployment(const char *key) {
	char detail[] = "";
	struct deployment deployment = {.detail = detail};
	snprintf(deployment.key, sizeof deployment.key, "%s", key);
	saves_add(&saves, &deployment, NULL);
}

static void on_kept(struct saves_waiter *waiter UNUSED) {
	waited++;
}

static void events_go_along_with_the_next_save(void **state UNUSED) {
	add_event(1, "one", "");
	add_event(2, "two", "");
	expect("");
	add_deployment("dpl-1");
	expect("dpl-1 1 2\n");
	add_event(3, "three", "");
	saves_written(&saves, true);
	expect("");
	add_deployment("dpl-2");
	expect("dpl-2 3\n");
}

static void events_alone_are_written_when_told_to(void **state UNUSED) {
	saves_flush(&saves);
	expect("");
	add_event(1, "one", "");
	saves_flush(&saves);
	saves_flush(&saves);
	expect("- 1\n");
	add_event(2, "two", "");
	saves_flush(&saves);
	expect("");
	saves_written(&saves, true);
	expect("- 2\n");
	saves_written(&saves, true);
	saves_flush(&saves);
	expect("");
}

static void who_waits_waits_for_events_too(void **state UNUSED) {
	struct saves_waiter first = {.kept = on_kept}, second = {.kept = on_kept}, third = {.kept = on_kept};
	assert_false(saves_wait(&saves, &first));
	add_event(1, "one", "");
	assert_true(saves_wait(&saves, &first));
	expect("- 1\n");
	add_event(2, "two", "");
	assert_true(saves_wait(&saves, &second));
	saves_written(&saves, true);
	expect("- 2\n");
	assert_int_equal(waited, 1);
	saves_written(&saves, true);
	assert_int_equal(waited, 2);
	assert_false(saves_wait(&saves, &third));
}

static void what_could_not_be_kept_is_written_again(void **state UNUSED) {
	add_event(1, "one", "");
	add_deployment("dpl-1");
	expect("dpl-1 1\n");
	saves_written(&saves, false);
	add_event(2, "two", "");
	saves_flush(&saves);
	expect("");
	saves_retry(&saves);
	expect("dpl-1 1 2\n");
}

static void a_change_takes_along_events_that_wait_alone(void **state UNUSED) {
	add_deployment("dpl-1");
	expect("dpl-1\n");
	add_event(1, "one", "");
	saves_flush(&saves);
	add_deployment("dpl-2");
	saves_written(&saves, true);
	expect("dpl-2 1\n");
	saves_written(&saves, true);
	expect("");
}

static void the_oldest_go_when_too_many_wait(void **state UNUSED) {
	add_event(1, "one", "");
	saves_flush(&saves);
	buf_clear(&log_buf);
	for (uint64_t i = 2; i <= EVENTS_WAITING_MAX + 10; i++)
		add_event(i, "more", "");
	assert_int_equal(saves.event_count, EVENTS_WAITING_MAX);
	/* The one that is being written stays. */
	assert_int_equal(saves.events[0].sequence, 1);
	assert_int_equal(saves.events[1].sequence, 12);
	saves_written(&saves, false);
	add_event(5000, "more", "");
	assert_int_equal(saves.events[0].sequence, 12);
	assert_int_equal(saves.events[EVENTS_WAITING_MAX - 1].sequence, 5000);
}

static void texts_are_cut_and_clean(void **state UNUSED) {
	char text[EVENT_TEXT_MAX + 10], lines[EVENT_LINES_MAX + 10];
	memset(text, 'x', sizeof text);
	memcpy(text + EVENT_TEXT_MAX - 1, "é", 3);
	memset(lines, 'y', sizeof lines);
	memcpy(lines, "first\n", 6);
	memcpy(lines + 100, "\nlast", 5);
	lines[sizeof lines - 1] = '\0';
	add_event(1, text, lines);
	assert_int_equal(strlen(saves.events[0].text), EVENT_TEXT_MAX - 1);
	assert_int_equal(strncmp(saves.events[0].lines, "last", 4), 0);
	add_event(2, "a\xffz", "");
	assert_string_equal(saves.events[1].text, "a?z");
}

#define SAVES_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		SAVES_TEST(events_go_along_with_the_next_save),
		SAVES_TEST(events_alone_are_written_when_told_to),
		SAVES_TEST(who_waits_waits_for_events_too),
		SAVES_TEST(what_could_not_be_kept_is_written_again),
		SAVES_TEST(a_change_takes_along_events_that_wait_alone),
		SAVES_TEST(the_oldest_go_when_too_many_wait),
		SAVES_TEST(texts_are_cut_and_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
