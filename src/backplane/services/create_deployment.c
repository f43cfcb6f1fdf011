/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   CHECKING ──all artefacts are stored──▶ STORING ──the rows are stored──▶ APPLIED
 *       │                                     │                               │ the module's row is stored
 *       │ refused                             │ not stored                    ▼
 *       └─────────────────────────────────────┴──────────────────────────▶ ANSWERED
 *
 * Everything is checked before anything is stored. CHECKING asks whether the artefacts are stored. STORING adds the
 * rows of the deployment to the store, which changes nothing for its module yet. APPLIED: the control side has the
 * deployment, and the module's row, which names it, is queued for the store. If the Backplane crashes before that row
 * is stored, the deployment is stored and not wanted. Once the request is answered, a crash loses nothing.
 */
#include "backplane/services/create_deployment.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/services/artefacts.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/path.h"
#include "control/schema_gate.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "rpc/unary.h"
#include "schema/check.h"
#include "schema/packed.h"
#include "schema/proto.h"

struct creation {
	enum creation_state state;
	struct context *context;
	struct rpc_unary *unary; /* holds the request */
	struct arena arena; /* holds the record */
	struct deployment_record record;
	uint32_t replicas;
	char key[KEY_MAX];

	/* CHECKING */
	struct artefact_op op;
	struct digest *digests;
	bool *have;
	struct schema_module *module;
	bool allow_breaking;
	/* STORING */
	struct schema_pending pending;
	struct packed_schema **needed; /* references, which hold the schemas of record.needs */
	size_t needed_count;
	struct store_job job;
	bool existed, active, failed;
	struct error err;
	/* APPLIED */
	struct write_behind_waiter waiter;
};

#define TO(state) (1u << (state))

static const unsigned allowed[CREATION_STATE_COUNT] = {
	[CREATION_CHECKING] = TO(CREATION_STORING) | TO(CREATION_ANSWERED),
	[CREATION_STORING] = TO(CREATION_APPLIED) | TO(CREATION_ANSWERED),
	[CREATION_APPLIED] = TO(CREATION_ANSWERED),
};

