/* SPDX-License-Identifier: Apache-2.0 */
#include "router/stats_registry.h"

#include <stdlib.h>

#include "base/memory.h"

void stats_registry_init(struct stats_registry *registry, size_t workers) {
	map_init(&registry->modules);
	registry->workers = workers;
}

static void free_verbs(struct stats_verb *verbs, size_t count) {
	for (size_t i = 0; i < count; i++) {
		verb_stats_unref(verbs[i].stats);
		free(verbs[i].name);
	}
	free(verbs);
}

void stats_registry_deinit(struct stats_registry *registry) {
	for (size_t cursor = 0;;) {
		struct stats_module *module = map_next(&registry->modules, &cursor);
		if (module == NULL)
			break;
		free_verbs(module->verbs, module->verb_count);
		free(module->name);
		free(module);
	}
	map_deinit(&registry->modules);
}

static struct stats_module *take_module(struct stats_registry *registry, struct str name) {
	struct stats_module *module = map_get(&registry->modules, name);
	if (module == NULL) {
		module = mem_zalloc(sizeof *module);
		module->name = mem_strndup(name.ptr, name.len);
		map_put(&registry->modules, name, module);
	}
	return module;
}

static struct verb_stats *take_stats(const struct stats_registry *registry, const struct stats_module *module,
				     struct str verb) {
	for (size_t from = 0, to = module->verb_count; from < to;) {
		size_t middle = from + (to - from) / 2;
		int order = str_compare(verb, str_from(module->verbs[middle].name));
		if (order == 0)
			return verb_stats_ref(module->verbs[middle].stats);
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return verb_stats_new(registry->workers);
}

void stats_registry_fill(struct stats_registry *registry, struct route_module *route) {
	static const struct str any = STR_INIT("*");
	const struct str *names = route->verb_count > 0 ? route->verbs : &any;
	size_t count = MAX(route->verb_count, (size_t)1);
	struct stats_module *module = take_module(registry, route->name);
	struct stats_verb *verbs = mem_alloc(count * sizeof *verbs);
	struct verb_stats **stats = mem_alloc(count * sizeof(struct verb_stats *));
	for (size_t i = 0; i < count; i++) {
		stats[i] = take_stats(registry, module, names[i]);
		verbs[i] = (struct stats_verb){mem_strndup(names[i].ptr, names[i].len), verb_stats_ref(stats[i])};
	}
	free_verbs(module->verbs, module->verb_count);
	module->verbs = verbs;
	module->verb_count = count;
	route_module_set_stats(route, stats);
}

const struct stats_module *stats_registry_module(const struct stats_registry *registry, struct str name) {
	return map_get(&registry->modules, name);
}

const struct stats_module *stats_registry_next(const struct stats_registry *registry, size_t *cursor) {
	return map_next(&registry->modules, cursor);
}
