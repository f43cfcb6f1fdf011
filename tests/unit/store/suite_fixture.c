/* SPDX-License-Identifier: Apache-2.0 */
#include "suite_fixture.h"

#include "base/memory.h"

static const struct suite_backend *backend;

void fixture_use(const struct suite_backend *of) {
	backend = of;
}

void fixture_open(struct fixture *fixture) {
	struct error err;
	if (fixture->backend->open(fixture->place.path, &fixture->store, &err) < 0 ||
	    fixture->store->ops->acquire(fixture->store, &fixture->epoch, &err) < 0)
		fail_msg("%s", err.msg);
}

void fixture_close(struct fixture *fixture) {
	fixture->store->ops->close(fixture->store);
	fixture->store = NULL;
}

int fixture_set_up(void **state) {
	struct fixture *fixture = mem_zalloc(sizeof *fixture);
	fixture->backend = backend;
	place_make(&fixture->place);
	arena_init(&fixture->arena, MIB(8));
	fixture_open(fixture);
	*state = fixture;
	return 0;
}

int fixture_tear_down(void **state) {
	struct fixture *fixture = *state;
	if (fixture->store != NULL)
		fixture_close(fixture);
	arena_deinit(&fixture->arena);
	if (fixture->backend->forget != NULL)
		fixture->backend->forget(fixture->place.path);
	place_remove(&fixture->place);
	free(fixture);
	return 0;
}

struct deployment_record make_record(const char *key, const char *module, const char *content) {
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

bool fixture_add(struct fixture *fixture, struct deployment_record record, const char *expected_key) {
	char key[KEY_MAX];
	bool existed;
	struct error err;
	if (fixture->store->ops->add_deployment(fixture->store, fixture->epoch, &record, key, &existed, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(key, expected_key);
	return existed;
}

struct deployment_record fixture_get(struct fixture *fixture, const char *key) {
	struct deployment_record record;
	struct error err;
	if (fixture->store->ops->get_deployment(fixture->store, key, &fixture->arena, &record, &err) < 0)
		fail_msg("%s", err.msg);
	return record;
}

void assert_missing(struct fixture *fixture, const char *key) {
	struct deployment_record record;
	struct error err;
	assert_int_equal(fixture->store->ops->get_deployment(fixture->store, key, &fixture->arena, &record, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, key));
}

int fixture_commit(struct fixture *fixture, const struct store_change *change, struct error *err) {
	return fixture->store->ops->commit(fixture->store, fixture->epoch, change, err);
}

int fixture_update(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		   const struct module_record *module, struct error *err) {
	return fixture_commit(fixture,
			      &(struct store_change){.deployment_key = key,
						     .state = state,
						     .detail = detail,
						     .module = module},
			      err);
}

void fixture_set(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		 const struct module_record *module) {
	struct error err;
	if (fixture_update(fixture, key, state, detail, module, &err) < 0)
		fail_msg("%s", err.msg);
}

size_t fixture_history(struct fixture *fixture, const char *module, size_t limit, struct history_entry **ret_entries,
		       size_t *ret_total) {
	size_t count;
	struct error err;
	if (fixture->store->ops->list_history(fixture->store, module, limit, &fixture->arena, ret_entries, &count,
					      ret_total, &err) < 0)
		fail_msg("%s", err.msg);
	return count;
}

struct store_rows fixture_load(struct fixture *fixture) {
	struct store_rows rows;
	struct error err;
	if (fixture->store->ops->load(fixture->store, &fixture->arena, &rows, &err) < 0)
		fail_msg("%s", err.msg);
	return rows;
}

size_t fixture_modules(struct fixture *fixture, struct module_record **ret_modules) {
	struct store_rows rows = fixture_load(fixture);
	*ret_modules = rows.modules;
	return rows.module_count;
}

void assert_keys(const struct store_rows *rows, const char *expected) {
	char found[256] = "";
	for (size_t i = 0; i < rows->deployment_count; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
			 rows->deployments[i].key);
	assert_string_equal(found, expected);
}

void assert_module(const struct module_record *module, const char *name, const char *active_key, const char *next_key,
		   uint32_t replicas) {
	assert_string_equal(module->name, name);
	assert_string_equal(module->active_key, active_key);
	assert_string_equal(module->next_key, next_key);
	assert_int_equal(module->replicas, replicas);
}

void assert_only_module(struct fixture *fixture, const char *name, const char *active_key, const char *next_key,
			uint32_t replicas) {
	struct module_record *all;
	assert_int_equal(fixture_modules(fixture, &all), 1);
	assert_module(all, name, active_key, next_key, replicas);
}

struct event_record make_event(uint64_t sequence, const char *module) {
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

void assert_events(struct fixture *fixture, struct event_query query, const char *expected) {
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
