/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures a change of one module's routes in a large table: building the new table, and freeing the old one.
 * Prints the median of each in microseconds.
 *
 *     bench-routes [MODULES]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "router/route.h"

enum { TURNS = 501, BATCH = 256 };

static struct route_module *make_module(size_t number) {
	char name[32];
	int len = snprintf(name, sizeof name, "module%zu", number);
	const struct str verbs[] = {STR("one"), STR("two")};
	struct route_replica *replicas = mem_zalloc(sizeof *replicas);
	struct error err;
	int failed = endpoint_parse(STR("http://127.0.0.1:1"), &replicas->endpoint, &err);
	ASSERT(failed == 0);
	replicas->label = mem_strdup(name);
	replicas->outlier = outlier_new(number);
	return route_module_new(str_new(name, (size_t)len), verbs, ARRAY_LEN(verbs), replicas, 1, "");
}

static struct route_table *fill(size_t modules) {
	struct route_table *table = route_table_new();
	for (size_t at = 0; at < modules;) {
		struct route_module *batch[BATCH];
		size_t count = 0;
		while (count < BATCH && at < modules)
			batch[count++] = make_module(at++);
		struct route_table *next = route_table_with(table, batch, count);
		route_table_unref(table);
		table = next;
	}
	return table;
}

static int compare(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

static uint64_t median(uint64_t *samples) {
	qsort(samples, TURNS, sizeof *samples, compare);
	return samples[TURNS / 2];
}

int main(int argc, char **argv) {
	size_t modules = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	static uint64_t making[TURNS], giving_back[TURNS];
	struct route_table *table = fill(modules);
	for (size_t i = 0; i < TURNS; i++) {
		struct route_module *changed = make_module(i * 7919 % modules);
		uint64_t begin_us = clock_us();
		struct route_table *next = route_table_with(table, &changed, 1);
		uint64_t made_us = clock_us();
		route_table_unref(table);
		giving_back[i] = clock_us() - made_us;
		making[i] = made_us - begin_us;
		table = next;
	}
	route_table_unref(table);
	printf("{\"modules\":%zu,\"make_us\":%llu,\"give_back_us\":%llu}\n", modules,
	       (unsigned long long)median(making), (unsigned long long)median(giving_back));
	return 0;
}
