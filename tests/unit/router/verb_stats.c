/* SPDX-License-Identifier: Apache-2.0 */
#include "router/verb_stats.h"

#include <pthread.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "router/stats_registry.h"

static void test_each_time_has_one_bucket(void **state UNUSED) {
	assert_int_equal(verb_bucket(0), 0);
	assert_int_equal(verb_bucket(3), 3);
	assert_int_equal(verb_bucket(4), 4);
	assert_int_equal(verb_bucket(UINT64_MAX), VERB_BUCKETS - 1);
	for (size_t i = 0; i + 1 < VERB_BUCKETS; i++) {
		assert_int_equal(verb_bucket(verb_bucket_end(i) - 1), i);
		assert_int_equal(verb_bucket(verb_bucket_end(i)), i + 1);
	}
}

static void test_a_bucket_reaches_an_eighth_from_its_middle_at_most(void **state UNUSED) {
	for (size_t i = 5; i < VERB_BUCKETS; i++) {
		uint64_t begin = verb_bucket_end(i - 1), end = verb_bucket_end(i);
		assert_true((end - 1 - begin) * 4 <= begin);
	}
}

static void end(struct verb_stats *stats, size_t worker, enum code status, bool failed, uint64_t us) {
	verb_counts_end(verb_stats_begin(stats, worker), status, failed, us);
}

static void test_counts_of_all_workers_are_summed(void **state UNUSED) {
	struct verb_stats *stats = verb_stats_new(3);
	struct verb_summary sum;
	verb_stats_read(stats, &sum);
	assert_int_equal(sum.begun + sum.finished, 0);
	assert_int_equal(verb_summary_percentile(&sum, 0.5), 0);
	end(stats, 0, CODE_OK, false, 100);
	end(stats, 2, CODE_OK, true, 300);
	end(stats, 2, CODE_UNAVAILABLE, false, 7000);
	struct verb_counts *under_way = verb_stats_begin(stats, 1);
	verb_stats_read(stats, &sum);
	assert_int_equal(sum.begun, 4);
	assert_int_equal(sum.finished, 3);
	assert_int_equal(sum.ended[CODE_OK], 2);
	assert_int_equal(sum.ended[CODE_UNAVAILABLE], 1);
	assert_int_equal(sum.failed, 1);
	assert_int_equal(sum.sum_us, 7400);
	assert_int_equal(sum.max_us, 7000);
	verb_counts_end(under_way, CODE_CANCELLED, false, 1);
	verb_stats_read(stats, &sum);
	assert_int_equal(sum.begun, sum.finished);
	verb_stats_unref(stats);
}

static void test_percentiles(void **state UNUSED) {
	struct verb_stats *stats = verb_stats_new(1);
	struct verb_summary sum;
	for (uint64_t us = 1; us <= 1000; us++)
		end(stats, 0, CODE_OK, false, us);
	verb_stats_read(stats, &sum);
	assert_in_range(verb_summary_percentile(&sum, 0.5), 440, 560);
	assert_in_range(verb_summary_percentile(&sum, 0.9), 790, 1000);
	assert_in_range(verb_summary_percentile(&sum, 0.99), 870, 1000);
	assert_in_range(verb_summary_percentile(&sum, 1), 870, 1000);
	assert_in_range(verb_summary_percentile(&sum, 0), 1, 1);
	verb_stats_unref(stats);
}

static void test_the_percentiles_of_few_calls(void **state UNUSED) {
	struct verb_stats *stats = verb_stats_new(1);
	struct verb_summary sum;
	end(stats, 0, CODE_OK, false, 19700);
	verb_stats_read(stats, &sum);
	assert_int_equal(verb_summary_percentile(&sum, 0.5), 19700);
	assert_int_equal(verb_summary_percentile(&sum, 0.99), 19700);
	end(stats, 0, CODE_OK, false, 100);
	verb_stats_read(stats, &sum);
	assert_in_range(verb_summary_percentile(&sum, 0.5), 88, 112);
	assert_int_equal(verb_summary_percentile(&sum, 0.9), 19700);
	verb_stats_unref(stats);
}

