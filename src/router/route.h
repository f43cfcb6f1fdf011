/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routing table: to which replicas the calls of each module go. Immutable once published, shared by all threads,
 * and replaced as a whole; a new table shares with the one before every module that did not change.
 */
#pragma once

#include <stdatomic.h>

#include "base/random.h"
#include "base/str.h"
#include "net/endpoint.h"
#include "router/outlier.h"

struct packed_schema;
struct verb_stats;

#define ROUTE_NO_VERB SIZE_MAX

struct route_replica {
	char runner_key[KEY_MAX];
	char deployment_key[KEY_MAX];
	char *label; /* "the deployment dpl-… of echo", for errors */
	struct endpoint endpoint;
	struct outlier *outlier; /* a reference */
	char *address; /* the endpoint as text; made by route_module_new */
};

struct route_module {
	atomic_uint refs;
	struct str name;
	struct str *verbs; /* sorted */
	size_t verb_count;
	struct verb_stats **stats; /* of each verb, in the order of verbs; without verbs one for all; NULL: none */
	struct str *calls; /* "verb module.verb": what each verb declares to call; sorted */
	size_t call_count;
	bool declares_calls; /* false: it may call anything */
	struct route_replica *replicas;
	size_t replica_count;
	struct outliers outliers; /* of the replicas, in their order */
	char *problem; /* without replicas: why */
	const char *problem_reason; /* the same as one of base/reasons.h, a constant; empty: none */
	struct packed_schema *schema; /* of the active deployment, a reference; NULL: none is active */
	bool awaited; /* without replicas: one is about to come up, and calls are held for it */
};

/* Takes over replicas (an array on the heap, with their labels and outliers). Copies the rest. */
struct route_module *route_module_new(struct str name, const struct str *verbs, size_t verb_count,
				      struct route_replica *replicas, size_t replica_count, const char *problem);
/* Before the module is shared: its verbs may call only these. Takes over calls (an array on the heap, with its texts).
 */
void route_module_set_calls(struct route_module *module, struct str *calls, size_t call_count);
/* Before the module is shared. Takes over stats (an array on the heap, with its references). */
void route_module_set_stats(struct route_module *module, struct verb_stats **stats);
struct route_module *route_module_ref(struct route_module *module);
void route_module_unref(struct route_module *module); /* takes NULL */
bool route_module_has(const struct route_module *module, struct str verb);
/* The place of a verb, or ROUTE_NO_VERB. A module without verbs has place 0 for any verb. */
size_t route_module_find(const struct route_module *module, struct str verb);
/* The statistics of the verb at that place, or NULL. */
struct verb_stats *route_module_stats(const struct route_module *module, size_t place);
/* A verb of this module may call "module.verb". */
bool route_module_may_call(const struct route_module *module, struct str verb, struct str called);
/* The verb whose name is nearest, or NULL when none is near. */
const char *route_module_nearest(const struct route_module *module, struct str verb);
/* "the module X has no verb Y; did you mean X.Z?" Returns -1. */
int route_module_no_verb(const struct route_module *module, struct str verb, struct error *err);

struct route_table;

struct route_table *route_table_new(void);
/* A copy of table in which modules, whose references it takes, replace those of the same names. */
struct route_table *route_table_with(const struct route_table *table, struct route_module *const *modules,
				     size_t count);
struct route_table *route_table_ref(struct route_table *table);
void route_table_unref(struct route_table *table);

struct route_module *route_table_find(const struct route_table *table, struct str module);
/* "there is no module X; did you mean Y?" Returns -1. */
int route_table_no_module(const struct route_table *table, struct str module, struct error *err);

/* Walks: start with *cursor = 0; NULL at the end. */
struct route_module *route_table_next(const struct route_table *table, size_t *cursor);
