/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas are kept packed, as thousands of unpacked ones would take many megabytes. The gate unpacks only those that
 * can matter: of the modules that the new schema names, of the modules whose types those need, and of the modules that
 * name the new one, whose name then stands as it is in their packed schema. The modules that its callers call do not
 * matter; otherwise the time of a deploy would grow with the system.
 */
#include "control/schema_gate.h"

#include <string.h>

#include "base/map.h"
#include "base/reasons.h"
#include "control/model.h"
#include "pb/pb.h"
#include "schema.pb-c.h"
#include "schema/callers.h"
#include "schema/compare.h"
#include "schema/packed.h"
#include "schema/proto.h"
#include "schema/references.h"

/* A schema that calls may meet: of a deployment that is active, next, or being stored. */
struct version {
	const char *name;
	struct str packed;
	const struct schema_module *module; /* unpacked; NULL: so far it does not matter */
	size_t number; /* among the versions of its module, from 0 */
	struct version *before; /* the version of its module with the number before; NULL: there is none */
	struct version *next_waiting;
};

struct gate {
	struct arena arena;
	struct version *versions; /* those of one module in the order in which they take over */
	size_t count, rounds;
	struct map last; /* the last version of each module */
	struct version *waiting; /* unpacked, while the versions that their types need are not */
	struct map modules; /* the unpacked version of each module that the round compares with */
};

/* --- versions ----------------------------------------------------------------------------------------------------- */

static void add_version(struct gate *gate, const char *name, struct str packed) {
	struct version *version = &gate->versions[gate->count++];
	*version = (struct version){.name = name, .packed = packed, .before = map_get(&gate->last, str_from(name))};
	version->number = version->before ? version->before->number + 1 : 0;
	map_put(&gate->last, str_from(name), version);
	gate->rounds = MAX(gate->rounds, version->number + 1);
}

static void add_deployment(struct gate *gate, const struct deployment *deployment) {
	if (deployment != NULL)
		add_version(gate, deployment->module->name, packed_schema_bytes(deployment->schema));
}

static size_t list_length(const struct list *list) {
	size_t length = 0;
	LIST_FOREACH(link, list)
		length++;
	return length;
}

static void list_versions(struct gate *gate, const struct control *control, const struct list *pending) {
	size_t room = 2 * control->books.modules.len + list_length(pending) + 1;
	gate->versions = arena_alloc(&gate->arena, room * sizeof *gate->versions);
	LIST_FOREACH(link, &control->books.all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		add_deployment(gate, module->active);
		add_deployment(gate, module->next);
	}
	LIST_FOREACH(link, pending) {
		const struct schema_pending *coming = LIST_ENTRY(link, struct schema_pending, link);
		add_version(gate, coming->module, coming->schema);
	}
}

/* --- unpacking ---------------------------------------------------------------------------------------------------- */

static struct schema_module *unpack(struct gate *gate, struct str packed) {
	struct schema_diagnostics diagnostics;
	struct schema_module *module = NULL;
	ProtobufCMessage *message;
	struct error err;
	schema_diagnostics_init(&diagnostics);
	int failed = pb_unpack(&schema__module__descriptor, packed, &gate->arena, &message, &err) < 0 ||
		     schema_from_proto((const Schema__Module *)message, &gate->arena, &module, &diagnostics) < 0;
	ASSERT(!failed); /* it was checked when the deployment was created */
	schema_diagnostics_deinit(&diagnostics);
	schema_export_by_default(module);
	return module;
}

/* All versions of the module that a reference leads to. */
static void unpack_named(const struct schema_ref *ref, void *context) {
	struct gate *gate = context;
	struct version *version = map_get(&gate->last, str_from(ref->module));
	for (; version != NULL && version->module == NULL; version = version->before) {
		version->module = unpack(gate, version->packed);
		version->next_waiting = gate->waiting;
		gate->waiting = version;
	}
}

struct needs {
	struct gate *gate;
	const struct schema_module *module;
};

static void unpack_needed_type(const struct schema_type *type, void *context) {
	const struct needs *needs = context;
	if (type->kind == SCHEMA_REF && type->ref.module[0] != '\0' &&
	    strcmp(type->ref.module, needs->module->name) != 0)
		unpack_named(&type->ref, needs->gate);
}

