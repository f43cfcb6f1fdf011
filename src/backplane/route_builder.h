/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the routing table from the records of the control side: a module that changed gets a new route, the others are
 * shared with the table before, and every worker gets the new table. Keeps the outlier state of each replica
 * (outlier.h).
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

/* Modules that change before the table is made anew, and endpoints that wait for the next table; more are handled at
 * once. */
enum { ROUTE_CHANGES_MAX = 256, ROUTE_FORGOTTEN_MAX = 64 };

struct route_builder {
	struct context *context;
	struct workers *workers;
	struct stats_registry *stats;
	struct schemas_service *schemas;
	struct map outliers; /* struct runner_outlier by Runner's key */
	struct route_module *changed[ROUTE_CHANGES_MAX]; /* since the last table */
	size_t changed_count;
	struct endpoint
		forgotten[ROUTE_FORGOTTEN_MAX]; /* of Runners that are gone, until the routes without them are out */
	size_t forgotten_count;
};

void route_builder_init(struct route_builder *builder, struct context *context, struct workers *workers,
			struct stats_registry *stats, struct schemas_service *schemas);
void route_builder_deinit(struct route_builder *builder);

/* Effects: the routes of a module changed; every worker gets the table of that version, then control_published. */
void route_builder_change(struct route_builder *builder, const struct module *module);
void route_builder_publish(struct route_builder *builder, uint64_t version);
/* Effect: a Runner is gone. Connections to it close when the routes without it are out. */
void route_builder_forget(struct route_builder *builder, const struct runner *runner);

/* Calls in progress at a Runner. */
unsigned route_builder_calls(const struct route_builder *builder, const struct runner *runner);
/* "left out for 2 s: …" when the Runner's replica is ejected, else empty. */
void route_builder_outlier_text(const struct route_builder *builder, const struct runner *runner,
				char ret_text[OUTLIER_TEXT_MAX]);
