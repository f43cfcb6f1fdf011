/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics of every verb that can be called, on the control side: the registry puts them into the routes, where
 * the workers find them, and reads them for StatsService. A verb keeps its counts when its module is replaced, scaled
 * or stopped, and loses them when a deployment without it becomes active, or the Backplane ends.
 */
#pragma once

#include "base/map.h"
#include "router/route.h"
#include "router/verb_stats.h"

struct stats_registry {
	struct map modules; /* struct stats_module by name */
	size_t workers;
};

struct stats_module {
	char *name;
	struct stats_verb {
		char *name; /* "*": any, of a module whose schema names none */
		struct verb_stats *stats;
	} *verbs; /* sorted */
	size_t verb_count;
};

void stats_registry_init(struct stats_registry *registry, size_t workers);
void stats_registry_deinit(struct stats_registry *registry);

/* Gives a route that is not shared yet the statistics of its verbs, and forgets those of verbs that it does not have.
 */
void stats_registry_fill(struct stats_registry *registry, struct route_module *route);

/* NULL: no module of that name was ever active. */
const struct stats_module *stats_registry_module(const struct stats_registry *registry, struct str name);
/* Walks in no order: start with *cursor = 0; NULL at the end. */
const struct stats_module *stats_registry_next(const struct stats_registry *registry, size_t *cursor);
