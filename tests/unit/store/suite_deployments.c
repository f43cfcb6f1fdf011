/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of deployments and modules, and how it is found.
 */
#include "suite_fixture.h"

#include "base/memory.h"

static void begins_empty(void **state) {
	struct fixture *fixture = *state;
	struct module_record *all;
	struct history_entry *entries;
	size_t total;
	assert_int_equal(fixture_modules(fixture, &all), 0);
	assert_int_equal(fixture_history(fixture, "echo", 10, &entries, &total), 0);
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
	assert_false(fixture_add(fixture, full, "dpl-echo-1"));
	assert_false(fixture_add(fixture, bare, "dpl-echo-2"));
	for (int round = 0; round < 2; round++) {
		struct deployment_record record = fixture_get(fixture, "dpl-echo-1");
		assert_same(&record, &full);
		assert_same_contents(&record, &full);
		record = fixture_get(fixture, "dpl-echo-2");
		assert_same(&record, &bare);
		assert_same_contents(&record, &bare);
		fixture_close(fixture);
		fixture_open(fixture);
	}
}

static void gives_back_what_a_deployment_needs(void **state) {
	static const struct need_record needs[] = {{.module = "time", .key = "dpl-time-1"},
						   {.module = "echo", .key = "dpl-echo-1"},
						   {.module = "gone", .key = "dpl-gone-1"}};
	struct fixture *fixture = *state;
	struct deployment_record record = make_record("dpl-shop-1", "shop", "first");
	struct error err;
	fixture_add(fixture, make_record("dpl-time-1", "time", "a"), "dpl-time-1");
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "b"), "dpl-echo-1");
	record.needs = needs;
	record.need_count = ARRAY_LEN(needs);
	fixture_add(fixture, record, "dpl-shop-1");
	fixture_close(fixture);
	fixture_open(fixture);
	record = fixture_get(fixture, "dpl-shop-1");
	assert_int_equal(record.need_count, 0);
	assert_int_equal(fixture->store->ops->get_needs(fixture->store, &fixture->arena, &record, &err), 0);
	assert_int_equal(record.need_count, 2);
	assert_string_equal(record.needs[0].module, "echo");
	assert_string_equal(record.needs[0].key, "dpl-echo-1");
	assert_true(str_eq(record.needs[0].schema, fixture_get(fixture, "dpl-echo-1").schema));
	assert_string_equal(record.needs[1].module, "time");
	record = fixture_get(fixture, "dpl-time-1");
	assert_int_equal(fixture->store->ops->get_needs(fixture->store, &fixture->arena, &record, &err), 0);
	assert_int_equal(record.need_count, 0);
	struct arena none = ARENA_INIT(0);
	record = fixture_get(fixture, "dpl-shop-1");
	assert_int_equal(fixture->store->ops->get_needs(fixture->store, &none, &record, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
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
	fixture_add(fixture, large, "dpl-large-1");
	struct deployment_record record = fixture_get(fixture, "dpl-large-1");
	assert_same_contents(&record, &large);
	free(schema);
	free(artefacts);
}

static void finds_the_same_identity_again(void **state) {
	struct fixture *fixture = *state;
	assert_false(fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1"));
	assert_false(fixture_add(fixture, make_record("dpl-echo-2", "echo", "second"), "dpl-echo-2"));
	struct store_rows before = fixture_load(fixture);
	assert_true(fixture_add(fixture, make_record("dpl-echo-3", "echo", "first"), "dpl-echo-1"));
	assert_true(fixture_add(fixture, make_record("dpl-echo-4", "echo", "second"), "dpl-echo-2"));
	assert_missing(fixture, "dpl-echo-3");
	struct history_entry *entries;
	size_t total;
	assert_int_equal(fixture_history(fixture, "echo", 10, &entries, &total), 2);
	assert_int_equal(fixture_load(fixture).sequence, before.sequence);
}

/* What is wanted of a module is not for the store to say. */
static void adding_a_deployment_changes_no_module(void **state) {
	struct fixture *fixture = *state;
	fixture_add(fixture, make_record("dpl-echo-1", "echo", "first"), "dpl-echo-1");
	assert_only_module(fixture, "echo", "", "", 1);
	struct module_record wanted = {"echo", "dpl-echo-1", "", 4, 2};
	fixture_set(fixture, "dpl-echo-1", DEPLOYMENT_LIVE, "", &wanted);
	fixture_add(fixture, make_record("dpl-echo-2", "echo", "second"), "dpl-echo-2");
	fixture_add(fixture, make_record("dpl-echo-3", "echo", "first"), "dpl-echo-1");
	assert_only_module(fixture, "echo", "dpl-echo-1", "", 4);
	struct module_record *all;
	fixture_modules(fixture, &all);
	assert_int_equal(all->next_replicas, 2);
	assert_int_equal(fixture_get(fixture, "dpl-echo-1").state, DEPLOYMENT_LIVE);
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
		fixture_add(fixture, make_record(rows[i].key, rows[i].module, rows[i].key), rows[i].key);
		fixture_set(fixture, rows[i].key, rows[i].state, rows[i].key, NULL);
	}
	struct module_record wanted = {"echo", "dpl-echo-1", "dpl-echo-2", 3, 1};
	fixture_set(fixture, NULL, 0, NULL, &wanted);
	struct store_rows loaded = fixture_load(fixture);
	assert_int_equal(loaded.module_count, 2);
	assert_module(&loaded.modules[0], "echo", "dpl-echo-1", "dpl-echo-2", 3);
	assert_int_equal(loaded.modules[0].next_replicas, 1);
	assert_module(&loaded.modules[1], "time", "", "", 1);
	assert_keys(&loaded, "dpl-echo-1 dpl-echo-2 dpl-echo-4 dpl-echo-6 dpl-echo-7 dpl-echo-9 dpl-time-1");
	assert_int_equal(loaded.deployments[2].state, DEPLOYMENT_DRAINING);
	assert_string_equal(loaded.deployments[2].detail, "dpl-echo-4");
	assert_int_equal(loaded.deployments[2].schema.len, 0);
}

static void lists_modules_by_name(void **state) {
	struct fixture *fixture = *state;
	static const char *const names[] = {"time", "echo", "Zoo", "a2", "a10", "mid"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fixture_add(fixture, make_record(names[i], names[i], "content"), names[i]);
		fixture_set(fixture, NULL, 0, NULL, &(struct module_record){names[i], "", names[i], (uint32_t)i + 1});
	}
	struct module_record *all;
	assert_int_equal(fixture_modules(fixture, &all), ARRAY_LEN(names));
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
		fixture_add(fixture, record, key);
	}
	struct history_entry *entries;
	size_t total;
	assert_int_equal(fixture_history(fixture, "odd", SIZE_MAX, &entries, &total), 5);
	for (int i = 0; i < 5; i++) {
		struct deployment_record record =
			fixture_get(fixture, arena_printf(&fixture->arena, "dpl-%d", 9 - 2 * i));
		assert_same(&entries[i].deployment, &record);
		assert_int_equal(entries[i].deployment.schema.len, 0);
		assert_int_equal(entries[i].deployment.artefact_count, 0);
	}
	assert_int_equal(fixture_history(fixture, "even", 2, &entries, &total), 2);
	assert_string_equal(entries[0].deployment.key, "dpl-8");
	assert_string_equal(entries[1].deployment.key, "dpl-6");
	assert_int_equal(total, 5);
	assert_int_equal(fixture_history(fixture, "even", 0, &entries, &total), 0);
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
	assert_int_equal(fixture_modules(fixture, &all), 0);
	assert_missing(fixture, "dpl-echo-1");
	record.artefact_count = 1;
	assert_false(fixture_add(fixture, record, "dpl-echo-1"));
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
	fixture_add(fixture, record, "dpl-echo-1");
	struct history_entry *entries;
	struct store_rows rows;
	size_t count, total, failed = 0;
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
	assert_int_equal(fixture->store->ops->list_history(fixture->store, "echo", 1, &none, &entries, &count, &total,
							   &err),
			 -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	record = fixture_get(fixture, "dpl-echo-1");
	assert_int_equal(record.artefact_count, ARRAY_LEN(artefacts));
}

static const struct CMUnitTest tests[] = {
	TEST(begins_empty),
	TEST(gives_back_what_it_was_given),
	TEST(gives_back_what_a_deployment_needs),
	TEST(takes_many_artefacts_and_a_large_schema),
	TEST(finds_the_same_identity_again),
	TEST(adding_a_deployment_changes_no_module),
	TEST(loads_what_a_backplane_starts_from),
	TEST(lists_modules_by_name),
	TEST(lists_deployments_newest_first),
	TEST(refuses_two_artefacts_at_one_path),
	TEST(stays_within_the_arena),
};

const struct suite_group suite_deployments = {tests, ARRAY_LEN(tests)};
