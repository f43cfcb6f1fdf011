/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that changes a module is answered once the change is stored.
 */
#include "backplane/services/modules.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/reasons.h"
#include "control/history.h"
#include "control/schema_gate.h"
#include "ftl.pb-c.h"
#include "router/route.h"
#include "rpc/unary.h"

/* Number of a module's newest entries that are listed when a request names none. */
enum { LISTED = 100 };

/* --- ScaleModule -------------------------------------------------------------------------------------------------- */

struct scaling {
	struct write_behind_waiter waiter;
	struct rpc_unary *unary;
	char key[KEY_MAX];
};

static void scaling_reply(struct write_behind_waiter *waiter) {
	failpoint(FAILPOINT_SCALE_ANSWERING);
	struct scaling *scaling = CONTAINER_OF(waiter, struct scaling, waiter);
	Ftl__ScaleModuleResponse response;
	ftl__scale_module_response__init(&response);
	response.deployment_key = scaling->key;
	rpc_unary_reply(scaling->unary, &response.base);
	free(scaling);
}

static int scale(struct context *context, struct str name, uint32_t replicas, char ret_key[KEY_MAX],
		 struct error *err) {
	const struct module *module = control_module(&context->control, name);
	if (replicas > REPLICAS_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "replicas is %u; at most %d are allowed", replicas,
				 REPLICAS_MAX);
	if (module == NULL)
		return route_table_no_module(context->routes, name, err);
	int result = control_scale(context_event(context), name, replicas, err);
	if (result == 0)
		snprintf(ret_key, KEY_MAX, "%s", module->active ? module->active->key : module->next->key);
	context_event_done(context);
	failpoint(FAILPOINT_SCALE_APPLIED);
	return result;
}

static void on_scale(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	const Ftl__ScaleModuleRequest *request = (const Ftl__ScaleModuleRequest *)message;
	struct scaling *scaling = mem_zalloc(sizeof *scaling);
	*scaling = (struct scaling){.waiter.stored = scaling_reply, .unary = unary};
	struct error err;
	if (scale(context, str_from(request->module), request->replicas, scaling->key, &err) < 0) {
		rpc_unary_fail(unary, &err);
		free(scaling);
	} else if (!write_behind_wait(&context->data.writer.write_behind, &scaling->waiter)) {
		scaling_reply(&scaling->waiter);
	}
}

/* --- RollbackModule ----------------------------------------------------------------------------------------------- */

struct rollback {
	struct store_job job;
	struct write_behind_waiter waiter;
	struct context *context;
	struct rpc_unary *unary;
	struct arena arena; /* holds the record */
	struct deployment_record record;
	char *module;
	char current[KEY_MAX]; /* the active deployment, else the one that is to become active; may be empty */
	char key[KEY_MAX];
	uint64_t origin;
	bool allow_breaking;
	bool failed;
	struct error err;
};

static void rollback_free(struct rollback *rollback) {
	arena_deinit(&rollback->arena);
	free(rollback->module);
	free(rollback);
}

/* Sets the key, unless the request names one, and the origin. */
static int find_earlier(struct rollback *rollback, struct store *store, struct error *err) {
	struct history_entry *entries;
	size_t count, total;
	if (store->ops->list_history(store, rollback->module, HISTORY_MAX, &rollback->arena, &entries, &count, &total,
				     err) < 0)
		return -1;
	const struct history_entry *life = rollback->key[0] != '\0'
						   ? history_find_life(entries, count, rollback->key)
						   : history_find_earlier(entries, count, rollback->current);
	rollback->origin = life != NULL ? life->origin : 0;
	if (rollback->key[0] == '\0' && life == NULL) {
		error_set(
			err, CODE_FAILED_PRECONDITION,
			"there is no earlier deployment of %s: it stands at the first that was live; name another one to go to",
			rollback->module);
		return error_set_reason(err, REASON_NO_EARLIER_DEPLOYMENT);
	}
	if (life != NULL)
		snprintf(rollback->key, sizeof rollback->key, "%s", life->deployment.key);
	return 0;
}