enum { TURNS = 20000, WORKERS = 4 };

struct writer {
	pthread_t thread;
	struct verb_stats *stats;
	size_t worker;
};

static void *write_many(void *data) {
	const struct writer *writer = data;
	for (int i = 0; i < TURNS; i++)
		end(writer->stats, writer->worker, CODE_OK, false, 10);
	return NULL;
}

static void test_a_concurrent_reader_sees_no_more_ends_than_begins(void **state UNUSED) {
	struct verb_stats *stats = verb_stats_new(WORKERS);
	struct writer writers[WORKERS];
	struct verb_summary sum;
	for (size_t i = 0; i < WORKERS; i++) {
		writers[i] = (struct writer){.stats = stats, .worker = i};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
	}
	do {
		verb_stats_read(stats, &sum);
		assert_true(sum.begun >= sum.finished);
	} while (sum.finished < TURNS / 2);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(writers[i].thread, NULL);
	verb_stats_read(stats, &sum);
	assert_int_equal(sum.finished, WORKERS * TURNS);
	verb_stats_unref(stats);
}

/* --- the registry ----------------------------------------------------------------------------------------------------- */

static struct route_module *make_route(struct stats_registry *registry, const char *name, const char *const *verbs) {
	struct str names[8];
	size_t count = 0;
	for (; verbs[count] != NULL; count++)
		names[count] = str_from(verbs[count]);
	struct route_module *route = route_module_new(str_from(name), names, count, NULL, 0, "");
	stats_registry_fill(registry, route);
	return route;
}

static struct verb_stats *stats_of(const struct route_module *route, struct str verb) {
	return route_module_stats(route, route_module_find(route, verb));
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_verb_keeps_its_counts_when_its_module_is_replaced(void **state UNUSED) {
	struct stats_registry registry;
	struct verb_summary sum;
	stats_registry_init(&registry, 1);
	struct route_module *old = make_route(&registry, "cart", NAMES("total", "add", "old"));
	end(stats_of(old, STR("add")), 0, CODE_OK, false, 5);
	struct route_module *new = make_route(&registry, "cart", NAMES("new", "add"));
	assert_ptr_equal(stats_of(old, STR("add")), stats_of(new, STR("add")));
	assert_null(stats_of(new, STR("old")));
	const struct stats_module *module = stats_registry_module(&registry, STR("cart"));
	assert_int_equal(module->verb_count, 2);
	assert_string_equal(module->verbs[0].name, "add");
	verb_stats_read(module->verbs[0].stats, &sum);
	assert_int_equal(sum.finished, 1);
	/* A call that still has the old route is counted without harm. */
	end(stats_of(old, STR("old")), 0, CODE_OK, false, 5);
	route_module_unref(old);
	route_module_unref(new);
	stats_registry_deinit(&registry);
}

static void test_a_module_that_names_no_verbs_has_one_count(void **state UNUSED) {
	struct stats_registry registry;
	stats_registry_init(&registry, 1);
	struct route_module *route = make_route(&registry, "any", NAMES(NULL));
	assert_non_null(stats_of(route, STR("whatever")));
	assert_string_equal(stats_registry_module(&registry, STR("any"))->verbs[0].name, "*");
	route_module_unref(route);
	stats_registry_deinit(&registry);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_time_has_one_bucket),
		cmocka_unit_test(test_a_bucket_reaches_an_eighth_from_its_middle_at_most),
		cmocka_unit_test(test_counts_of_all_workers_are_summed),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_the_percentiles_of_few_calls),
		cmocka_unit_test(test_a_concurrent_reader_sees_no_more_ends_than_begins),
		cmocka_unit_test(test_a_verb_keeps_its_counts_when_its_module_is_replaced),
		cmocka_unit_test(test_a_module_that_names_no_verbs_has_one_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
