/* SPDX-License-Identifier: Apache-2.0 */
/* What observers are told beyond what the suite asks of each; and several of them at once. */
#include <string.h>

#include "cmocka_test.h"

#include "http/http.h"
#include "recorder.h"
#include "router/stats_observer.h"
#include "router_world.h"

static struct recorder first, second;

static void each_replica_that_a_call_goes_to_is_an_attempt(void **state UNUSED) {
	struct router_world world;
	size_t both = 0;
	recorder_init(&first);
	router_world_open(&world, &(struct call_observers){{&first.observer}});
	router_world_route(&world, "echo", "sa");
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(router_world_call(&world, "echo", "echo"), CODE_OK);
	router_world_close(&world);
	assert_int_equal(first.count, 30);
	for (size_t i = 0; i < first.count; i++) {
		const char *attempts = first.records[i].attempts;
		bool once = strcmp(attempts, "rnr-echo-a ") == 0,
		     twice = strcmp(attempts, "rnr-echo-s rnr-echo-a ") == 0;
		assert_true(once || twice);
		both += twice;
	}
	/* Half of the calls go to the silent one first, until it is ejected. */
	assert_int_equal(both, OUTLIER_FAILURES_MAX);
}

static void a_held_call_is_an_attempt_once_a_replica_has_it(void **state UNUSED) {
	struct router_world world;
	recorder_init(&first);
	router_world_open(&world, &(struct call_observers){{&first.observer}});
	router_world_route(&world, "echo", "unknown");
	router_world_start(&world, "echo", "echo", NULL, 0);
	for (size_t i = 0; i < 20; i++)
		router_world_turn(&world);
	pthread_mutex_lock(&first.lock);
	assert_int_equal(first.count, 1);
	assert_string_equal(first.records[0].attempts, "");
	pthread_mutex_unlock(&first.lock);
	router_world_route(&world, "echo", "a");
	assert_int_equal(router_world_wait(&world), CODE_OK);
	router_world_close(&world);
	assert_int_equal(first.count, 1);
	assert_string_equal(first.records[0].attempts, "rnr-echo-a ");
	assert_true(first.records[0].ended);
}

static void each_of_several_observers_is_told_all(void **state UNUSED) {
	struct router_world world;
	struct arena arena = ARENA_INIT(KIB(4));
	struct http_headers headers = {0};
	struct verb_summary sum;
	recorder_init(&first);
	recorder_init(&second);
	router_world_open(&world, &(struct call_observers){{&first.observer, &stats_observer, &second.observer}});
	router_world_route(&world, "echo", "a");
	http_headers_add(&headers, &arena, STR("ftl-request-id"), STR("req-1"));
	router_world_start(&world, "echo", "fails", &headers, 0);
	assert_int_equal(router_world_wait(&world), CODE_OK);
	router_world_stop_worker(&world);
	verb_stats_read(stats_registry_module(&world.stats, STR("echo"))->verbs[2].stats, &sum);
	assert_int_equal(sum.failed, 1);
	router_world_close(&world);
	arena_deinit(&arena);
	assert_int_equal(first.count, 1);
	assert_int_equal(second.count, 1);
	for (size_t i = 0; i < 2; i++) {
		const struct record *record = i == 0 ? &first.records[0] : &second.records[0];
		assert_string_equal(record->verb, "echo.fails");
		assert_string_equal(record->request_id, "req-1");
		assert_int_equal(strlen(record->trace),
				 strlen("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
		assert_string_equal(record->attempts, "rnr-echo-a ");
		assert_true(record->ended && record->outcome.verb_failed);
		assert_int_equal(record->outcome.status, CODE_OK);
	}
}

static void a_worker_without_observers_carries_calls(void **state UNUSED) {
	struct router_world world;
	recorder_init(&first);
	router_world_open(&world, &(struct call_observers){{NULL}});
	router_world_route(&world, "echo", "a");
	assert_int_equal(router_world_call(&world, "echo", "echo"), CODE_OK);
	router_world_close(&world);
	assert_int_equal(first.count, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_replica_that_a_call_goes_to_is_an_attempt),
		cmocka_unit_test(a_held_call_is_an_attempt_once_a_replica_has_it),
		cmocka_unit_test(each_of_several_observers_is_told_all),
		cmocka_unit_test(a_worker_without_observers_carries_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
