/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds routing tables from the records of the control side: a module that changed gets a new route, the other routes
 * are shared with the previous table, and every worker gets the new table. Keeps the outlier state of each replica
 * (router/outlier.h) from table to table.
 */
#pragma once

#include "base/map.h"
#include "net/endpoint.h"
#include "router/outlier.h"
#include "router/stats_registry.h"

struct context;
struct module;
struct route_module;
struct runner;
struct schemas_service;
struct workers;

/* Limits of the queues of changed modules and of endpoints to close. A full queue is emptied early: changes go into an
 * unpublished table, and endpoints are closed before their routes are gone. */
enum { ROUTE_CHANGES_MAX = 256, ROUTE_FORGOTTEN_MAX = 64 };

struct route_builder {
	struct context *context;
	struct workers *workers;
	struct stats_registry *stats;
	struct schemas_service *schemas;
	struct map outliers; /* struct runner_outlier by the Runner's key */
	struct route_module *changed[ROUTE_CHANGES_MAX]; /* routes that the next table gets */
	size_t changed_count;
	/* Endpoints of Runners that are gone. Workers close their connections after the routes without them are out. */
	struct endpoint forgotten[ROUTE_FORGOTTEN_MAX];
	size_t forgotten_count;
};

void route_builder_init(struct route_builder *builder, struct context *context, struct workers *workers,
			struct stats_registry *stats, struct schemas_service *schemas);
void route_builder_deinit(struct route_builder *builder);

/* Effects: the route of a module changed; every worker gets the table of that version, and control_published is called
 * once all of them use it. */
void route_builder_change(struct route_builder *builder, const struct module *module);
void route_builder_publish(struct route_builder *builder, uint64_t version);
/* Effect: a Runner is gone. Connections to it close once the routes without it are out. */
void route_builder_forget(struct route_builder *builder, const struct runner *runner);

/* Number of calls in progress at a Runner. */
unsigned route_builder_calls(const struct route_builder *builder, const struct runner *runner);
/* "left out for 2 s: …" while the Runner's replica is ejected, else empty. */
void route_builder_outlier_text(const struct route_builder *builder, const struct runner *runner,
				char ret_text[OUTLIER_TEXT_MAX]);
