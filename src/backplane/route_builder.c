/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/route_builder.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/services/schemas.h"
#include "backplane/workers.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "schema/packed.h"

/* --- outliers ---------------------------------------------------------------------------------------------- */

/* The outlier state of the replica that a Runner hosts. A replica that became alive again gets a new one. */
struct runner_outlier {
	struct outlier *outlier;
	uint64_t alive_since_ms;
};

static struct outlier *outlier_of(struct route_builder *builder, const struct runner *runner) {
	struct runner_outlier *entry = map_get(&builder->outliers, str_from(runner->key));
	if (entry == NULL) {
		entry = mem_zalloc(sizeof *entry);
		map_put(&builder->outliers, str_from(runner->key), entry);
	}
	if (entry->outlier == NULL || entry->alive_since_ms != runner->alive_since_ms) {
		outlier_unref(entry->outlier);
		*entry = (struct runner_outlier){outlier_new(random_u64()), runner->alive_since_ms};
	}
	return entry->outlier;
}

static void free_outlier(struct runner_outlier *entry) {
	if (entry != NULL)
		outlier_unref(entry->outlier);
	free(entry);
}

/* NULL: no route to the Runner's replica was built. */
static const struct outlier *find_outlier(const struct route_builder *builder, const struct runner *runner) {
	const struct runner_outlier *entry = map_get(&builder->outliers, str_from(runner->key));
	return entry != NULL && entry->alive_since_ms == runner->alive_since_ms ? entry->outlier : NULL;
}

unsigned route_builder_calls(const struct route_builder *builder, const struct runner *runner) {
	const struct outlier *outlier = find_outlier(builder, runner);
	return outlier != NULL ? outlier_under_way(outlier) : 0;
}

void route_builder_outlier_text(const struct route_builder *builder, const struct runner *runner,
				char ret_text[OUTLIER_TEXT_MAX]) {
	const struct outlier *outlier = find_outlier(builder, runner);
	ret_text[0] = '\0';
	if (runner->state == RUNNER_ALIVE && outlier != NULL)
		outlier_text(outlier, loop_now_ms(&builder->context->loop), ret_text);
}

/* --- endpoints of ended Runners ---------------------------------------------------------------------------------------- */

/* Called once the routes without these endpoints are out: a call on older routes would connect again, and nothing would
 * close that connection. */
static void forget_endpoints(struct route_builder *builder) {
	for (size_t i = 0; i < builder->forgotten_count; i++)
		for (size_t j = 0; j < builder->workers->count; j++)
			worker_forget(builder->workers->items[j], &builder->forgotten[i]);
	builder->forgotten_count = 0;
}

void route_builder_forget(struct route_builder *builder, const struct runner *runner) {
	free_outlier(map_remove(&builder->outliers, str_from(runner->key)));
	struct endpoint endpoint;
	if (runner->endpoint == NULL || endpoint_parse(str_from(runner->endpoint), &endpoint, NULL) < 0)
		return;
	if (builder->forgotten_count == ROUTE_FORGOTTEN_MAX)
		forget_endpoints(builder);
	builder->forgotten[builder->forgotten_count++] = endpoint;
}

/* --- the route of a module ---------------------------------------------------------------------------------------- */

static size_t list_verbs(const Schema__Module *schema, struct str *verbs) {
	size_t count = 0;
	for (size_t i = 0; i < schema->n_decls; i++)
		if (schema->decls[i]->value_case == SCHEMA__DECL__VALUE_VERB)
			verbs[count++] = str_from(schema->decls[i]->verb->name);
	return count;
}

struct calls {
	struct str *items;
	size_t count, capacity;
};

static void add_calls(struct calls *calls, const Schema__Verb *verb) {
	for (size_t i = 0; i < verb->n_metadata; i++) {
		const Schema__Metadata *metadata = verb->metadata[i];
		if (metadata->value_case != SCHEMA__METADATA__VALUE_CALLS)
			continue;
		for (size_t j = 0; j < metadata->calls->n_calls; j++) {
			const Schema__VerbRef *called = metadata->calls->calls[j];
			if (calls->count == calls->capacity) {
				calls->capacity = MAX(calls->capacity * 2, (size_t)8);
				calls->items = mem_realloc(calls->items, calls->capacity * sizeof *calls->items);
			}
			char *text = mem_printf("%s %s.%s", verb->name, called->module, called->name);
			calls->items[calls->count++] = str_from(text);
		}
	}
}

/* The schema was checked when the deployment was created, so it can be unpacked. */
static const Schema__Module *unpack_schema(const struct deployment *deployment, struct arena *arena) {
	ProtobufCMessage *schema;
	struct error err;
	struct str packed = packed_schema_bytes(deployment->schema);
	arena_init(arena, pb_arena_max(packed.len));
	int failed = pb_unpack(&schema__module__descriptor, packed, arena, &schema, &err);
	ASSERT(failed == 0);
	return (const Schema__Module *)schema;
}

static bool is_exported(const Schema__Decl *decl) {
	switch (decl->value_case) {
	case SCHEMA__DECL__VALUE_DATA:
		return decl->data->export;
	case SCHEMA__DECL__VALUE_VERB:
		return decl->verb->export;
	case SCHEMA__DECL__VALUE_ENUM:
		return decl->enum_->export;
	case SCHEMA__DECL__VALUE_TYPE_ALIAS:
		return decl->type_alias->export;
	case SCHEMA__DECL__VALUE__NOT_SET:
	case _SCHEMA__DECL__VALUE__CASE_IS_INT_SIZE:
		break;
	}
	return false;
}

