/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/route_builder.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "router/route.h"
#include "rpc/unary.h"
#include "schema/packed.h"

static void on_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct status_service *service = unary->service;
	Ftl__PingResponse response;
	ftl__ping_response__init(&response);
	if (service->context->state != BACKPLANE_SERVING)
		response.not_ready = (char *)"the Backplane is stopping";
	rpc_unary_reply(unary, &response.base);
}

/* --- Status ------------------------------------------------------------------------------------------------------- */

/* The message is in arena; its texts may be borrowed from the control side until the reply is packed. */
static Ftl__StatusResponse__Runner *describe_runner(const struct status_service *service, const struct runner *runner,
						    struct arena *arena) {
	char left_out[OUTLIER_TEXT_MAX];
	Ftl__StatusResponse__Runner *shown = arena_alloc(arena, sizeof *shown);
	ftl__status_response__runner__init(shown);
	shown->key = (char *)runner->key;
	shown->language = (char *)runner->language;
	shown->endpoint = (char *)(runner->endpoint ? runner->endpoint : "");
	shown->state = (char *)runner_state_name(runner->state);
	shown->deployment_key = (char *)(runner->deployment ? runner->deployment->key : "");
	shown->since_ms = runner->since_wall_ms;
	shown->managed = runner->managed;
	shown->calls = route_builder_calls(service->routes, runner);
	route_builder_outlier_text(service->routes, runner, left_out);
	shown->left_out = arena_strdup(arena, str_from(left_out));
	shown->trouble = (char *)(runner->state == RUNNER_ALIVE ? runner->liveness.trouble : "");
	return shown;
}

static Ftl__StatusResponse__Deployment *describe_deployment(const struct deployment *deployment, struct arena *arena) {
	Ftl__StatusResponse__Deployment *shown = arena_alloc(arena, sizeof *shown);
	ftl__status_response__deployment__init(shown);
	shown->key = (char *)deployment->key;
	shown->module = deployment->module->name;
	shown->language = (char *)deployment->language;
	shown->state = (Ftl__DeploymentState)deployment_state(deployment);
	shown->replicas = deployment->phase == PHASE_DRAINING ? 0 : deployment_wanted(deployment);
	shown->alive = deployment->alive;
	shown->since_ms = deployment->since_wall_ms;
	shown->detail = deployment->detail;
	shown->fetch_us = deployment->fetch_us;
	shown->start_us = deployment->start_us;
	return shown;
}

static Ftl__StatusResponse__Deployment *describe_ended(const struct module *module, const struct ended *ended,
						       struct arena *arena) {
	Ftl__StatusResponse__Deployment *shown = arena_alloc(arena, sizeof *shown);
	ftl__status_response__deployment__init(shown);
	shown->key = (char *)ended->key;
	shown->module = module->name;
	shown->language = (char *)ended->language;
	shown->state = (Ftl__DeploymentState)ended->state;
	shown->since_ms = ended->since_wall_ms;
	shown->detail = ended->detail;
	return shown;
}

static int compare_deployments(const void *a, const void *b) {
	const Ftl__StatusResponse__Deployment *left = *(Ftl__StatusResponse__Deployment *const *)a;
	const Ftl__StatusResponse__Deployment *right = *(Ftl__StatusResponse__Deployment *const *)b;
	int order = strcmp(left->module, right->module);
	return order != 0 ? order : strcmp(left->key, right->key);
}

static void add_runners(const struct status_service *service, Ftl__StatusResponse *response, struct arena *arena) {
	const struct control *control = &service->context->control;
	response->runners = arena_alloc(arena, (control->books.runners.len + 1) * sizeof *response->runners);
	LIST_FOREACH(link, &control->books.all_runners)
		response->runners[response->n_runners++] =
			describe_runner(service, LIST_ENTRY(link, struct runner, in_control), arena);
}

static void add_deployments(const struct control *control, Ftl__StatusResponse *response, struct arena *arena) {
	size_t room = control->books.deployments.len + 2 * control->books.modules.len;
	response->deployments = arena_alloc(arena, (room + 1) * sizeof *response->deployments);
	for (size_t cursor = 0;;) {
		const struct deployment *deployment = map_next(&control->books.deployments, &cursor);
		if (deployment == NULL)
			break;
		response->deployments[response->n_deployments++] = describe_deployment(deployment, arena);
	}
	LIST_FOREACH(link, &control->books.all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		const struct ended *ended[] = {&module->failed, &module->stopped};
		for (size_t i = 0; i < ARRAY_LEN(ended); i++)
			/* A deployment that is wanted again is in books.deployments, and described above. */
			if (ended[i]->key[0] != '\0' && control_deployment(control, str_from(ended[i]->key)) == NULL)
				response->deployments[response->n_deployments++] =
					describe_ended(module, ended[i], arena);
	}
	qsort(response->deployments, response->n_deployments, sizeof *response->deployments, compare_deployments);
}

