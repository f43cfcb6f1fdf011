/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating a deployment and reading it back: GetArtefactDiffs, CreateDeployment, GetDeployment, KillModule.
 *
 * CreateDeployment checks everything before it keeps anything, keeps it (on the store's thread), then tells the control
 * side, then, when what that changed is kept as well, answers. From the answer on it is durable.
 */
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/path.h"
#include "control/schema_gate.h"
#include "ftl.pb-c.h"
#include "schema/check.h"
#include "schema/proto.h"

/* Of one deployment, or one question for what is missing. */
enum { ARTEFACTS_MAX = 10000 };

/* --- GetArtefactDiffs --------------------------------------------------------------------------------------------- */

static int check_count(size_t count, struct error *err) {
	if (count > ARTEFACTS_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "%zu artefacts were named; at most %d are allowed at once", count, ARTEFACTS_MAX);
	return 0;
}

static void on_get_diffs(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct backplane *backplane = unary->service;
	const Ftl__GetArtefactDiffsRequest *request = (const Ftl__GetArtefactDiffsRequest *)message;
	size_t count = request->n_client_digests, missing = 0, present = 0;
	struct error err;
	if (check_count(count, &err) < 0) {
		rpc_unary_fail(unary, &err);
		return;
	}
	char **missing_digests = mem_alloc((count + 1) * sizeof *missing_digests);
	Ftl__DeploymentArtefact *artefacts = mem_alloc((count + 1) * sizeof *artefacts);
	Ftl__DeploymentArtefact **list = mem_alloc((count + 1) * sizeof *list);
	bool failed = false;
	for (size_t i = 0; i < count && !failed; i++) {
		struct digest digest;
		failed = digest_from_hex(str_from(request->client_digests[i]), &digest, &err) < 0;
		if (failed)
			break;
		if (!artefacts_have(backplane->artefacts, &digest)) {
			missing_digests[missing++] = request->client_digests[i];
			continue;
		}
		ftl__deployment_artefact__init(&artefacts[present]);
		artefacts[present].digest = request->client_digests[i];
		list[present] = &artefacts[present];
		present++;
	}
	Ftl__GetArtefactDiffsResponse response;
	ftl__get_artefact_diffs_response__init(&response);
	response.n_missing_digests = missing;
	response.missing_digests = missing_digests;
	response.n_client_artefacts = present;
	response.client_artefacts = list;
	if (failed)
		rpc_unary_fail(unary, &err);
	else
		rpc_unary_reply(unary, &response.base);
	free(list);
	free(artefacts);
	free(missing_digests);
}

/* --- CreateDeployment --------------------------------------------------------------------------------------------- */

struct creation {
	struct store_job job;
	struct write_behind_waiter waiter;
	struct list in_starting; /* of the Backplane's, while it waits for its turn */
	struct rpc_unary *unary;
	struct backplane *backplane;
	struct arena arena; /* holds the record */
	struct deployment_record record;
	struct schema_pending pending;
	uint32_t replicas;
	char key[KEY_MAX];
	bool existed, failed;
	struct error err;
};

static int compare_paths(const void *a, const void *b) {
	return str_compare(((const struct artefact_record *)a)->path, ((const struct artefact_record *)b)->path);
}

static int read_artefact(struct backplane *backplane, const Ftl__DeploymentArtefact *artefact,
			 struct artefact_record *ret_record, struct error *err) {
	struct artefact_record record = {.path = str_from(artefact->path), .executable = artefact->executable};
	if (path_check_relative(record.path, err) < 0)
		return -1;
	if (digest_from_hex(str_from(artefact->digest), &record.digest, err) < 0)
		return error_wrap(err, "the artefact %s", artefact->path);
	if (!artefacts_have(backplane->artefacts, &record.digest))
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the artefact %s was not uploaded: there is no content with the digest %s",
				 artefact->path, artefact->digest);
	*ret_record = record;
	return 0;
}

/* "a" and "a/b" cannot both be files. The records are sorted, so whatever lies below a path follows it, with only names
 * that begin alike between them. */
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
	if (check_count(count, err) < 0)
		return -1;
	struct artefact_record *records = arena_alloc(&creation->arena, (count + 1) * sizeof *records);
	for (size_t i = 0; i < count; i++)
		if (read_artefact(creation->backplane, request->artefacts[i], &records[i], err) < 0)
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

/* Module, schema, and the set of (path, digest, executable): each with its length, so that no two sets read alike. */
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
	/* A deployment without artefacts is for Runners that bring their code with them. */
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
	int failed = schema_from_proto(message, arena, ret_module, &diagnostics) < 0 ||
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

static int read_creation(struct creation *creation, const Ftl__CreateDeploymentRequest *request, struct error *err) {
	struct schema_module *module;
	struct buf canonical = BUF_INIT(MIB(8));
	if (request->schema == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "schema is missing: say what the module offers");
	if (request->replicas > REPLICAS_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "replicas is %u; at most %d are allowed",
				 request->replicas, REPLICAS_MAX);
	if (check_schema(request->schema, &creation->arena, &module, err) < 0 ||
	    read_artefacts(creation, request, err) < 0 || check_entry(creation, module, err) < 0)
		return -1;
	int over = schema_canonical(module, &canonical);
	if (!over)
		identify(creation, buf_view(&canonical));
	buf_deinit(&canonical);
	if (over)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the schema has more than 8 MiB");
	if (!request->allow_breaking &&
	    schema_gate_check(&creation->backplane->control, &creation->backplane->pending, module, err) < 0)
		return -1;
	creation->record.created_ms = clock_wall_ms();
	stamp_time(request->schema, &creation->arena, creation->record.created_ms);
	creation->record.schema = pb_pack(&request->schema->base, &creation->arena);
	creation->record.module = module->name;
	creation->record.language = module->language;
	creation->record.state = DEPLOYMENT_STARTING;
	creation->record.detail = "";
	creation->replicas = request->replicas;
	key_make(creation->key, "dpl", module->name, random_u64());
	creation->record.key = creation->key;
	creation->pending.module = module->name;
	creation->pending.schema = creation->record.schema;
	return 0;
}