/* Unpacks the modules that it names, those that their types need, and so on. */
static void unpack_needed(struct gate *gate, const struct schema_module *module) {
	schema_walk_foreign(module, unpack_named, gate);
	for (struct version *version; (version = gate->waiting) != NULL;) {
		struct needs needs = {gate, version->module};
		const struct schema_type *type;
		gate->waiting = version->next_waiting;
		for (size_t i = 0; i < needs.module->decl_count; i++)
			for (size_t j = 0; needs.module->decls[i].kind != SCHEMA_VERB &&
					   (type = schema_decl_type(&needs.module->decls[i], j)) != NULL;
			     j++)
				schema_walk_type(type, unpack_needed_type, &needs);
	}
}

static void unpack_callers(struct gate *gate, const char *name) {
	for (size_t i = 0; i < gate->count; i++) {
		struct version *version = &gate->versions[i];
		if (version->module == NULL &&
		    memmem(version->packed.ptr, version->packed.len, name, strlen(name)) != NULL)
			version->module = unpack(gate, version->packed);
	}
}

/* Each round compares with the next version of every module that has more than one, so that each version has its turn.
 * Of the module itself it stays the first, as its callers were built for that. */
static void choose_versions(struct gate *gate, const struct schema_module *own, size_t round) {
	for (size_t i = 0; i < gate->count; i++) {
		const struct version *version = &gate->versions[i];
		size_t last = strcmp(version->name, own->name) == 0 ? 0 : round;
		if (version->module != NULL && version->number <= last)
			map_put(&gate->modules, str_from(version->module->name), (void *)version->module);
	}
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

static int refuse(struct schema_diagnostics *diagnostics, const char *reason, const char *why, struct error *err) {
	schema_diagnostics_to_error(diagnostics, err);
	err->code = CODE_FAILED_PRECONDITION;
	error_set_reason(err, reason);
	return error_wrap(err, "%s", why);
}

static int check_references(const struct gate *gate, const struct schema_module *module, size_t round,
			    struct error *err) {
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	int result = schema_check_references(module, &gate->modules, &diagnostics);
	if (result < 0)
		refuse(&diagnostics, REASON_SCHEMA_MISFIT,
		       round == 0 ? "the schema does not fit what is deployed"
				  : "the schema does not fit what is being deployed just now",
		       err);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

static int check_callers(struct gate *gate, const struct schema_module *module, size_t round, struct error *err) {
	const struct schema_module *before = map_get(&gate->modules, str_from(module->name));
	struct schema_diagnostics diagnostics;
	struct schema_comparison comparison;
	if (before == NULL)
		return 0;
	schema_diagnostics_init(&diagnostics);
	schema_compare(before, module, &gate->arena, &comparison);
	int result = schema_check_callers(&comparison, &gate->modules, &diagnostics);
	if (result < 0)
		refuse(&diagnostics, REASON_BREAKS_CALLERS,
		       round == 0 ? "the change breaks modules that are deployed"
				  : "the change breaks modules that are being deployed just now",
		       err);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err) {
	struct gate gate = {.rounds = 1};
	struct buf packed = BUF_INIT(SIZE_MAX / 2);
	arena_init(&gate.arena, SIZE_MAX);
	map_init(&gate.last);
	map_init(&gate.modules);
	int result = schema_canonical(module, &packed);
	ASSERT(result == 0);
	/* The schema as it will be stored, so that what is exported is decided as for the others. */
	const struct schema_module *now = unpack(&gate, buf_view(&packed));
	list_versions(&gate, control, pending);
	unpack_needed(&gate, now);
	unpack_callers(&gate, now->name);
	for (size_t round = 0; round < gate.rounds && result == 0; round++) {
		choose_versions(&gate, now, round);
		result = check_references(&gate, now, round, err);
		if (result == 0)
			result = check_callers(&gate, now, round, err);
	}
	buf_deinit(&packed);
	map_deinit(&gate.last);
	map_deinit(&gate.modules);
	arena_deinit(&gate.arena);
	return result;
}

int schema_gate_check_packed(const struct control *control, const struct list *pending, struct str packed,
			     struct error *err) {
	struct gate gate = {0};
	arena_init(&gate.arena, SIZE_MAX);
	int result = schema_gate_check(control, pending, unpack(&gate, packed), err);
	arena_deinit(&gate.arena);
	return result;
}
