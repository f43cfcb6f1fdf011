/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with rows for the tests of the suite, and the groups of these tests. What a test does not expect fails it
 * here.
 */
#pragma once

#include "base/arena.h"
#include "place.h"
#include "suite.h"

struct fixture {
	const struct suite_backend *backend;
	struct place place;
	struct store *store;
	uint64_t epoch;
	struct arena arena;
};

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

/* The backend of the tests that run next. */
void fixture_use(const struct suite_backend *backend);

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* A deployment without artefacts; its identity is made of module and content. */
struct deployment_record make_record(const char *key, const char *module, const char *content);

/* Returns whether the identity was there already; the key must be the expected one. */
bool fixture_add(struct fixture *fixture, struct deployment_record record, const char *expected_key);

struct deployment_record fixture_get(struct fixture *fixture, const char *key);
/* Returns how many entries were listed. */
size_t fixture_history(struct fixture *fixture, const char *module, size_t limit, struct history_entry **ret_entries,
		       size_t *ret_total);
struct store_rows fixture_load(struct fixture *fixture);
size_t fixture_modules(struct fixture *fixture, struct module_record **ret_modules);

int fixture_commit(struct fixture *fixture, const struct store_change *change, struct error *err);
int fixture_update(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		   const struct module_record *module, struct error *err);

/* fixture_update() that must succeed. */
void fixture_set(struct fixture *fixture, const char *key, enum deployment_state state, const char *detail,
		 const struct module_record *module);

struct event_record make_event(uint64_t sequence, const char *module);

void assert_missing(struct fixture *fixture, const char *key);
void assert_module(const struct module_record *module, const char *name, const char *active_key, const char *next_key,
		   uint32_t replicas);
void assert_only_module(struct fixture *fixture, const char *name, const char *active_key, const char *next_key,
			uint32_t replicas);

/* "dpl-1 dpl-2" */
void assert_keys(const struct store_rows *rows, const char *expected);

/* The sequences of what is found, as "1 2 3". */
void assert_events(struct fixture *fixture, struct event_query query, const char *expected);

/* The tests of one file. */
struct suite_group {
	const struct CMUnitTest *tests;
	size_t count;
};

extern const struct suite_group suite_deployments, suite_changes, suite_events;
