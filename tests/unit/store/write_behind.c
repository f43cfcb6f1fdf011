/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of saves, with an owner who writes down what it is given and answers when the test says so.
 */
#include "store/write_behind.h"

#include <stdio.h>

#include "cmocka_test.h"

#include "base/buf.h"

static struct write_behind write_behind;
static struct buf log_buf;
static unsigned waited;

/* "dpl-1 3 4": the deployment, and the events with it. */
static void write_down(struct write_behind *owner UNUSED, const struct save *save) {
	const struct store_change *change = &save->change;
	int over = buf_printf(&log_buf, "%s", change->deployment_key ? change->deployment_key : "-");
	for (size_t i = 0; i < change->event_count; i++)
		over |= buf_printf(&log_buf, " %d", (int)change->events[i].sequence);
	over |= buf_printf(&log_buf, "\n");
	assert_int_equal(over, 0);
}

static int set_up(void **state UNUSED) {
	write_behind_init(&write_behind, write_down);
	log_buf = BUF_INIT(MIB(1));
	waited = 0;
	return 0;
}

static int tear_down(void **state UNUSED) {
	write_behind_deinit(&write_behind);
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
	write_behind_add_event(&write_behind, &(struct event_record){.sequence = sequence,
								     .module = "echo",
								     .deployment_key = "dpl-1",
								     .runner_key = "",
								     .text = text,
								     .lines = lines});
}

static void add_deployment(const char *key) {
	write_behind_add(&write_behind, &(struct store_change){.deployment_key = key, .detail = ""});
}

static void on_stored(struct write_behind_waiter *waiter UNUSED) {
	waited++;
}

static void events_go_along_with_the_next_save(void **state UNUSED) {
	add_event(1, "one", "");
	add_event(2, "two", "");
	expect("");
	add_deployment("dpl-1");
	expect("dpl-1 1 2\n");
	add_event(3, "three", "");
	write_behind_written(&write_behind, true);
	expect("");
	add_deployment("dpl-2");
	expect("dpl-2 3\n");
}

static void events_alone_are_written_when_told_to(void **state UNUSED) {
	write_behind_flush(&write_behind);
	expect("");
	add_event(1, "one", "");
	write_behind_flush(&write_behind);
	write_behind_flush(&write_behind);
	expect("- 1\n");
	add_event(2, "two", "");
	write_behind_flush(&write_behind);
	expect("");
	write_behind_written(&write_behind, true);
	expect("- 2\n");
	write_behind_written(&write_behind, true);
	write_behind_flush(&write_behind);
	expect("");
}

static void a_waiter_waits_for_events_too(void **state UNUSED) {
	struct write_behind_waiter first = {.stored = on_stored}, second = {.stored = on_stored},
				   third = {.stored = on_stored};
	assert_false(write_behind_wait(&write_behind, &first));
	add_event(1, "one", "");
	assert_true(write_behind_wait(&write_behind, &first));
	expect("- 1\n");
	add_event(2, "two", "");
	assert_true(write_behind_wait(&write_behind, &second));
	write_behind_written(&write_behind, true);
	expect("- 2\n");
	assert_int_equal(waited, 1);
	write_behind_written(&write_behind, true);
	assert_int_equal(waited, 2);
	assert_false(write_behind_wait(&write_behind, &third));
}

static void changes_that_could_not_be_stored_are_written_again(void **state UNUSED) {
	add_event(1, "one", "");
	add_deployment("dpl-1");
	expect("dpl-1 1\n");
	write_behind_written(&write_behind, false);
	add_event(2, "two", "");
	write_behind_flush(&write_behind);
	expect("");
	write_behind_retry(&write_behind);
	expect("dpl-1 1 2\n");
}

static void a_change_takes_along_events_that_wait_alone(void **state UNUSED) {
	add_deployment("dpl-1");
	expect("dpl-1\n");
	add_event(1, "one", "");
	write_behind_flush(&write_behind);
	add_deployment("dpl-2");
	write_behind_written(&write_behind, true);
	expect("dpl-2 1\n");
	write_behind_written(&write_behind, true);
	expect("");
}

static void the_oldest_go_when_too_many_wait(void **state UNUSED) {
	add_event(1, "one", "");
	write_behind_flush(&write_behind);
	buf_clear(&log_buf);
	for (uint64_t i = 2; i <= EVENTS_WAITING_MAX + 10; i++)
		add_event(i, "more", "");
	assert_int_equal(write_behind.event_count, EVENTS_WAITING_MAX);
	/* The one that is being written stays. */
	assert_int_equal(write_behind.events[0].sequence, 1);
	assert_int_equal(write_behind.events[1].sequence, 12);
	write_behind_written(&write_behind, false);
	add_event(5000, "more", "");
	assert_int_equal(write_behind.events[0].sequence, 12);
	assert_int_equal(write_behind.events[EVENTS_WAITING_MAX - 1].sequence, 5000);
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
	assert_int_equal(strlen(write_behind.events[0].text), EVENT_TEXT_MAX - 1);
	assert_int_equal(strncmp(write_behind.events[0].lines, "last", 4), 0);
	add_event(2, "a\xffz", "");
	assert_string_equal(write_behind.events[1].text, "a?z");
}

#define SAVES_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		SAVES_TEST(events_go_along_with_the_next_save),
		SAVES_TEST(events_alone_are_written_when_told_to),
		SAVES_TEST(a_waiter_waits_for_events_too),
		SAVES_TEST(changes_that_could_not_be_stored_are_written_again),
		SAVES_TEST(a_change_takes_along_events_that_wait_alone),
		SAVES_TEST(the_oldest_go_when_too_many_wait),
		SAVES_TEST(texts_are_cut_and_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
