/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may write, what a change does, who is told of it, and what a killed process leaves.
 */
#include "suite_fixture.h"

#include <sys/wait.h>

static void assert_stale(int result, const struct error *err) {
	assert_int_equal(result, -1);
	assert_int_equal(err->code, CODE_FAILED_PRECONDITION);
	assert_string_equal(err->reason, "STALE_EPOCH");
}

static void every_epoch_is_larger_than_the_one_before(void **state) {
	struct fixture *fixture = *state;
	uint64_t first = fixture->epoch, second;
	struct error err;
	assert_true(first > 0);
	assert_int_equal(fixture->store->ops->acquire(fixture->store, &second, &err), 0);
	assert_true(second > first);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_true(fixture->epoch > second);
}

static void tells_whether_an_epoch_is_the_newest(void **state) {
	struct fixture *fixture = *state;
	uint64_t newest;
	struct error err;
	assert_int_equal(fixture->store->ops->renew(fixture->store, fixture->epoch, &err), 0);
	assert_int_equal(fixture->store->ops->acquire(fixture->store, &newest, &err), 0);
	assert_stale(fixture->store->ops->renew(fixture->store, fixture->epoch, &err), &err);
	char *texts[] = {arena_printf(&fixture->arena, "is %d,", (int)newest),
			 arena_printf(&fixture->arena, "has %d", (int)fixture->epoch)};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strstr(err.msg, texts[i]) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.msg, texts[i]);
	assert_int_equal(fixture->store->ops->renew(fixture->store, newest, &err), 0);
	/* An epoch that the store never gave, as after a copy of an old database was put back. */
	assert_stale(fixture->store->ops->renew(fixture->store, newest + 1, &err), &err);
}

static void a_stale_writer_is_refused_and_changes_nothing(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	uint64_t stale = fixture->epoch;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	assert_int_equal(fixture->store->ops->acquire(fixture->store, &fixture->epoch, &err), 0);
	uint64_t sequence = fixture_load(fixture).sequence;

	struct module_record live = {"echo", "dpl-echo-1", "", 7};
	const struct event_record event = make_event(1, "echo");
	const struct store_change change = {.deployment_key = "dpl-echo-1",
					    .state = DEPLOYMENT_LIVE,
					    .detail = "up",
					    .module = &live,
					    .events = &event,
					    .event_count = 1};
	const struct deployment_record record = make_record("dpl-time-1", "time", "first");
	char key[KEY_MAX] = "untouched";
	bool existed;
	assert_stale(fixture->store->ops->commit(fixture->store, stale, &change, &err), &err);
	assert_stale(fixture->store->ops->add_deployment(fixture->store, stale, &record, key, &existed, &err), &err);
	assert_string_equal(key, "untouched");
	assert_only_module(fixture, "echo", "", "", 1);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_STARTING);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "");
	assert_missing(fixture, "dpl-time-1");
	assert_int_equal(fixture_load(fixture).sequence, sequence);

	assert_int_equal(fixture_commit(fixture, &change, &err), 0);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", 7);
}

static struct store_rows watch(struct fixture *fixture, uint64_t after) {
	struct store_rows rows;
	struct error err;
	if (fixture->store->ops->watch(fixture->store, after, &fixture->arena, &rows, &err) < 0)
		fail_msg("%s", err.msg);
	return rows;
}

static void assert_nothing_changed(struct fixture *fixture, uint64_t after) {
	struct store_rows rows = watch(fixture, after);
	assert_true(rows.sequence == after);
	assert_int_equal(rows.module_count, 0);
	assert_int_equal(rows.deployment_count, 0);
}

static void a_follower_sees_each_change_once(void **state) {
	struct fixture *fixture = *state;
	assert_nothing_changed(fixture, 0);
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct store_rows added = watch(fixture, 0);
	assert_int_equal(added.module_count, 1);
	assert_module(&added.modules[0], "echo", "", "", 1);
	assert_keys(&added, "dpl-echo-1");
	assert_true(added.sequence == fixture_load(fixture).sequence);
	assert_nothing_changed(fixture, added.sequence);

	fixture_add(fixture, make_record("dpl-time-1", "time", "first"), "dpl-time-1");
	fixture_set(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "it was bad", NULL);
	struct store_rows both = watch(fixture, added.sequence);
	assert_int_equal(both.module_count, 1);
	assert_module(&both.modules[0], "time", "", "", 1);
	assert_keys(&both, "dpl-echo-1 dpl-time-1");
	assert_int_equal(both.deployments[0].state, DEPLOYMENT_FAILED);
	assert_string_equal(both.deployments[0].detail, "it was bad");
	assert_nothing_changed(fixture, both.sequence);

	struct module_record live = {"echo", "dpl-echo-1", "", 3};
	fixture_set(fixture, NULL, 0, NULL, &live);
	struct store_rows module = watch(fixture, both.sequence);
	assert_int_equal(module.module_count, 1);
	assert_module(&module.modules[0], "echo", "dpl-echo-1", "", 3);
	assert_int_equal(module.deployment_count, 0);
}