static int read_earlier(struct rollback *rollback, struct store *store, struct error *err) {
	if (find_earlier(rollback, store, err) < 0 ||
	    store->ops->get_deployment(store, rollback->key, &rollback->arena, &rollback->record, err) < 0 ||
	    store->ops->get_needs(store, &rollback->arena, &rollback->record, err) < 0)
		return -1;
	if (strcmp(rollback->record.module, rollback->module) != 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s is a deployment of %s and not of %s", rollback->key,
				 rollback->record.module, rollback->module);
	return 0;
}

static void rollback_work(struct store_job *job, struct store *store) {
	struct rollback *rollback = CONTAINER_OF(job, struct rollback, job);
	rollback->failed = read_earlier(rollback, store, &rollback->err) < 0;
}

static void rollback_reply(struct write_behind_waiter *waiter) {
	failpoint(FAILPOINT_ROLLBACK_ANSWERING);
	struct rollback *rollback = CONTAINER_OF(waiter, struct rollback, waiter);
	Ftl__RollbackModuleResponse response;
	ftl__rollback_module_response__init(&response);
	response.deployment_key = rollback->key;
	rpc_unary_reply(rollback->unary, &response.base);
	rollback_free(rollback);
}

static void rollback_done(struct store_job *job) {
	struct rollback *rollback = CONTAINER_OF(job, struct rollback, job);
	struct context *context = rollback->context;
	if (!rollback->failed && !rollback->allow_breaking)
		rollback->failed = schema_gate_check_again(&context->control, &context->pending, &rollback->record,
							   &rollback->err) < 0;
	if (rollback->failed) {
		rpc_unary_fail(rollback->unary, &rollback->err);
		rollback_free(rollback);
		return;
	}
	control_rolled_back(context_event(context), &rollback->record, rollback->origin);
	context_event_done(context);
	failpoint(FAILPOINT_ROLLBACK_APPLIED);
	if (!write_behind_wait(&context->data.writer.write_behind, &rollback->waiter))
		rollback_reply(&rollback->waiter);
}