void creation_state_change(enum creation_state *state, enum creation_state next) {
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

/* --- reading the request ------------------------------------------------------------------------------------------ */

static int compare_paths(const void *a, const void *b) {
	return str_compare(((const struct artefact_record *)a)->path, ((const struct artefact_record *)b)->path);
}

static int read_artefact(const Ftl__DeploymentArtefact *artefact, struct artefact_record *ret_record,
			 struct error *err) {
	struct artefact_record record = {.path = str_from(artefact->path), .executable = artefact->executable};
	if (path_check_relative(record.path, err) < 0)
		return -1;
	if (digest_from_hex(str_from(artefact->digest), &record.digest, err) < 0)
		return error_wrap(err, "the artefact %s", artefact->path);
	*ret_record = record;
	return 0;
}

/* Refuses "a" beside "a/b", as "a" cannot be a file and a folder. The records are sorted by path: paths below "a"
 * follow it, and only other paths that begin with "a" stand between. */
static int check_no_file_is_folder(const struct artefact_record *records, size_t count, struct error *err) {
	for (size_t i = 0; i < count; i++) {
		for (size_t j = i + 1; j < count && str_starts_with(records[j].path, records[i].path); j++)
			if (records[j].path.ptr[records[i].path.len] == '/')
				return error_set(err, CODE_INVALID_ARGUMENT,
						 "the path %.*s is a file and the folder of %.*s",
						 STR_ARG(records[i].path), STR_ARG(records[j].path));
	}
	return 0;
}

static int read_artefacts(struct creation *creation, const Ftl__CreateDeploymentRequest *request, struct error *err) {
	size_t count = request->n_artefacts;
	if (artefacts_check_count(count, err) < 0)
		return -1;
	struct artefact_record *records = arena_alloc(&creation->arena, (count + 1) * sizeof *records);
	for (size_t i = 0; i < count; i++)
		if (read_artefact(request->artefacts[i], &records[i], err) < 0)
			return -1;
	qsort(records, count, sizeof *records, compare_paths);
	for (size_t i = 1; i < count; i++)
		if (str_eq(records[i - 1].path, records[i].path))
			return error_set(err, CODE_INVALID_ARGUMENT, "the path %.*s is given twice",
					 STR_ARG(records[i].path));
	if (check_no_file_is_folder(records, count, err) < 0)
		return -1;
	creation->record.artefacts = records;
	creation->record.artefact_count = count;
	return 0;
}

/* The identity is a digest of the schema and of each artefact's path, digest and executable bit. Each text follows its
 * length, so that two different deployments never hash the same bytes. */
static void identify(struct creation *creation, struct str canonical) {
	struct hasher hasher;
	hasher_init(&hasher);
	uint64_t length = canonical.len;
	hasher_update(&hasher, str_new(&length, sizeof length));
	hasher_update(&hasher, canonical);
	for (size_t i = 0; i < creation->record.artefact_count; i++) {
		const struct artefact_record *artefact = &creation->record.artefacts[i];
		length = artefact->path.len;
		hasher_update(&hasher, str_new(&length, sizeof length));
		hasher_update(&hasher, artefact->path);
		hasher_update(&hasher, str_new(artefact->digest.bytes, DIGEST_SIZE));
		hasher_update(&hasher, artefact->executable ? STR("x") : STR("-"));
	}
	hasher_final(&hasher, &creation->record.identity);
}

static int check_entry(const struct creation *creation, const struct schema_module *module, struct error *err) {
	struct str entry = module->entry[0] != '\0' ? str_from(module->entry) : STR("main");
	if (path_check_relative(entry, err) < 0)
		return error_wrap(err, "runtime.entry");
	/* A deployment without artefacts is hosted by Runners that contain its code. */
	if (creation->record.artefact_count == 0)
		return 0;
	struct artefact_record wanted = {.path = entry};
	const struct artefact_record *found = bsearch(&wanted, creation->record.artefacts,
						      creation->record.artefact_count, sizeof wanted, compare_paths);
	if (found == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the entry %.*s is none of the %zu artefacts; deploy it, or name another entry",
				 STR_ARG(entry), creation->record.artefact_count);
	if (!found->executable && !str_ends_with(entry, STR(".so")))
		return error_set(err, CODE_INVALID_ARGUMENT, "the entry %.*s is not executable; chmod +x it",
				 STR_ARG(entry));
	return 0;
}

static int check_schema(const Schema__Module *message, struct arena *arena, struct schema_module **ret_module,
			struct error *err) {
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	bool failed = schema_from_proto(message, arena, ret_module, &diagnostics) < 0 ||
		      schema_check(*ret_module, &diagnostics) < 0;
	if (failed)
		schema_diagnostics_to_error(&diagnostics, err);
	schema_diagnostics_deinit(&diagnostics);
	if (failed)
		return error_wrap(err, "the schema is refused");
	if ((*ret_module)->language[0] == '\0')
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "schema.runtime.language is missing: name the language of the Runners that host it");
	if (language_check(str_from((*ret_module)->language), err) < 0)
		return error_wrap(err, "schema.runtime");
	return 0;
}

static void stamp_time(Schema__Module *message, struct arena *arena, int64_t wall_ms) {
	Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof *time);
	google__protobuf__timestamp__init(time);
	time->seconds = wall_ms / 1000;
	time->nanos = (int32_t)(wall_ms % 1000) * 1000000;
	message->runtime->create_time = time;
}

static int read_identity(struct creation *creation, struct error *err) {
	struct buf canonical = BUF_INIT(MIB(8));
	int over = schema_canonical(creation->module, &canonical);
	if (!over)
		identify(creation, buf_view(&canonical));
	buf_deinit(&canonical);
	return over ? error_set(err, CODE_RESOURCE_EXHAUSTED, "the schema has more than 8 MiB") : 0;
}

static void fill_record(struct creation *creation, const Ftl__CreateDeploymentRequest *request) {
	const struct schema_module *module = creation->module;
	struct deployment_record *record = &creation->record;
	record->created_ms = clock_wall_ms();
	stamp_time(request->schema, &creation->arena, record->created_ms);
	record->schema = pb_pack(&request->schema->base, &creation->arena);
	record->module = module->name;
	record->language = module->language;
	record->state = DEPLOYMENT_STARTING;
	record->detail = "";
	key_make(creation->key, "dpl", module->name, random_u64());
	record->key = creation->key;
	creation->replicas = request->replicas;
	creation->allow_breaking = request->allow_breaking;
	creation->pending.module = module->name;
	creation->pending.schema = record->schema;
}

