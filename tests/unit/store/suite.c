/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <sys/wait.h>

#include "base/memory.h"
#include "place.h"

static const struct suite_backend *backend;

struct fixture {
	struct place place;
	struct store *store;
	uint64_t epoch;
	struct arena arena;
};

static void open_store(struct fixture *fixture) {
	struct error err;
	if (backend->open(fixture->place.path, &fixture->store, &err) < 0 ||
	    fixture->store->ops->acquire(fixture->store, &fixture->epoch, &err) < 0)
		fail_msg("%s", err.msg);
}

static void close_store(struct fixture *fixture) {
	fixture->store->ops->close(fixture->store);
	fixture->store = NULL;
}

static int set_up(void **state) {
	struct fixture *fixture = mem_zalloc(sizeof *fixture);
	place_make(&fixture->place);
	arena_init(&fixture->arena, MIB(8));
	open_store(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	if (fixture->store != NULL)
		close_store(fixture);
	arena_deinit(&fixture->arena);
	if (backend->forget != NULL)
		backend->forget(fixture->place.path);
	place_remove(&fixture->place);
	free(fixture);
	return 0;
}

/* A deployment without artefacts; its identity is made of module and content. */
static struct deployment_record make_record(const char *key, const char *module, const char *content) {
	struct deployment_record record = {
		.key = key,
		.module = module,
		.language = "c",
		.schema = str_from(content),
		.created_ms = 1700000000123,
		.state = DEPLOYMENT_STARTING,
		.detail = "",
	};
	char *text = mem_printf("%s %s", module, content);
	digest_of(str_from(text), &record.identity);
	free(text);
	return record;
}

/* Returns whether the identity was there already; the key must be the expected one. */
static bool add(struct fixture *fixture, struct deployment_record record, const char *expected_key) {
	char key[KEY_MAX];
	bool existed;
	struct error err;
	if (fixture->store->ops->add_deployment(fixture->store, fixture->epoch, &record, key, &existed, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(key, expected_key);
	return existed;
}

static struct deployment_record get(struct fixture *fixture, const char *key) {
	struct deployment_record record;
	struct error err;
	if (fixture->store->ops->get_deployment(fixture->store, key, &fixture->arena, &record, &err) < 0)
		fail_msg("%s", err.msg);
	return record;
}

static void assert_missing(struct fixture *fixture, const char *key) {
	struct deployment_record record;
	struct error err;
	assert_int_equal(fixture->store->ops->get_deployment(fixture->store, key, &fixture->arena, &record, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, key));
}

static int commit(struct fixture *fixture, const struct store_change *change, struct error *err) {
	return fixture->store->ops->commit(fixture->store, fixture->epoch, change, err);
}

static int update(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		  const struct module_record *module, struct error *err) {
	return commit(fixture,
		      &(struct store_change){.deployment_key = key, .state = state, .detail = detail, .module = module},
		      err);
}

/* update() that must succeed. */
static void set(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		const struct module_record *module) {
	struct error err;
	if (update(fixture, key, state, detail, module, &err) < 0)
		fail_msg("%s", err.msg);
}

static size_t list(struct fixture *fixture, const char *module, size_t limit, struct deployment_record **ret_records) {
	size_t count;
	struct error err;
	if (fixture->store->ops->list_deployments(fixture->store, module, limit, &fixture->arena, ret_records, &count,
						  &err) < 0)
		fail_msg("%s", err.msg);
	return count;
}

static struct store_rows load(struct fixture *fixture) {
	struct store_rows rows;
	struct error err;
	if (fixture->store->ops->load(fixture->store, &fixture->arena, &rows, &err) < 0)
		fail_msg("%s", err.msg);
	return rows;
}

static size_t modules(struct fixture *fixture, struct module_record **ret_modules) {
	struct store_rows rows = load(fixture);
	*ret_modules = rows.modules;
	return rows.module_count;
}

/* "dpl-1 dpl-2" */
static void assert_keys(const struct store_rows *rows, const char *expected) {
	char found[256] = "";
	for (size_t i = 0; i < rows->deployment_count; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
			 rows->deployments[i].key);
	assert_string_equal(found, expected);
}

static void assert_module(const struct module_record *module, const char *name, const char *active_key,
			  const char *next_key, uint32_t replicas) {
	assert_string_equal(module->name, name);
	assert_string_equal(module->active_key, active_key);
	assert_string_equal(module->next_key, next_key);
	assert_int_equal(module->replicas, replicas);
}

static void assert_only_module(struct fixture *fixture, const char *name, const char *active_key, const char *next_key,
			       uint32_t replicas) {
	struct module_record *all;
	assert_int_equal(modules(fixture, &all), 1);
	assert_module(all, name, active_key, next_key, replicas);
}

static void begins_empty(void **state) {
	struct fixture *fixture = *state;
	struct module_record *all;
	struct deployment_record *deployments;
	assert_int_equal(modules(fixture, &all), 0);
	assert_int_equal(list(fixture, "echo", 10, &deployments), 0);
	assert_missing(fixture, "dpl-echo-0");
}

static void assert_same(const struct deployment_record *record, const struct deployment_record *expected) {
	assert_string_equal(record->key, expected->key);
	assert_string_equal(record->module, expected->module);
	assert_string_equal(record->language, expected->language);
	assert_true(digest_eq(&record->identity, &expected->identity));
	assert_true(record->created_ms == expected->created_ms);
	assert_int_equal(record->state, expected->state);
	assert_string_equal(record->detail, expected->detail);
}

static void assert_same_contents(const struct deployment_record *record, const struct deployment_record *expected) {
	assert_true(str_eq(record->schema, expected->schema));
	assert_int_equal(record->artefact_count, expected->artefact_count);
	for (size_t i = 0; i < record->artefact_count; i++) {
		assert_true(str_eq(record->artefacts[i].path, expected->artefacts[i].path));
		assert_true(digest_eq(&record->artefacts[i].digest, &expected->artefacts[i].digest));
		assert_int_equal(record->artefacts[i].executable, expected->artefacts[i].executable);
	}
}

static void gives_back_what_it_was_given(void **state) {
	struct fixture *fixture = *state;
	/* In the order of bytes, not of any language. Two paths have the same content. */
	struct artefact_record artefacts[] = {
		{.path = STR_INIT("Main"), .executable = true},
		{.path = STR_INIT("lib/a")},
		{.path = STR_INIT("lib/b")},
		{.path = STR_INIT("lib0")},
		{.path = STR_INIT("main"), .executable = true},
		{.path = STR_INIT("\xC3\xA4 and a blank")},
	};
	digest_of(STR("one"), &artefacts[0].digest);
	for (size_t i = 1; i < ARRAY_LEN(artefacts); i++)
		digest_of(i < 4 ? STR("the same") : STR(""), &artefacts[i].digest);
	struct deployment_record full = make_record("dpl-echo-1", "echo", "full");
	full.schema = STR("\0\1\xFF packed \0");
	full.artefacts = artefacts;
	full.artefact_count = ARRAY_LEN(artefacts);
	full.detail = "waits for a Runner, with 'quotes\"; and \xC3\xA4";
	full.created_ms = -1;
	struct deployment_record bare = make_record("dpl-echo-2", "echo", "");
	bare.language = "python";
	bare.state = DEPLOYMENT_FAILED;
	assert_false(add(fixture, full, "dpl-echo-1"));
	assert_false(add(fixture, bare, "dpl-echo-2"));
	for (int round = 0; round < 2; round++) {
		struct deployment_record record = get(fixture, "dpl-echo-1");
		assert_same(&record, &full);
		assert_same_contents(&record, &full);
		record = get(fixture, "dpl-echo-2");
		assert_same(&record, &bare);
		assert_same_contents(&record, &bare);
		close_store(fixture);
		open_store(fixture);
	}
}

static void takes_many_artefacts_and_a_large_schema(void **state) {
	struct fixture *fixture = *state;
	enum { COUNT = 3000, SCHEMA_SIZE = 1 << 20 };
	struct artefact_record *artefacts = mem_zalloc(COUNT * sizeof *artefacts);
	char *schema = mem_alloc(SCHEMA_SIZE);
	memset(schema, 's', SCHEMA_SIZE);
	for (int i = 0; i < COUNT; i++) {
		artefacts[i].path = str_from(arena_printf(&fixture->arena, "file-%05d", i));
		digest_of(artefacts[i].path, &artefacts[i].digest);
	}
	struct deployment_record large = make_record("dpl-large-1", "large", "large");
	large.schema = str_new(schema, SCHEMA_SIZE);
	large.artefacts = artefacts;
	large.artefact_count = COUNT;
	add(fixture, large, "dpl-large-1");
	struct deployment_record record = get(fixture, "dpl-large-1");
	assert_same_contents(&record, &large);
	free(schema);
	free(artefacts);
}

static void finds_the_same_identity_again(void **state) {
	struct fixture *fixture = *state;
	assert_false(add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1"));
	assert_false(add(fixture, make_record("dpl-echo-2", "echo", "second"), "dpl-echo-2"));
	struct store_rows before = load(fixture);
	assert_true(add(fixture, make_record("dpl-echo-3", "echo", "first"), "dpl-echo-1"));
	assert_true(add(fixture, make_record("dpl-echo-4", "echo", "second"), "dpl-echo-2"));
	assert_missing(fixture, "dpl-echo-3");
	struct deployment_record *deployments;
	assert_int_equal(list(fixture, "echo", 10, &deployments), 2);
	assert_int_equal(load(fixture).sequence, before.sequence);
}

/* What is wanted of a module is not for the store to say. */
static void adding_a_deployment_changes_no_module(void **state) {
	struct fixture *fixture = *state;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	assert_only_module(fixture, "echo", "", "", 1);
	struct module_record wanted = {"echo", "dpl-echo-1", "", 4, 2};
	set(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", &wanted);
	add(fixture, make_record("dpl-echo-2", "echo", "second"), "dpl-echo-2");
	add(fixture, make_record("dpl-echo-3", "echo", "first"), "dpl-echo-1");
	assert_only_module(fixture, "echo", "dpl-echo-1", "", 4);
	struct module_record *all;
	modules(fixture, &all);
	assert_int_equal(all->next_replicas, 2);
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
}

static void loads_what_a_backplane_starts_from(void **state) {
	struct fixture *fixture = *state;
	static const struct {
		const char *key, *module;
		enum deployment_state state;
	} rows[] = {
		{"dpl-time-1", "time", DEPLOYMENT_FAILED}, /* the newest of its module */
		{"dpl-echo-1", "echo", DEPLOYMENT_STOPPED}, /* the active one */
		{"dpl-echo-2", "echo", DEPLOYMENT_FAILED}, /* the next one */
		{"dpl-echo-3", "echo", DEPLOYMENT_STOPPED}, {"dpl-echo-4", "echo", DEPLOYMENT_DRAINING},
		{"dpl-echo-5", "echo", DEPLOYMENT_FAILED},  {"dpl-echo-6", "echo", DEPLOYMENT_STARTING},
		{"dpl-echo-7", "echo", DEPLOYMENT_LIVE},    {"dpl-echo-8", "echo", DEPLOYMENT_STOPPED},
		{"dpl-echo-9", "echo", DEPLOYMENT_STOPPED}, /* the newest */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		add(fixture, make_record(rows[i].key, rows[i].module, rows[i].key), rows[i].key);
		set(fixture, rows[i].key, rows[i].state, rows[i].key, NULL);
	}
	struct module_record wanted = {"echo", "dpl-echo-1", "dpl-echo-2", 3, 1};
	set(fixture, NULL, 0, NULL, &wanted);
	struct store_rows loaded = load(fixture);
	assert_int_equal(loaded.module_count, 2);
	assert_module(&loaded.modules[0], "echo", "dpl-echo-1", "dpl-echo-2", 3);
	assert_int_equal(loaded.modules[0].next_replicas, 1);
	assert_module(&loaded.modules[1], "time", "", "", 1);
	assert_keys(&loaded, "dpl-echo-1 dpl-echo-2 dpl-echo-4 dpl-echo-6 dpl-echo-7 dpl-echo-9 dpl-time-1");
	assert_int_equal(loaded.deployments[2].state, DEPLOYMENT_DRAINING);
	assert_string_equal(loaded.deployments[2].detail, "dpl-echo-4");
	assert_int_equal(loaded.deployments[2].schema.len, 0);
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

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
	close_store(fixture);
	open_store(fixture);
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

static struct event_record make_event(uint64_t sequence, const char *module) {
	return (struct event_record){.sequence = sequence,
				     .time_ms = 1700000000000 + (int64_t)sequence,
				     .kind = EVENT_DEPLOYMENT_CREATED,
				     .module = module,
				     .deployment_key = "dpl-1",
				     .runner_key = "rnr-1",
				     .text = "created",
				     .lines = "one\ntwo",
				     .retry_ms = 7};
}

/* The sequences of what is found, as "1 2 3". */
static void assert_events(struct fixture *fixture, struct event_query query, const char *expected) {
	struct event_record *events;
	size_t count;
	struct error err;
	char found[256] = "";
	query.module = query.module ? query.module : "";
	if (fixture->store->ops->list_events(fixture->store, &query, &fixture->arena, &events, &count, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < count; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%llu", i > 0 ? " " : "",
			 (unsigned long long)events[i].sequence);
	assert_string_equal(found, expected);
}

static void a_stale_writer_is_refused_and_changes_nothing(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	uint64_t stale = fixture->epoch;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	assert_int_equal(fixture->store->ops->acquire(fixture->store, &fixture->epoch, &err), 0);
	uint64_t sequence = load(fixture).sequence;

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
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_STARTING);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "");
	assert_missing(fixture, "dpl-time-1");
	assert_int_equal(load(fixture).sequence, sequence);

	assert_int_equal(commit(fixture, &change, &err), 0);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", 7);
}

/* --- watch -------------------------------------------------------------------------------------------------------- */

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
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct store_rows added = watch(fixture, 0);
	assert_int_equal(added.module_count, 1);
	assert_module(&added.modules[0], "echo", "", "", 1);
	assert_keys(&added, "dpl-echo-1");
	assert_true(added.sequence == load(fixture).sequence);
	assert_nothing_changed(fixture, added.sequence);

	add(fixture, make_record("dpl-time-1", "time", "first"), "dpl-time-1");
	set(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "it was bad", NULL);
	struct store_rows both = watch(fixture, added.sequence);
	assert_int_equal(both.module_count, 1);
	assert_module(&both.modules[0], "time", "", "", 1);
	assert_keys(&both, "dpl-echo-1 dpl-time-1");
	assert_int_equal(both.deployments[0].state, DEPLOYMENT_FAILED);
	assert_string_equal(both.deployments[0].detail, "it was bad");
	assert_nothing_changed(fixture, both.sequence);

	struct module_record live = {"echo", "dpl-echo-1", "", 3};
	set(fixture, NULL, 0, NULL, &live);
	struct store_rows module = watch(fixture, both.sequence);
	assert_int_equal(module.module_count, 1);
	assert_module(&module.modules[0], "echo", "dpl-echo-1", "", 3);
	assert_int_equal(module.deployment_count, 0);
}

static void a_follower_goes_on_after_the_store_is_opened_again(void **state) {
	struct fixture *fixture = *state;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	uint64_t sequence = load(fixture).sequence;
	close_store(fixture);
	open_store(fixture);
	assert_nothing_changed(fixture, sequence);
	set(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", NULL);
	struct store_rows rows = watch(fixture, sequence);
	assert_keys(&rows, "dpl-echo-1");
}

static void changes_that_failed_have_no_number(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	uint64_t sequence = load(fixture).sequence;
	struct module_record unknown = {"ecco", "dpl-echo-1", "", 1};
	assert_int_equal(update(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", &unknown, &err), -1);
	assert_nothing_changed(fixture, sequence);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void updates_both_or_neither(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct module_record live = {"echo", "dpl-echo-1", "", UINT32_MAX};
	assert_int_equal(update(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "up", &live, &err), 0);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", UINT32_MAX);
	assert_string_equal(get(fixture, "dpl-echo-1").detail, "up");

	struct module_record unknown = {"ecco", "dpl-echo-1", "", 1};
	assert_int_equal(update(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "down", &unknown, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, "ecco"));
	struct module_record changed = {"echo", "", "dpl-echo-1", 9};
	assert_int_equal(update(fixture, "dpl-echo-9", DEPLOYMENT_LIVE, "", &changed, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, "dpl-echo-9"));
	struct module_record dangling = {"echo", "dpl-echo-9", "", 9};
	assert_int_equal(update(fixture, "dpl-echo-1", DEPLOYMENT_FAILED, "down", &dangling, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	assert_only_module(fixture, "echo", "dpl-echo-1", "", UINT32_MAX);
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
	assert_string_equal(get(fixture, "dpl-echo-1").detail, "up");
}

static void updates_either_alone(void **state) {
	struct fixture *fixture = *state;
	struct error err;
	add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	struct module_record stopped = {"echo", "", "", 0};
	assert_int_equal(update(fixture, NULL, 0, NULL, &stopped, &err), 0);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_STARTING);
	assert_int_equal(update(fixture, "dpl-echo-1", DEPLOYMENT_STOPPED, NULL, NULL, &err), 0);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_STOPPED);
	close_store(fixture);
	open_store(fixture);
	assert_only_module(fixture, "echo", "", "", 0);
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_STOPPED);
}

static void lists_modules_by_name(void **state) {
	struct fixture *fixture = *state;
	static const char *const names[] = {"time", "echo", "Zoo", "a2", "a10", "mid"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		add(fixture, make_record(names[i], names[i], "content"), names[i]);
		set(fixture, NULL, 0, NULL, &(struct module_record){names[i], "", names[i], (uint32_t)i + 1});
	}
	struct module_record *all;
	assert_int_equal(modules(fixture, &all), ARRAY_LEN(names));
	assert_module(&all[0], "Zoo", "", "Zoo", 3);
	assert_module(&all[1], "a10", "", "a10", 5);
	assert_module(&all[2], "a2", "", "a2", 4);
	assert_module(&all[3], "echo", "", "echo", 2);
	assert_module(&all[4], "mid", "", "mid", 6);
	assert_module(&all[5], "time", "", "time", 1);
}

static void lists_deployments_newest_first(void **state) {
	struct fixture *fixture = *state;
	for (int i = 0; i < 10; i++) {
		char *key = arena_printf(&fixture->arena, "dpl-%d", i);
		struct deployment_record record = make_record(key, i % 2 ? "odd" : "even", key);
		record.created_ms = 1000 - i; /* a clock that runs backwards */
		add(fixture, record, key);
	}
	struct deployment_record *deployments;
	assert_int_equal(list(fixture, "odd", SIZE_MAX, &deployments), 5);
	for (int i = 0; i < 5; i++) {
		struct deployment_record record = get(fixture, arena_printf(&fixture->arena, "dpl-%d", 9 - 2 * i));
		assert_same(&deployments[i], &record);
		assert_int_equal(deployments[i].schema.len, 0);
		assert_int_equal(deployments[i].artefact_count, 0);
	}
	assert_int_equal(list(fixture, "even", 2, &deployments), 2);
	assert_string_equal(deployments[0].key, "dpl-8");
	assert_string_equal(deployments[1].key, "dpl-6");
	assert_int_equal(list(fixture, "even", 0, &deployments), 0);
}

static void add_event(struct fixture *fixture, struct event_record event) {
	const struct store_change change = {.events = &event, .event_count = 1};
	struct error err;
	if (commit(fixture, &change, &err) < 0)
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
	close_store(fixture);
	open_store(fixture);
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
	assert_int_equal(commit(fixture, &change, &err), 0);
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
	assert_int_equal(commit(fixture, &change, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "");
	add(fixture, make_record("dpl-echo-1", "echo", "one"), "dpl-echo-1");
	assert_int_equal(commit(fixture, &change, &err), 0);
	assert_events(fixture, (struct event_query){.newest = SIZE_MAX, .limit = SIZE_MAX}, "1");
	assert_int_equal(get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
}

static void refuses_two_artefacts_at_one_path(void **state) {
	struct fixture *fixture = *state;
	struct artefact_record artefacts[] = {{.path = STR_INIT("main")},
					      {.path = STR_INIT("main"), .executable = true}};
	struct deployment_record record = make_record("dpl-echo-1", "echo", "first");
	record.artefacts = artefacts;
	record.artefact_count = 2;
	char key[KEY_MAX] = "untouched";
	bool existed;
	struct error err;
	assert_int_equal(fixture->store->ops->add_deployment(fixture->store, fixture->epoch, &record, key, &existed,
							     &err),
			 -1);
	assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
	assert_non_null(strstr(err.msg, "main"));
	assert_string_equal(key, "untouched");
	struct module_record *all;
	assert_int_equal(modules(fixture, &all), 0);
	assert_missing(fixture, "dpl-echo-1");
	record.artefact_count = 1;
	assert_false(add(fixture, record, "dpl-echo-1"));
}

static void stays_within_the_arena(void **state) {
	struct fixture *fixture = *state;
	struct artefact_record artefacts[200];
	for (size_t i = 0; i < ARRAY_LEN(artefacts); i++)
		artefacts[i] =
			(struct artefact_record){.path = str_from(arena_printf(&fixture->arena, "file-%03zu", i))};
	struct deployment_record record = make_record("dpl-echo-1", "echo", "first");
	record.artefacts = artefacts;
	record.artefact_count = ARRAY_LEN(artefacts);
	add(fixture, record, "dpl-echo-1");
	struct deployment_record *deployments;
	struct store_rows rows;
	size_t count, failed = 0;
	struct error err;
	/* Small enough to fail at each allocation in turn. */
	for (size_t max = 0; max < 20000; max += 16) {
		struct arena small = ARENA_INIT(max);
		if (fixture->store->ops->get_deployment(fixture->store, "dpl-echo-1", &small, &record, &err) < 0) {
			assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
			failed++;
		}
		arena_deinit(&small);
	}
	assert_true(failed > 1000 / 16);
	struct arena none = ARENA_INIT(0);
	assert_int_equal(fixture->store->ops->load(fixture->store, &none, &rows, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_int_equal(
		fixture->store->ops->list_deployments(fixture->store, "echo", 1, &none, &deployments, &count, &err),
		-1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	record = get(fixture, "dpl-echo-1");
	assert_int_equal(record.artefact_count, ARRAY_LEN(artefacts));
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
		add(fixture, record, key);
	} else {
		struct module_record live = {"echo", key, "", (uint32_t)number};
		assert_int_equal(update(fixture, key, DEPLOYMENT_LIVE, "up", &live, &err), 0);
	}
}

/* In a child: change after change, each told through the pipe once the store has answered. */
static _Noreturn void change_until_killed(struct fixture *fixture, int round, int told) {
	open_store(fixture);
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
	assert_int_equal(modules(fixture, &all), 1);
	int made = 0;
	struct deployment_record *deployments;
	size_t count = list(fixture, "echo", SIZE_MAX, &deployments);
	for (size_t i = 0; i < count; i++) {
		struct deployment_record record = get(fixture, deployments[i].key);
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
	if (!backend->survives_process)
		return;
	close_store(fixture);
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
		open_store(fixture);
		assert_kept(fixture, round, last);
		close_store(fixture);
	}
	open_store(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int store_suite_run(const struct suite_backend *of) {
	backend = of;
	const struct CMUnitTest tests[] = {
		TEST(begins_empty),
		TEST(gives_back_what_it_was_given),
		TEST(takes_many_artefacts_and_a_large_schema),
		TEST(finds_the_same_identity_again),
		TEST(adding_a_deployment_changes_no_module),
		TEST(loads_what_a_backplane_starts_from),
		TEST(every_epoch_is_larger_than_the_one_before),
		TEST(tells_whether_an_epoch_is_the_newest),
		TEST(a_stale_writer_is_refused_and_changes_nothing),
		TEST(a_follower_sees_each_change_once),
		TEST(a_follower_goes_on_after_the_store_is_opened_again),
		TEST(changes_that_failed_have_no_number),
		TEST(updates_both_or_neither),
		TEST(updates_either_alone),
		TEST(lists_modules_by_name),
		TEST(lists_deployments_newest_first),
		TEST(refuses_two_artefacts_at_one_path),
		TEST(gives_back_events),
		TEST(keeps_the_newest_events),
		TEST(keeps_events_with_what_they_tell_of),
		TEST(stays_within_the_arena),
		TEST(keeps_what_it_answered_when_killed),
	};
	return cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
}
