/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing over pointers, at most half full. A module is never removed: without a deployment it stays in the
 * table and says why nothing of it is alive.
 */
#include "router/route.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/reasons.h"
#include "router/verb_stats.h"
#include "schema/packed.h"
#include "schema/schema.h"

/* Names that are compared with an unknown one to find what was meant. */
enum { NEAREST_SCAN_MAX = 1000 };

struct route_table {
	atomic_uint refs;
	size_t count;
	size_t capacity; /* a power of two */
	struct route_slot {
		uint64_t hash;
		struct route_module *module; /* NULL: free */
	} slots[];
};

/* --- modules ------------------------------------------------------------------------------------------------------ */

static struct str copy(struct str text) {
	return str_new(mem_strndup(text.ptr, text.len), text.len);
}

static int compare_names(const void *a, const void *b) {
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

struct route_module *route_module_new(struct str name, const struct str *verbs, size_t verb_count,
				      struct route_replica *replicas, size_t replica_count, const char *problem) {
	struct route_module *module = mem_alloc(sizeof *module);
	*module = (struct route_module){
		.refs = 1,
		.name = copy(name),
		.verbs = mem_alloc((verb_count + 1) * sizeof *module->verbs),
		.verb_count = verb_count,
		.replicas = replicas,
		.replica_count = replica_count,
		.problem = mem_strdup(problem),
		.problem_reason = "",
	};
	for (size_t i = 0; i < verb_count; i++)
		module->verbs[i] = copy(verbs[i]);
	struct outlier **outliers = mem_alloc((replica_count + 1) * sizeof(struct outlier *));
	for (size_t i = 0; i < replica_count; i++) {
		char text[ENDPOINT_MAX];
		endpoint_format(&replicas[i].endpoint, text);
		replicas[i].address = mem_strdup(text);
		outliers[i] = replicas[i].outlier;
	}
	module->outliers = (struct outliers){outliers, replica_count};
	qsort(module->verbs, verb_count, sizeof *module->verbs, compare_names);
	return module;
}

void route_module_set_calls(struct route_module *module, struct str *calls, size_t call_count) {
	if (call_count > 0)
		qsort(calls, call_count, sizeof *calls, compare_names);
	module->calls = calls;
	module->call_count = call_count;
	module->declares_calls = true;
}

void route_module_set_stats(struct route_module *module, struct verb_stats **stats) {
	module->stats = stats;
}

struct route_module *route_module_ref(struct route_module *module) {
	atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
	return module;
}

void route_module_unref(struct route_module *module) {
	if (module == NULL || atomic_fetch_sub_explicit(&module->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; module->stats != NULL && i < MAX(module->verb_count, (size_t)1); i++)
		verb_stats_unref(module->stats[i]);
	for (size_t i = 0; i < module->verb_count; i++)
		free((char *)module->verbs[i].ptr);
	for (size_t i = 0; i < module->call_count; i++)
		free((char *)module->calls[i].ptr);
	for (size_t i = 0; i < module->replica_count; i++) {
		free(module->replicas[i].label);
		free(module->replicas[i].address);
		outlier_unref(module->replicas[i].outlier);
	}
	packed_schema_unref(module->schema);
	free((struct outlier **)module->outliers.items);
	free(module->stats);
	free(module->verbs);
	free(module->calls);
	free(module->replicas);
	free(module->problem);
	free((char *)module->name.ptr);
	free(module);
}

static const struct str *find_verb(const struct route_module *module, struct str verb) {
	return bsearch(&verb, module->verbs, module->verb_count, sizeof *module->verbs, compare_names);
}

bool route_module_has(const struct route_module *module, struct str verb) {
	return find_verb(module, verb) != NULL;
}

size_t route_module_find(const struct route_module *module, struct str verb) {
	if (module->verb_count == 0)
		return 0;
	const struct str *found = find_verb(module, verb);
	return found != NULL ? (size_t)(found - module->verbs) : ROUTE_NO_VERB;
}

struct verb_stats *route_module_stats(const struct route_module *module, size_t place) {
	return module->stats != NULL && place != ROUTE_NO_VERB ? module->stats[place] : NULL;
}

bool route_module_may_call(const struct route_module *module, struct str verb, struct str called) {
	if (!module->declares_calls)
		return true;
	char text[3 * SCHEMA_NAME_MAX + 3];
	if (module->call_count == 0 || verb.len + 1 + called.len > sizeof text)
		return false;
	memcpy(text, verb.ptr, verb.len);
	text[verb.len] = ' ';
	memcpy(text + verb.len + 1, called.ptr, called.len);
	struct str wanted = str_new(text, verb.len + 1 + called.len);
	return bsearch(&wanted, module->calls, module->call_count, sizeof *module->calls, compare_names) != NULL;
}

const char *route_module_nearest(const struct route_module *module, struct str verb) {
	struct nearest nearest;
	nearest_init(&nearest, verb);
	for (size_t i = 0; i < MIN(module->verb_count, (size_t)NEAREST_SCAN_MAX); i++)
		nearest_offer(&nearest, module->verbs[i].ptr);
	return nearest.name;
}

int route_module_no_verb(const struct route_module *module, struct str verb, struct error *err) {
	const char *near = route_module_nearest(module, verb), *name = module->name.ptr;
	if (near == NULL)
		error_set(err, CODE_NOT_FOUND, "the module %s has no verb %.*s", name, STR_ARG(verb));
	else
		error_set(err, CODE_NOT_FOUND, "the module %s has no verb %.*s; did you mean %s.%s?", name,
			  STR_ARG(verb), name, near);
	return error_set_reason(err, REASON_NO_SUCH_VERB);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static struct route_table *new_table(size_t capacity) {
	struct route_table *table = mem_zalloc(sizeof *table + capacity * sizeof table->slots[0]);
	table->refs = 1;
	table->capacity = capacity;
	return table;
}

struct route_table *route_table_new(void) {
	return new_table(8);
}

static struct route_slot *find_slot(const struct route_table *table, uint64_t hash, struct str name) {
	for (size_t i = hash & (table->capacity - 1);; i = (i + 1) & (table->capacity - 1)) {
		const struct route_slot *slot = &table->slots[i];
		if (slot->module == NULL || (slot->hash == hash && str_eq(slot->module->name, name)))
			return (struct route_slot *)slot;
	}
}

static void put(struct route_table *table, uint64_t hash, struct route_module *module) {
	struct route_slot *slot = find_slot(table, hash, module->name);
	table->count += slot->module == NULL;
	route_module_unref(slot->module);
	*slot = (struct route_slot){hash, module};
}

struct route_table *route_table_with(const struct route_table *table, struct route_module *const *modules,
				     size_t count) {
	size_t capacity = table->capacity;
	while ((table->count + count) * 2 > capacity)
		capacity *= 2;
	struct route_table *changed = new_table(capacity);
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].module != NULL)
			put(changed, table->slots[i].hash, route_module_ref(table->slots[i].module));
	for (size_t i = 0; i < count; i++)
		put(changed, str_hash(modules[i]->name), modules[i]);
	return changed;
}

struct route_table *route_table_ref(struct route_table *table) {
	atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
	return table;
}

void route_table_unref(struct route_table *table) {
	if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < table->capacity; i++)
		route_module_unref(table->slots[i].module);
	free(table);
}

struct route_module *route_table_find(const struct route_table *table, struct str module) {
	return find_slot(table, str_hash(module), module)->module;
}

struct route_module *route_table_next(const struct route_table *table, size_t *cursor) {
	while (*cursor < table->capacity) {
		struct route_module *module = table->slots[(*cursor)++].module;
		if (module != NULL)
			return module;
	}
	return NULL;
}

static const char *find_nearest(const struct route_table *table, struct str name) {
	struct nearest nearest;
	nearest_init(&nearest, name);
	size_t cursor = 0;
	for (size_t seen = 0; seen < NEAREST_SCAN_MAX; seen++) {
		const struct route_module *module = route_table_next(table, &cursor);
		if (module == NULL)
			break;
		nearest_offer(&nearest, module->name.ptr);
	}
	return nearest.name;
}

int route_table_no_module(const struct route_table *table, struct str name, struct error *err) {
	const char *near = find_nearest(table, name);
	if (near == NULL)
		error_set(err, CODE_NOT_FOUND, "there is no module %.*s", STR_ARG(name));
	else
		error_set(err, CODE_NOT_FOUND, "there is no module %.*s; did you mean %s?", STR_ARG(name), near);
	return error_set_reason(err, REASON_NO_SUCH_MODULE);
}