/* Checks everything that the request alone decides. */
static int read_creation(struct creation *creation, const Ftl__CreateDeploymentRequest *request, struct error *err) {
	if (request->schema == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "schema is missing: say what the module offers");
	if (request->replicas > REPLICAS_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "replicas is %u; at most %d are allowed",
				 request->replicas, REPLICAS_MAX);
	if (check_schema(request->schema, &creation->arena, &creation->module, err) < 0 ||
	    read_artefacts(creation, request, err) < 0 || check_entry(creation, creation->module, err) < 0 ||
	    read_identity(creation, err) < 0)
		return -1;
	fill_record(creation, request);
	return 0;
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

static void creation_free(struct creation *creation) {
	for (size_t i = 0; i < creation->needed_count; i++)
		packed_schema_unref(creation->needed[i]);
	arena_deinit(&creation->arena);
	free(creation);
}

static void creation_fail(struct creation *creation, const struct error *err) {
	creation_state_change(&creation->state, CREATION_ANSWERED);
	rpc_unary_fail(creation->unary, err);
	creation_free(creation);
}

static void creation_answer(struct write_behind_waiter *waiter) {
	failpoint(FAILPOINT_CREATE_ANSWERING);
	struct creation *creation = CONTAINER_OF(waiter, struct creation, waiter);
	Ftl__CreateDeploymentResponse response;
	ftl__create_deployment_response__init(&response);
	response.deployment_key = creation->key;
	response.existed = creation->existed;
	response.active = creation->active;
	creation_state_change(&creation->state, CREATION_ANSWERED);
	rpc_unary_reply(creation->unary, &response.base);
	creation_free(creation);
}

/* --- STORING ------------------------------------------------------------------------------------------------------ */

/* What is deployed now may end before the deployment is stored. */
static void hold_needs(struct creation *creation) {
	const struct control *control = &creation->context->control;
	struct need_record *needs;
	size_t count;
	schema_gate_list_needs(control, creation->module, &creation->arena, &needs, &count);
	creation->needed = arena_alloc(&creation->arena, (count + 1) * sizeof *creation->needed);
	for (size_t i = 0; i < count; i++) {
		const struct deployment *deployment = control_deployment(control, str_from(needs[i].key));
		needs[i].key = arena_strdup(&creation->arena, str_from(needs[i].key));
		creation->needed[creation->needed_count++] = packed_schema_ref(deployment->schema);
	}
	creation->record.needs = needs;
	creation->record.need_count = count;
}

/* A deployment that existed has the needs that it was created with. */
static void creation_work(struct store_job *job, struct store *store) {
	struct creation *creation = CONTAINER_OF(job, struct creation, job);
	char key[KEY_MAX];
	creation->failed = store->ops->add_deployment(store, creation->context->data.writer.epoch, &creation->record,
						      key, &creation->existed, &creation->err) < 0;
	if (creation->failed)
		return;
	snprintf(creation->key, sizeof creation->key, "%s", key);
	if (creation->existed)
		creation->failed =
			store->ops->get_needs(store, &creation->arena, &creation->record, &creation->err) < 0;
}

/* A deployment that existed was built for what was deployed at its time, and may not fit what is deployed now. */
static int check_existed(struct creation *creation) {
	struct context *context = creation->context;
	if (!creation->existed || creation->allow_breaking)
		return 0;
	return schema_gate_check_again(&context->control, &context->pending, &creation->record, &creation->err);
}

/* Whether the store failed; false: it works, and refused this deployment. */
static bool is_store_failure(const struct error *err) {
	return (err->code != CODE_INVALID_ARGUMENT && err->code != CODE_FAILED_PRECONDITION &&
		err->code != CODE_NOT_FOUND) ||
	       strcmp(err->reason, "STALE_EPOCH") == 0;
}

static void creation_done(struct store_job *job) {
	struct creation *creation = CONTAINER_OF(job, struct creation, job);
	struct context *context = creation->context;
	list_remove(&creation->pending.link);
	if (creation->failed) {
		if (is_store_failure(&creation->err))
			store_writer_fail(&context->data.writer, &creation->err);
		creation_fail(creation, &creation->err);
		return;
	}
	failpoint(FAILPOINT_CREATE_WRITTEN);
	if (check_existed(creation) < 0) {
		creation_fail(creation, &creation->err);
		return;
	}
	creation_state_change(&creation->state, CREATION_APPLIED);
	const struct module *module = control_module(&context->control, str_from(creation->record.module));
	creation->active = module != NULL && module->active != NULL && strcmp(module->active->key, creation->key) == 0;
	if (creation->existed)
		control_deployed_again(context_event(context), &creation->record, creation->replicas);
	else
		control_deployment_created(context_event(context), &creation->record, creation->replicas);
	context_event_done(context);
	failpoint(FAILPOINT_CREATE_APPLIED);
	creation->waiter.stored = creation_answer;
	if (!write_behind_wait(&context->data.writer.write_behind, &creation->waiter))
		creation_answer(&creation->waiter);
}

static void creation_store(struct creation *creation) {
	struct context *context = creation->context;
	const struct error *trouble = store_writer_trouble(&context->data.writer);
	if (trouble != NULL) {
		creation_fail(creation, trouble);
		return;
	}
	creation_state_change(&creation->state, CREATION_STORING);
	hold_needs(creation);
	/* The schema gate checks further deployments against this one, which the control side does not have yet. */
	list_append(&context->pending, &creation->pending.link);
	store_queue_add(&context->data.queue, &creation->job);
}

/* --- CHECKING ----------------------------------------------------------------------------------------------------- */

static int check_uploaded(const struct creation *creation, struct error *err) {
	for (size_t i = 0; i < creation->record.artefact_count; i++) {
		const struct artefact_record *artefact = &creation->record.artefacts[i];
		if (!creation->have[i])
			return error_set(err, CODE_FAILED_PRECONDITION,
					 "the artefact %.*s was not uploaded: there is no content with the digest %s",
					 STR_ARG(artefact->path), digest_to_hex(&artefact->digest).text);
	}
	return 0;
}

static int check_gate(struct creation *creation, struct error *err) {
	struct context *context = creation->context;
	return creation->allow_breaking
		       ? 0
		       : schema_gate_check(&context->control, &context->pending, creation->module, err);
}

static void on_uploads_known(struct artefact_op *op, const struct error *why) {
	struct creation *creation = CONTAINER_OF(op, struct creation, op);
	struct error err;
	if (why != NULL)
		creation_fail(creation, why);
	else if (check_uploaded(creation, &err) < 0 || check_gate(creation, &err) < 0)
		creation_fail(creation, &err);
	else
		creation_store(creation);
}

static void creation_check(struct creation *creation) {
	size_t count = creation->record.artefact_count;
	creation->digests = arena_alloc(&creation->arena, (count + 1) * sizeof *creation->digests);
	creation->have = arena_alloc(&creation->arena, (count + 1) * sizeof *creation->have);
	for (size_t i = 0; i < count; i++)
		creation->digests[i] = creation->record.artefacts[i].digest;
	creation->op.loop = creation->unary->loop;
	creation->op.done = on_uploads_known;
	artefacts_have(creation->context->data.shared.artefacts, &creation->op, creation->digests, count,
		       creation->have);
}

static void on_create(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct creation *creation = mem_zalloc(sizeof *creation);
	creation->unary = unary;
	creation->context = unary->service;
	creation->job = (struct store_job){.work = creation_work, .done = creation_done};
	arena_init(&creation->arena, SCHEMA_ARENA_MAX + MIB(16));
	struct error err;
	if (read_creation(creation, (const Ftl__CreateDeploymentRequest *)message, &err) < 0)
		creation_fail(creation, &err);
	else
		creation_check(creation);
}

static const struct rpc_method create_deployment_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/CreateDeployment", on_create,
			 ftl__create_deployment_request__descriptor),
};

void creation_service_add(struct context *context, struct rpc_server *server) {
	rpc_server_add(server, create_deployment_methods, ARRAY_LEN(create_deployment_methods), context);
}