static void a_follower_goes_on_after_the_store_is_opened_again(void **state) {
	struct fixture *fixture = *state;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	uint64_t sequence = fixture_load(fixture).sequence;
	fixture_close(fixture);
	fixture_open(fixture);
	assert_nothing_changed(fixture, sequence);
	fixture_set(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", NULL);
	struct store_rows rows = watch(fixture, sequence);
	assert_keys(&rows, "dpl-echo-1");
}

static void changes_that_failed_have_no_number(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	uint64_t sequence = fixture_load(fixture).sequence;
	struct module_record unknown = {"ecco", "dpl-echo-1", "", 1};
	assert_int_equal(fixture_update(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", &unknown, &err), -1);
	assert_nothing_changed(fixture, sequence);
}

static void updates_both_or_neither(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct module_record live = {"echo", "dpl-echo-1", "", UINT32_MAX};
	assert_int_equal(fixture_update(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "up", &live, &err), 0);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", UINT32_MAX);
	assert_string_equal(fixture_get(fixture, "dpl-echo-1").detail, "up");

	struct module_record unknown = {"ecco", "dpl-echo-1", "", 1};
	assert_int_equal(fixture_update(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "down", &unknown, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, "ecco"));
	struct module_record changed = {"echo", "", "dpl-echo-1", 9};
	assert_int_equal(fixture_update(fixture, "dpl-echo-9", DEPLOYMENT_LIVE, "", &changed, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, "dpl-echo-9"));
	struct module_record dangling = {"echo", "dpl-echo-9", "", 9};
	assert_int_equal(fixture_update(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "down", &dangling, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", UINT32_MAX);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
	assert_string_equal(fixture_get(fixture, "dpl-echo-1").detail, "up");
}

static void updates_either_alone(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct module_record stopped = {"echo", "", "", 0};
	assert_int_equal(fixture_update(fixture, NULL, 0, NULL, &stopped, &err), 0);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_STARTING);
	assert_int_equal(fixture_update(fixture, "dpl-echo-1", DEPLOYMENT_STOPPED, NULL, NULL, &err), 0);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_STOPPED);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_STOPPED);
}

/* The n-th change of a run: even ones create, odd ones make the one before live. */
static void change(struct fixture *fixture, int round, int number) {
	char *key = arena_printf(&fixture->arena, "dpl-%d-%d", round, number / 2);
	struct error err;
	if (number % 2 == 0) {
		struct artefact_record artefacts[] = {{.path = STR_INIT("a")}, {.path = STR_INIT("b")}};
		struct deployment_record record = make_record(key, "echo", key);
		record.artefacts = artefacts;
		record.artefact_count = 2;
		fixture_add(fixture, record, key);
	} else {
		struct module_record live = {"echo", key, "", (uint32_t)number};
		assert_int_equal(fixture_update(fixture, key, DEPLOYMENT_LIVE, "up", &live, &err), 0);
	}
}

/* In a child: change after change, each told through the pipe once the store has answered. */
static _Noreturn void change_until_killed(struct fixture *fixture, int round, int told) {
	fixture_open(fixture);
	for (int number = 0;; number++) {
		change(fixture, round, number);
		arena_deinit(&fixture->arena);
		if (write(told, &number, sizeof number) != sizeof number)
			_exit(1);
	}
}

/* Returns the number of the last change that was answered, after killing the child past the first few. */
static int kill_in_the_middle(pid_t child, int told, int after) {
	int number = -1;
	for (int next; read(told, &next, sizeof next) == sizeof next; number = next) {
		if (next == after)
			kill(child, SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return number;
}

/* What was answered is there; of what was not, at most one change is there, and that whole. */
static void assert_kept(struct fixture *fixture, int round, int last) {
	struct module_record *all;
	assert_int_equal(fixture_modules(fixture, &all), 1);
	int made = 0;
	struct history_entry *entries;
	size_t total, count = fixture_history(fixture, "echo", SIZE_MAX, &entries, &total);
	for (size_t i = 0; i < count; i++) {
		struct deployment_record record = fixture_get(fixture, entries[i].deployment.key);
		assert_int_equal(record.artefact_count, 2);
		int of_round, index;
		assert_int_equal(sscanf(record.key, "dpl-%d-%d", &of_round, &index), 2);
		if (of_round != round)
			continue;
		made++;
		if (index * 2 + 1 <= last)
			assert_int_equal(record.state, DEPLOYMENT_LIVE);
		if (record.state == DEPLOYMENT_LIVE && index == last / 2)
			assert_string_equal(all->active_key, record.key);
	}
	assert_true(made >= last / 2 + 1 && made <= last / 2 + 2);
}

static void keeps_what_it_answered_when_killed(void **state) {
	struct fixture *fixture = *state;
	if (!fixture->backend->survives_process)
		return;
	fixture_close(fixture);
	for (int round = 0; round < 8; round++) {
		int told[2];
		assert_int_equal(pipe(told), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(told[0]);
			change_until_killed(fixture, round, told[1]);
		}
		close(told[1]);
		int last = kill_in_the_middle(child, told[0], 5 + 7 * round);
		close(told[0]);
		assert_true(last >= 5 + 7 * round);
		fixture_open(fixture);
		assert_kept(fixture, round, last);
		fixture_close(fixture);
	}
	fixture_open(fixture);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

static void activate(struct fixture *fixture, const char *key, int64_t active_ms, uint64_t origin) {
	const struct module_record module = {.name = "echo",
					     .active_key = key,
					     .next_key = "",
					     .replicas = 1,
					     .active_ms = active_ms,
					     .active_origin = origin};
	fixture_set(fixture, NULL, 0, NULL, &module);
}

static void assert_history(struct fixture *fixture, size_t limit, size_t expected_total, const char *expected) {
	struct history_entry *entries;
	size_t total, count = fixture_history(fixture, "echo", limit, &entries, &total);
	char found[256] = "";
	for (size_t i = 0; i < count; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s%s", i > 0 ? " " : "",
			 entries[i].deployment.key, entries[i].life != 0 ? "*" : "");
	assert_string_equal(found, expected);
	assert_int_equal(total, expected_total);
}

static void a_life_begins_when_another_deployment_or_another_time_is_active(void **state) {
	struct fixture *fixture = *state;
	fixture_add(fixture, make_record("a", "echo", "first"), "a");
	activate(fixture, "a", 100, 0);
	fixture_add(fixture, make_record("b", "echo", "second"), "b");
	fixture_add(fixture, make_record("c", "echo", "third"), "c");
	assert_history(fixture, 10, 3, "c b a*");
	activate(fixture, "b", 90, 0); /* a clock that runs backwards */
	activate(fixture, "b", 90, 0);
	assert_history(fixture, 10, 3, "b* c a*");
	activate(fixture, "a", 300, 0);
	activate(fixture, "", 0, 0);
	activate(fixture, "a", 400, 0);
	activate(fixture, "a", 500, 0);
	assert_history(fixture, 10, 6, "a* a* a* b* c a*");
	assert_history(fixture, 2, 6, "a* a*");
	fixture_close(fixture);
	fixture_open(fixture);
	assert_history(fixture, 10, 6, "a* a* a* b* c a*");
}

static void a_life_tells_when_it_began_and_where_it_stands(void **state) {
	struct fixture *fixture = *state;
	struct history_entry *entries;
	size_t total;
	fixture_add(fixture, make_record("a", "echo", "first"), "a");
	activate(fixture, "a", 100, 0);
	assert_int_equal(fixture_history(fixture, "echo", 1, &entries, &total), 1);
	uint64_t first = entries[0].life;
	assert_int_equal(entries[0].origin, first);
	assert_int_equal(entries[0].begin_ms, 100);
	activate(fixture, "a", 200, first);
	assert_int_equal(fixture_history(fixture, "echo", 2, &entries, &total), 2);
	assert_true(entries[0].life > first);
	assert_int_equal(entries[0].origin, first);
	assert_int_equal(entries[1].life, first);
}

static void keeps_the_newest_lives_of_each_module(void **state) {
	struct fixture *fixture = *state;
	struct history_entry *entries;
	size_t total;
	fixture_add(fixture, make_record("other", "other", "other"), "other");
	fixture_set(fixture, NULL, 0, NULL,
		    &(struct module_record){.name = "other", .active_key = "other", .next_key = "", .active_ms = 1});
	fixture_add(fixture, make_record("a", "echo", "first"), "a");
	for (int64_t i = 1; i <= HISTORY_MAX + 5; i++)
		activate(fixture, "a", i, 0);
	assert_int_equal(fixture_history(fixture, "echo", SIZE_MAX, &entries, &total), HISTORY_MAX);
	assert_int_equal(total, HISTORY_MAX);
	assert_int_equal(entries[0].begin_ms, HISTORY_MAX + 5);
	assert_int_equal(entries[HISTORY_MAX - 1].begin_ms, 6);
	assert_int_equal(fixture_history(fixture, "other", SIZE_MAX, &entries, &total), 1);
}

static const struct CMUnitTest tests[] = {
	TEST(a_life_begins_when_another_deployment_or_another_time_is_active),
	TEST(a_life_tells_when_it_began_and_where_it_stands),
	TEST(keeps_the_newest_lives_of_each_module),
	TEST(every_epoch_is_larger_than_the_one_before),
	TEST(tells_whether_an_epoch_is_the_newest),
	TEST(a_stale_writer_is_refused_and_changes_nothing),
	TEST(a_follower_sees_each_change_once),
	TEST(a_follower_goes_on_after_the_store_is_opened_again),
	TEST(changes_that_failed_have_no_number),
	TEST(updates_both_or_neither),
	TEST(updates_either_alone),
	TEST(keeps_what_it_answered_when_killed),
};

const struct suite_group suite_changes = {tests, ARRAY_LEN(tests)};