/* Adds the replicas that are ejected (router/outlier.h), and those of which their Runner knows a trouble. */
static void add_replicas(const struct control *control, Ftl__StatusResponse *response, struct arena *arena) {
	for (size_t i = 0; i < response->n_runners; i++) {
		const Ftl__StatusResponse__Runner *runner = response->runners[i];
		const struct deployment *deployment = control_deployment(control, str_from(runner->deployment_key));
		if (runner->left_out[0] != '\0' && deployment != NULL)
			response->problems[response->n_problems++] =
				arena_printf(arena, "%s: its replica on %s is %s", deployment->module->name,
					     runner->key, runner->left_out);
		if (runner->trouble[0] != '\0' && deployment != NULL)
			response->problems[response->n_problems++] =
				arena_printf(arena, "%s: its replica on %s may be down: %s", deployment->module->name,
					     runner->key, runner->trouble);
	}
}

static void add_module(const struct control *control, const struct module *module, Ftl__StatusResponse *response,
		       struct arena *arena) {
	bool should_run = module->active != NULL && module->replicas > 0;
	bool lacks_replicas = should_run && module->active->alive < module->replicas;
	char text[ERROR_TEXT_MAX];
	if (lacks_replicas || (!should_run && module->failure != NULL)) {
		control_module_problem(control, module, text, sizeof text);
		response->problems[response->n_problems++] =
			arena_printf(arena, "%s has %u of %u replicas alive: %s", module->name,
				     module->active ? module->active->alive : 0, module->replicas, text);
	}
	if (control_module_is_unstable(control, module, text, sizeof text))
		response->problems[response->n_problems++] = arena_strdup(arena, str_from(text));
	if (control_module_comes_up_badly(module, text, sizeof text))
		response->problems[response->n_problems++] = arena_strdup(arena, str_from(text));
}

static void add_problems(const struct context *context, Ftl__StatusResponse *response, struct arena *arena) {
	const struct control *control = &context->control;
	size_t room = 2 * control->books.modules.len + control->books.languages.len + 2 * control->books.runners.len;
	response->problems = arena_alloc(arena, (room + 1) * sizeof *response->problems);
	char *of_store = store_writer_problem(&context->data.writer, arena);
	if (of_store != NULL)
		response->problems[response->n_problems++] = of_store;
	LIST_FOREACH(link, &control->books.all_languages) {
		const struct language *language = LIST_ENTRY(link, struct language, in_control);
		if (language->problem[0] != '\0')
			response->problems[response->n_problems++] =
				arena_printf(arena, "Runners for %s cannot be had: the last one %s", language->name,
					     language->problem);
	}
	LIST_FOREACH(link, &control->books.all_modules)
		add_module(control, LIST_ENTRY(link, struct module, in_control), response, arena);
	add_replicas(control, response, arena);
}

static void on_status(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct status_service *service = unary->service;
	const struct context *context = service->context;
	const struct control *control = &context->control;
	struct arena arena = ARENA_INIT(MIB(64));
	Ftl__StatusResponse response;
	ftl__status_response__init(&response);
	response.version = (char *)FTL_VERSION;
	response.started_ms = context->started_wall_ms;
	response.endpoint = (char *)context->endpoint;
	add_runners(service, &response, &arena);
	add_deployments(control, &response, &arena);
	add_problems(context, &response, &arena);
	rpc_unary_reply(unary, &response.base);
	arena_deinit(&arena);
}

/* --- GetSchema ---------------------------------------------------------------------------------------------------- */

static Schema__Module *unpack_schema(const struct module *module, struct arena *arena) {
	const struct deployment *deployment = module->active ? module->active : module->next;
	ProtobufCMessage *schema;
	struct error err;
	if (deployment == NULL)
		return NULL;
	int failed =
		pb_unpack(&schema__module__descriptor, packed_schema_bytes(deployment->schema), arena, &schema, &err);
	ASSERT(failed == 0); /* it was checked when the deployment was created */
	return (Schema__Module *)schema;
}

static int compare_modules(const void *a, const void *b) {
	return strcmp((*(Schema__Module *const *)a)->name, (*(Schema__Module *const *)b)->name);
}

static void on_get_schema(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const struct context *context = ((const struct status_service *)unary->service)->context;
	const struct control *control = &context->control;
	struct str wanted = str_from(((const Ftl__GetSchemaRequest *)message)->module);
	struct error err;
	if (wanted.len > 0 && control_module(control, wanted) == NULL) {
		route_table_no_module(context->routes, wanted, &err);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct arena arena = ARENA_INIT(SIZE_MAX);
	Ftl__GetSchemaResponse response;
	ftl__get_schema_response__init(&response);
	response.modules = arena_alloc(&arena, (control->books.modules.len + 1) * sizeof *response.modules);
	LIST_FOREACH(link, &control->books.all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		if (wanted.len > 0 && !str_eq_c(wanted, module->name))
			continue;
		Schema__Module *schema = unpack_schema(module, &arena);
		if (schema != NULL)
			response.modules[response.n_modules++] = schema;
	}
	qsort(response.modules, response.n_modules, sizeof *response.modules, compare_modules);
	rpc_unary_reply(unary, &response.base);
	arena_deinit(&arena);
}

static const struct rpc_method status_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/Ping", on_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/Status", on_status, ftl__status_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/GetSchema", on_get_schema,
			 ftl__get_schema_request__descriptor),
};

void status_service_add(struct status_service *service, struct rpc_server *server) {
	rpc_server_add(server, status_methods, ARRAY_LEN(status_methods), service);
}