static void creation_free(struct creation *creation) {
	arena_deinit(&creation->arena);
	free(creation);
}

static void creation_work(struct store_job *job, struct store *store) {
	struct creation *creation = CONTAINER_OF(job, struct creation, job);
	char key[KEY_MAX];
	creation->failed = store->ops->create_deployment(store, &creation->record, creation->replicas, key,
							 &creation->existed, &creation->err) < 0;
	if (!creation->failed)
		snprintf(creation->key, sizeof creation->key, "%s", key);
}

static void creation_reply(struct write_behind_waiter *waiter) {
	failpoint(FAILPOINT_CREATE_ANSWERING);
	struct creation *creation = CONTAINER_OF(waiter, struct creation, waiter);
	Ftl__CreateDeploymentResponse response;
	ftl__create_deployment_response__init(&response);
	response.deployment_key = creation->key;
	response.existed = creation->existed;
	rpc_unary_reply(creation->unary, &response.base);
	creation_free(creation);
}

/* Rather than of what was to be kept. */
static bool is_of_store(const struct error *err) {
	return err->code != CODE_INVALID_ARGUMENT && err->code != CODE_FAILED_PRECONDITION &&
	       err->code != CODE_NOT_FOUND;
}

static void creation_done(struct store_job *job) {
	struct creation *creation = CONTAINER_OF(job, struct creation, job);
	struct backplane *backplane = creation->backplane;
	list_remove(&creation->pending.link);
	if (creation->failed) {
		if (is_of_store(&creation->err))
			effects_cannot_write(backplane, &creation->err);
		rpc_unary_fail(creation->unary, &creation->err);
		creation_free(creation);
		return;
	}
	failpoint(FAILPOINT_CREATE_KEPT);
	control_deployment_created(backplane_event(backplane), &creation->record, creation->replicas);
	backplane_event_done(backplane);
	failpoint(FAILPOINT_CREATE_APPLIED);
	creation->waiter.kept = creation_reply;
	if (!write_behind_wait(&backplane->write_behind, &creation->waiter))
		creation_reply(&creation->waiter);
}

static void creation_start(struct write_behind_waiter *waiter) {
	struct creation *creation = CONTAINER_OF(waiter, struct creation, waiter);
	list_remove(&creation->in_starting);
	store_queue_add(&creation->backplane->store_queue, &creation->job);
}

static void creation_refuse(struct creation *creation, const struct error *why) {
	list_remove(&creation->waiter.link);
	list_remove(&creation->in_starting);
	list_remove(&creation->pending.link);
	rpc_unary_fail(creation->unary, why);
	creation_free(creation);
}

void creations_refuse(struct backplane *backplane, const struct error *why) {
	LIST_FOREACH(link, &backplane->starting)
		creation_refuse(LIST_ENTRY(link, struct creation, in_starting), why);
}

/* The store learns of what happened before first: it would forget which deployment was active, if this one took its
 * place and a crash came in between. */
static void creation_wait(struct creation *creation) {
	struct backplane *backplane = creation->backplane;
	creation->waiter.kept = creation_start;
	list_append(&backplane->starting, &creation->in_starting);
	if (!write_behind_wait_for_changes(&backplane->write_behind, &creation->waiter))
		creation_start(&creation->waiter);
	else if (backplane->writing.troubled)
		creation_refuse(creation, &backplane->writing.trouble);
}

static void on_create(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct creation *creation = mem_zalloc(sizeof *creation);
	creation->unary = unary;
	creation->backplane = unary->service;
	creation->job = (struct store_job){.work = creation_work, .done = creation_done};
	arena_init(&creation->arena, SCHEMA_ARENA_MAX + MIB(16));
	struct error err;
	if (read_creation(creation, (const Ftl__CreateDeploymentRequest *)message, &err) == 0) {
		/* From here until the control side has it, further ones are measured against it. */
		list_append(&creation->backplane->pending, &creation->pending.link);
		creation_wait(creation);
		return;
	}
	rpc_unary_fail(unary, &err);
	creation_free(creation);
}

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
	struct backplane *backplane = unary->service;
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
	store_queue_add(&backplane->store_queue, &reading->job);
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
	struct backplane *backplane = unary->service;
	struct str name = str_from(((const Ftl__KillModuleRequest *)message)->module);
	struct control *control = backplane_event(backplane);
	if (control_module(control, name) == NULL) {
		struct error err;
		route_table_no_module(backplane->routes, name, &err);
		backplane_event_done(backplane);
		rpc_unary_fail(unary, &err);
		return;
	}
	struct killing *killing = mem_zalloc(sizeof *killing);
	*killing = (struct killing){.waiter.kept = killing_reply, .unary = unary};
	control_kill(control, name, killing->key);
	backplane_event_done(backplane);
	failpoint(FAILPOINT_KILL_APPLIED);
	if (!write_behind_wait(&backplane->write_behind, &killing->waiter))
		killing_reply(&killing->waiter);
}

const struct rpc_method deployment_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/GetArtefactDiffs", on_get_diffs,
			 ftl__get_artefact_diffs_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/CreateDeployment", on_create,
			 ftl__create_deployment_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/GetDeployment", on_get,
			 ftl__get_deployment_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/KillModule", on_kill,
			 ftl__kill_module_request__descriptor),
};
const size_t deployment_method_count = ARRAY_LEN(deployment_methods);
