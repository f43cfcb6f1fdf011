/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/stats.h"

#include <stdlib.h>

#include "backplane/context.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "router/route.h"
#include "router/stats_registry.h"
#include "rpc/unary.h"

static void add_ended(const struct verb_summary *sum, Ftl__CallStatsResponse__Verb *shown, struct arena *arena) {
	shown->ended = arena_alloc(arena, CODE_COUNT * sizeof *shown->ended);
	for (size_t i = 0; i < CODE_COUNT; i++) {
		if (sum->ended[i] == 0)
			continue;
		Ftl__CallStatsResponse__Ended *ended = arena_alloc(arena, sizeof *ended);
		ftl__call_stats_response__ended__init(ended);
		ended->status = (char *)code_name((enum code)i);
		ended->calls = sum->ended[i];
		shown->ended[shown->n_ended++] = ended;
	}
}

static void add_buckets(const struct verb_summary *sum, Ftl__CallStatsResponse__Verb *shown, struct arena *arena) {
	size_t count = 0;
	for (size_t i = 0; i < VERB_BUCKETS; i++)
		count += sum->buckets[i] > 0;
	shown->buckets = arena_alloc(arena, (count + 1) * sizeof *shown->buckets);
	for (size_t i = 0; i < VERB_BUCKETS; i++) {
		if (sum->buckets[i] == 0)
			continue;
		Ftl__CallStatsResponse__Bucket *bucket = arena_alloc(arena, sizeof *bucket);
		ftl__call_stats_response__bucket__init(bucket);
		bucket->below_us = verb_bucket_end(i);
		bucket->calls = sum->buckets[i];
		shown->buckets[shown->n_buckets++] = bucket;
	}
}

static Ftl__CallStatsResponse__Verb *describe(const struct stats_module *module, const struct stats_verb *verb,
					      struct arena *arena) {
	struct verb_summary sum;
	verb_stats_read(verb->stats, &sum);
	Ftl__CallStatsResponse__Verb *shown = arena_alloc(arena, sizeof *shown);
	ftl__call_stats_response__verb__init(shown);
	shown->module = module->name;
	shown->verb = verb->name;
	shown->calls = sum.finished;
	shown->under_way = sum.begun - sum.finished;
	shown->verb_failed = sum.failed;
	shown->sum_us = sum.sum_us;
	shown->p50_us = verb_summary_percentile(&sum, 0.5);
	shown->p90_us = verb_summary_percentile(&sum, 0.9);
	shown->p99_us = verb_summary_percentile(&sum, 0.99);
	shown->p999_us = verb_summary_percentile(&sum, 0.999);
	shown->max_us = sum.max_us;
	add_ended(&sum, shown, arena);
	add_buckets(&sum, shown, arena);
	return shown;
}

static void add_module(const struct stats_module *module, Ftl__CallStatsResponse *response, struct arena *arena) {
	for (size_t i = 0; i < module->verb_count; i++)
		response->verbs[response->n_verbs++] = describe(module, &module->verbs[i], arena);
}

static int compare_verbs(const void *a, const void *b) {
	const Ftl__CallStatsResponse__Verb *left = *(Ftl__CallStatsResponse__Verb *const *)a;
	const Ftl__CallStatsResponse__Verb *right = *(Ftl__CallStatsResponse__Verb *const *)b;
	int order = strcmp(left->module, right->module);
	return order != 0 ? order : strcmp(left->verb, right->verb);
}

static size_t count_verbs(const struct stats_registry *registry) {
	size_t count = 0, cursor = 0;
	for (const struct stats_module *module; (module = stats_registry_next(registry, &cursor)) != NULL;)
		count += module->verb_count;
	return count;
}

static void on_call_stats(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const struct stats_service *service = unary->service;
	const struct context *context = service->context;
	const struct stats_registry *registry = service->registry;
	struct str wanted = str_from(((const Ftl__CallStatsRequest *)message)->module);
	struct error err;
	if (wanted.len > 0 && control_module(&context->control, wanted) == NULL) {
		route_table_no_module(context->routes, wanted, &err);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct arena arena = ARENA_INIT(SIZE_MAX);
	Ftl__CallStatsResponse response;
	ftl__call_stats_response__init(&response);
	response.since_ms = context->started_wall_ms;
	response.verbs = arena_alloc(&arena, (count_verbs(registry) + 1) * sizeof *response.verbs);
	size_t cursor = 0;
	for (const struct stats_module *module; (module = stats_registry_next(registry, &cursor)) != NULL;)
		if (wanted.len == 0 || str_eq_c(wanted, module->name))
			add_module(module, &response, &arena);
	qsort(response.verbs, response.n_verbs, sizeof *response.verbs, compare_verbs);
	rpc_unary_reply(unary, &response.base);
	arena_deinit(&arena);
}

static const struct rpc_method stats_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/CallStats", on_call_stats,
			 ftl__call_stats_request__descriptor),
};

void stats_service_add(struct stats_service *service, struct rpc_server *server) {
	rpc_server_add(server, stats_methods, ARRAY_LEN(stats_methods), service);
}