static void on_rollback(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	const Ftl__RollbackModuleRequest *request = (const Ftl__RollbackModuleRequest *)message;
	const struct module *module = control_module(&context->control, str_from(request->module));
	struct error err;
	if (module == NULL || strlen(request->deployment_key) >= KEY_MAX) {
		route_table_no_module(context->routes, str_from(request->module), &err);
		if (module != NULL)
			error_set(&err, CODE_NOT_FOUND, "there is no deployment %.80s…", request->deployment_key);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct rollback *rollback = mem_zalloc(sizeof *rollback);
	rollback->job = (struct store_job){.work = rollback_work, .done = rollback_done};
	rollback->waiter.stored = rollback_reply;
	rollback->context = context;
	rollback->unary = unary;
	rollback->module = mem_strdup(request->module);
	rollback->allow_breaking = request->allow_breaking;
	arena_init(&rollback->arena, MIB(256));
	const struct deployment *current = module->active ? module->active : module->next;
	bool takes_back = module->active != NULL && module->next != NULL && request->deployment_key[0] == '\0';
	snprintf(rollback->current, sizeof rollback->current, "%s", current ? current->key : "");
	snprintf(rollback->key, sizeof rollback->key, "%s", takes_back ? current->key : request->deployment_key);
	store_queue_add(&context->data.queue, &rollback->job);
}

/* --- ListDeployments ---------------------------------------------------------------------------------------------- */

struct listing {
	struct store_job job;
	struct rpc_unary *unary;
	struct arena arena;
	struct history_entry *entries;
	size_t count, limit, total;
	char *module;
	char active[KEY_MAX];
	bool failed;
	struct error err;
};

static void listing_work(struct store_job *job, struct store *store) {
	struct listing *listing = CONTAINER_OF(job, struct listing, job);
	listing->failed =
		store->ops->list_history(store, listing->module, listing->limit, &listing->arena, &listing->entries,
					 &listing->count, &listing->total, &listing->err) < 0;
}

/* The state of a deployment is that of its newest life. */
static void show_entry(struct listing *listing, const struct history_entry *entry,
		       Ftl__ListDeploymentsResponse__Deployment *shown) {
	const struct deployment_record *record = &entry->deployment;
	const struct history_entry *next = NULL;
	if (entry->life != 0 && history_find_life(listing->entries, listing->count, record->key) != entry)
		next = history_find_next(listing->entries, listing->count, entry);
	ftl__list_deployments_response__deployment__init(shown);
	shown->key = (char *)record->key;
	shown->language = (char *)record->language;
	shown->state = (Ftl__DeploymentState)(next != NULL ? DEPLOYMENT_STOPPED : record->state);
	if (next == NULL)
		shown->detail = (char *)record->detail;
	else if (strcmp(next->deployment.key, record->key) == 0)
		shown->detail = (char *)"ended, and was deployed again";
	else
		shown->detail = arena_printf(&listing->arena, "followed by %s", next->deployment.key);
	shown->created_ms = record->created_ms;
	shown->live_ms = entry->life != 0 ? entry->begin_ms : 0;
	shown->active = next == NULL && strcmp(record->key, listing->active) == 0;
}

static void listing_reply(struct listing *listing) {
	struct arena *arena = &listing->arena;
	Ftl__ListDeploymentsResponse response;
	ftl__list_deployments_response__init(&response);
	response.total = (uint32_t)listing->total;
	response.deployments = arena_alloc(arena, (listing->count + 1) * sizeof *response.deployments);
	for (; response.n_deployments < listing->count; response.n_deployments++) {
		Ftl__ListDeploymentsResponse__Deployment *shown = arena_alloc(arena, sizeof *shown);
		show_entry(listing, &listing->entries[response.n_deployments], shown);
		response.deployments[response.n_deployments] = shown;
	}
	rpc_unary_reply(listing->unary, &response.base);
}

static void listing_done(struct store_job *job) {
	struct listing *listing = CONTAINER_OF(job, struct listing, job);
	if (listing->failed)
		rpc_unary_fail(listing->unary, &listing->err);
	else
		listing_reply(listing);
	arena_deinit(&listing->arena);
	free(listing->module);
	free(listing);
}

static void on_list(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct context *context = unary->service;
	const Ftl__ListDeploymentsRequest *request = (const Ftl__ListDeploymentsRequest *)message;
	const struct module *module = control_module(&context->control, str_from(request->module));
	struct error err;
	if (module == NULL || request->limit > HISTORY_MAX) {
		if (module == NULL)
			route_table_no_module(context->routes, str_from(request->module), &err);
		else
			error_set(&err, CODE_INVALID_ARGUMENT, "limit is %u; at most %d are listed", request->limit,
				  HISTORY_MAX);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct listing *listing = mem_zalloc(sizeof *listing);
	listing->job = (struct store_job){.work = listing_work, .done = listing_done};
	listing->unary = unary;
	listing->limit = request->limit > 0 ? request->limit : LISTED;
	listing->module = mem_strdup(request->module);
	arena_init(&listing->arena, MIB(16));
	snprintf(listing->active, sizeof listing->active, "%s", module->active ? module->active->key : "");
	store_queue_add(&context->data.queue, &listing->job);
}

static const struct rpc_method module_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/ScaleModule", on_scale,
			 ftl__scale_module_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/RollbackModule", on_rollback,
			 ftl__rollback_module_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/ListDeployments", on_list,
			 ftl__list_deployments_request__descriptor),
};

void modules_service_add(struct context *context, struct rpc_server *server) {
	rpc_server_add(server, module_methods, ARRAY_LEN(module_methods), context);
}