/* Adds the verbs that each verb calls. Returns whether the schema exports anything. */
static bool list_calls(const struct deployment *deployment, struct calls *calls) {
	struct arena arena;
	const Schema__Module *schema = unpack_schema(deployment, &arena);
	bool exports = false;
	for (size_t i = 0; i < schema->n_decls; i++) {
		exports |= is_exported(schema->decls[i]);
		if (schema->decls[i]->value_case == SCHEMA__DECL__VALUE_VERB)
			add_calls(calls, schema->decls[i]->verb);
	}
	arena_deinit(&arena);
	return exports;
}

/* Sets the verbs that the module may call: those that its active deployment declares, and those of deployments that
 * still finish their calls. A schema that declares neither exports nor calls comes from a client that does not know of
 * either: its module may call any verb. */
static void set_calls(const struct route_builder *builder, const struct module *module, struct route_module *route) {
	struct calls calls = {0};
	bool exports = list_calls(module->active, &calls);
	if (!exports && calls.count == 0)
		return;
	LIST_FOREACH(link, &builder->context->control.marks.ending) {
		const struct deployment *deployment = LIST_ENTRY(link, struct deployment, in_ending);
		if (deployment->module == module)
			list_calls(deployment, &calls);
	}
	route_module_set_calls(route, calls.items, calls.count);
}

static struct route_replica *list_replicas(struct route_builder *builder, const struct deployment *deployment,
					   size_t *ret_count) {
	struct route_replica *replicas = mem_zalloc((deployment->alive + 1) * sizeof *replicas);
	size_t count = 0;
	LIST_FOREACH(link, &deployment->runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
		if (runner->state != RUNNER_ALIVE)
			continue;
		struct route_replica *replica = &replicas[count++];
		snprintf(replica->runner_key, sizeof replica->runner_key, "%s", runner->key);
		snprintf(replica->deployment_key, sizeof replica->deployment_key, "%s", deployment->key);
		replica->outlier = outlier_ref(outlier_of(builder, runner));
		replica->label = mem_printf("the deployment %s of %s", deployment->key, deployment->module->name);
		int failed = endpoint_parse(str_from(runner->endpoint), &replica->endpoint, NULL);
		ASSERT(failed == 0);
	}
	*ret_count = count;
	return replicas;
}

static struct route_module *make_route(struct route_builder *builder, const struct module *module) {
	char problem[ERROR_TEXT_MAX] = "";
	const char *reason = "";
	const struct deployment *active = module->active;
	if (active == NULL || active->alive == 0)
		reason = control_module_problem(&builder->context->control, module, problem, sizeof problem);
	if (active == NULL) {
		struct route_module *route = route_module_new(str_from(module->name), NULL, 0, NULL, 0, problem);
		route->problem_reason = reason;
		return route;
	}
	struct arena arena;
	const Schema__Module *message = unpack_schema(active, &arena);
	struct str *verbs = mem_alloc((message->n_decls + 1) * sizeof *verbs);
	size_t replica_count, verb_count = list_verbs(message, verbs);
	struct route_replica *replicas = list_replicas(builder, active, &replica_count);
	struct route_module *route =
		route_module_new(str_from(module->name), verbs, verb_count, replicas, replica_count, problem);
	set_calls(builder, module, route);
	stats_registry_fill(builder->stats, route);
	route->problem_reason = reason;
	route->schema = packed_schema_ref(active->schema);
	route->awaited = control_module_is_awaited(&builder->context->control, module);
	free(verbs);
	arena_deinit(&arena);
	return route;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void take_in_changes(struct route_builder *builder) {
	if (builder->changed_count == 0)
		return;
	struct route_table *table =
		route_table_with(builder->context->routes, builder->changed, builder->changed_count);
	route_table_unref(builder->context->routes);
	builder->context->routes = table;
	builder->changed_count = 0;
}

void route_builder_change(struct route_builder *builder, const struct module *module) {
	if (builder->changed_count == ROUTE_CHANGES_MAX)
		take_in_changes(builder);
	builder->changed[builder->changed_count++] = make_route(builder, module);
	schema_feed_set(&builder->schemas->feed, module->name, module->active ? module->active->schema : NULL);
}

/* A table that not all workers use yet. */
struct publication {
	struct route_builder *builder;
	uint64_t version;
};

static void on_published(void *owner) {
	struct publication *publication = owner;
	struct route_builder *builder = publication->builder;
	failpoint(FAILPOINT_ROUTES_PUBLISHED);
	control_published(context_event(builder->context), publication->version);
	context_event_done(builder->context);
	schemas_service_published(builder->schemas);
	free(publication);
}

void route_builder_publish(struct route_builder *builder, uint64_t version) {
	if (builder->workers->count == 0)
		return; /* all workers have been stopped */
	failpoint(FAILPOINT_ROUTES_PUBLISHING);
	take_in_changes(builder);
	struct publication *publication = mem_alloc(sizeof *publication);
	*publication = (struct publication){.builder = builder, .version = version};
	struct countdown *in_use =
		countdown_new(&builder->context->loop, builder->workers->count, on_published, publication);
	for (size_t i = 0; i < builder->workers->count; i++)
		worker_set_routes(builder->workers->items[i], route_table_ref(builder->context->routes), in_use);
	forget_endpoints(builder);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void route_builder_init(struct route_builder *builder, struct context *context, struct workers *workers,
			struct stats_registry *stats, struct schemas_service *schemas) {
	*builder = (struct route_builder){.context = context, .workers = workers, .stats = stats, .schemas = schemas};
	map_init(&builder->outliers);
}

void route_builder_deinit(struct route_builder *builder) {
	for (size_t cursor = 0;;) {
		struct runner_outlier *entry = map_next(&builder->outliers, &cursor);
		if (entry == NULL)
			break;
		free_outlier(entry);
	}
	map_deinit(&builder->outliers);
	for (size_t i = 0; i < builder->changed_count; i++)
		route_module_unref(builder->changed[i]);
}
