/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/deployments.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "router/route.h"
#include "rpc/unary.h"

/* --- GetDeployment ------------------------------------------------------------------------------------------------ */

struct reading {
	struct store_job job;
	struct rpc_unary *unary;
	struct arena arena;
	struct deployment_record record;
	char *key;
	bool failed;
	struct error err;
};

static void reading_work(struct store_job *job, struct store *store) {
	struct reading *reading = CONTAINER_OF(job, struct reading, job);
	reading->failed =
		store->ops->get_deployment(store, reading->key, &reading->arena, &reading->record, &reading->err) < 0;
}

static void reply_deployment(struct reading *reading) {
	const struct deployment_record *record = &reading->record;
	ProtobufCMessage *schema;
	struct error err;
	if (pb_unpack(&schema__module__descriptor, record->schema, &reading->arena, &schema, &err) < 0) {
		rpc_unary_fail(reading->unary, &err);
		return;
	}
	Ftl__DeploymentArtefact *artefacts =
		arena_alloc(&reading->arena, (record->artefact_count + 1) * sizeof *artefacts);
	Ftl__DeploymentArtefact **list = arena_alloc(&reading->arena, (record->artefact_count + 1) * sizeof *list);
	for (size_t i = 0; i < record->artefact_count; i++) {
		struct digest_hex hex = digest_to_hex(&record->artefacts[i].digest);
		ftl__deployment_artefact__init(&artefacts[i]);
		artefacts[i].digest = arena_strdup(&reading->arena, str_from(hex.text));
		artefacts[i].path = arena_strdup(&reading->arena, record->artefacts[i].path);
		artefacts[i].executable = record->artefacts[i].executable;
		list[i] = &artefacts[i];
	}
	Ftl__GetDeploymentResponse response;
	ftl__get_deployment_response__init(&response);
	response.schema = (Schema__Module *)schema;
	response.n_artefacts = record->artefact_count;
	response.artefacts = list;
	rpc_unary_reply(reading->unary, &response.base);
}

static void reading_done(struct store_job *job) {
	struct reading *reading = CONTAINER_OF(job, struct reading, job);
	if (reading->failed)
		rpc_unary_fail(reading->unary, &reading->err);
	else
		reply_deployment(reading);
	arena_deinit(&reading->arena);
	free(reading->key);
	free(reading);
}

static void on_get(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	const char *key = ((const Ftl__GetDeploymentRequest *)message)->deployment_key;
	if (key[0] == '\0') {
		struct error err;
		error_set(&err, CODE_INVALID_ARGUMENT, "deployment_key is missing: name the deployment that is wanted");
		rpc_unary_fail(unary, &err);
		return;
	}
	struct reading *reading = mem_zalloc(sizeof *reading);
	reading->unary = unary;
	reading->job = (struct store_job){.work = reading_work, .done = reading_done};
	reading->key = mem_strdup(key);
	arena_init(&reading->arena, MIB(256));
	store_queue_add(&context->data.queue, &reading->job);
}

/* --- KillModule --------------------------------------------------------------------------------------------------- */

struct killing {
	struct write_behind_waiter waiter;
	struct rpc_unary *unary;
	char key[KEY_MAX];
};

static void killing_reply(struct write_behind_waiter *waiter) {
	failpoint(FAILPOINT_KILL_ANSWERING);
	struct killing *killing = CONTAINER_OF(waiter, struct killing, waiter);
	Ftl__KillModuleResponse response;
	ftl__kill_module_response__init(&response);
	response.deployment_key = killing->key;
	rpc_unary_reply(killing->unary, &response.base);
	free(killing);
}

static void on_kill(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	struct str name = str_from(((const Ftl__KillModuleRequest *)message)->module);
	struct control *control = context_event(context);
	if (control_module(control, name) == NULL) {
		struct error err;
		route_table_no_module(context->routes, name, &err);
		context_event_done(context);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct killing *killing = mem_zalloc(sizeof *killing);
	*killing = (struct killing){.waiter.stored = killing_reply, .unary = unary};
	control_kill(control, name, killing->key);
	context_event_done(context);
	failpoint(FAILPOINT_KILL_APPLIED);
	if (!write_behind_wait(&context->data.writer.write_behind, &killing->waiter))
		killing_reply(&killing->waiter);
}

static const struct rpc_method deployment_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/GetDeployment", on_get,
			 ftl__get_deployment_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/KillModule", on_kill,
			 ftl__kill_module_request__descriptor),
};

void deployments_service_add(struct context *context, struct rpc_server *server) {
	rpc_server_add(server, deployment_methods, ARRAY_LEN(deployment_methods), context);
}
