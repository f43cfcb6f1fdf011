/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events that a change brings along.
 */
#include "suite_fixture.h"

#include "base/memory.h"

static void add_event(struct fixture *fixture, struct event_record event) {
	const struct store_change change = {.events = &event, .event_count = 1};
	struct error err;
	if (fixture_commit(fixture, &change, &err) < 0)
		fail_msg("%s", err.msg);
}

static void gives_back_events(void **state) {
	struct fixture *fixture = *state;
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "");
	for (uint64_t i = 1; i <= 6; i++)
		add_event(fixture, make_event(i, i % 2 == 0 ? "echo" : "time"));
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "1 2 3 4 5 6");
	assert_events(fixture, (struct event_query){.newest = 4, .limit = 2}, "3 4");
	assert_events(fixture, (struct event_query){.newest = 0, .limit = SIZE_MAX}, "");
	assert_events(fixture, (struct event_query){.after = 4, .newest = SIZE_MAX, .limit = SIZE_MAX}, "5 6");
	assert_events(fixture, (struct event_query){.module = "echo", .newest = 2, .limit = SIZE_MAX}, "4 6");
	assert_events(fixture, (struct event_query){.since_ms = 1700000000005, .newest = SIZE_MAX, .limit = SIZE_MAX},
		      "5 6");
	fixture_close(fixture);
	fixture_open(fixture);
	struct event_record *events;
	size_t count;
	const struct event_query query = {.module = "", .newest = 1, .limit = 1};
	assert_int_equal(fixture->store->ops->list_events(fixture->store, &query, &fixture->arena, &events, &count,
							  NULL),
			 0);
	const struct event_record expected = make_event(6, "echo");
	assert_int_equal(events->time_ms, expected.time_ms);
	assert_int_equal(events->kind, expected.kind);
	assert_string_equal(events->module, expected.module);
	assert_string_equal(events->deployment_key, expected.deployment_key);
	assert_string_equal(events->runner_key, expected.runner_key);
	assert_string_equal(events->text, expected.text);
	assert_string_equal(events->lines, expected.lines);
	assert_int_equal(events->retry_ms, expected.retry_ms);
}

static void keeps_the_newest_events(void **state) {
	struct fixture *fixture = *state;
	enum { MORE = 5 };
	struct event_record *events = mem_alloc((EVENTS_MAX + MORE) * sizeof *events);
	for (uint64_t i = 0; i < EVENTS_MAX + MORE; i++)
		events[i] = make_event(i + 1, "echo");
	const struct store_change change = {.events = events, .event_count = EVENTS_MAX + MORE};
	struct error err;
	assert_int_equal(fixture_commit(fixture, &change, &err), 0);
	free(events);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = 2}, "6 7");
	add_event(fixture, make_event(EVENTS_MAX + MORE + 1, "echo"));
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = 2}, "7 8");
}

static void keeps_events_with_what_they_tell_of(void **state) {
	struct fixture *fixture = *state;
	const struct event_record event = make_event(1, "echo");
	const struct store_change change = {.deployment_key = "dpl-echo-1",
					    .state = DEPLOYMENT_LIVE,
					    .detail = "",
					    .events = &event,
					    .event_count = 1};
	struct error err;
	assert_int_equal(fixture_commit(fixture, &change, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "");
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "one"), "dpl-echo-1");
	assert_int_equal(fixture_commit(fixture, &change, &err), 0);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "1");
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
}

static const struct CMUnitTest tests[] = {
	TEST(gives_back_events),
	TEST(keeps_the_newest_events),
	TEST(keeps_events_with_what_they_tell_of),
};

const struct suite_group suite_events = {tests, ARRAY_LEN(tests)};
