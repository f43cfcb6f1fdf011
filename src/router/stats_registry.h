/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics of every verb that can be called, on the control side: it hands them to the routes, through which the
 * workers find them, and answers who asks. A verb keeps its counts when its module is replaced, scaled or stopped, and
 * loses them when a deployment without it becomes active, or the Backplane ends.
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

void stats_registry_init(struct stats_registry *book, size_t workers);
void stats_registry_deinit(struct stats_registry *book);

/* Gives a route that is not shared yet the statistics of its verbs, and forgets those of verbs that it has not. */
void stats_registry_fill(struct stats_registry *book, struct route_module *route);

/* NULL: nothing of that name was ever active. */
const struct stats_module *stats_registry_module(const struct stats_registry *book, struct str name);
/* Walks in no order: start with *cursor = 0; NULL at the end. */
const struct stats_module *stats_registry_next(const struct stats_registry *book, size_t *cursor);
