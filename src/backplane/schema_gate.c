/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas are kept packed, as thousands of models would be many megabytes. Only those are unpacked that can matter: a
 * module's name stands as it is in the packed schema of each module that names it.
 */
#include "backplane/schema_gate.h"

#include <string.h>

#include "backplane/control.h"
#include "backplane/packed_schema.h"
#include "base/map.h"
#include "rpc/pb.h"
#include "schema.pb-c.h"
#include "schema/callers.h"
#include "schema/compare.h"
#include "schema/proto.h"
#include "schema/references.h"

/* A schema that calls may meet: of what is active, of what comes up to replace it, of what is being kept. */
struct version {
	const char *name;
	struct str packed;
	const struct schema_module *module; /* NULL: nothing shows yet that it matters */
	size_t number; /* among those of its module */
};

struct gate {
	struct arena arena;
	struct version *versions; /* those of a module in the order in which they take over */
	size_t count, rounds;
	struct map modules; /* one version of each module that matters */
};

/* --- the versions that there are ---------------------------------------------------------------------------------- */

static void add_version(struct gate *gate, const char *name, struct str packed, size_t number) {
	gate->versions[gate->count++] = (struct version){.name = name, .packed = packed, .number = number};
	gate->rounds = MAX(gate->rounds, number + 1);
}

static void add_deployment(struct gate *gate, const struct deployment *deployment, size_t number) {
	if (deployment != NULL)
		add_version(gate, deployment->module->name, packed_schema_bytes(deployment->schema), number);
}

static size_t count_versions(const struct gate *gate, const char *name) {
	size_t count = 0;
	for (size_t i = 0; i < gate->count; i++)
		count += strcmp(gate->versions[i].name, name) == 0;
	return count;
}

static size_t list_length(const struct list *list) {
	size_t length = 0;
	LIST_FOREACH(link, list)
		length++;
	return length;
}

static void list_versions(struct gate *gate, const struct control *control, const struct list *pending) {
	size_t room = 2 * control->modules.len + list_length(pending) + 1;
	gate->versions = arena_alloc(&gate->arena, room * sizeof *gate->versions);
	LIST_FOREACH(link, &control->all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		add_deployment(gate, module->active, 0);
		add_deployment(gate, module->next, module->active != NULL);
	}
	LIST_FOREACH(link, pending) {
		const struct schema_pending *coming = LIST_ENTRY(link, struct schema_pending, link);
		add_version(gate, coming->module, coming->schema, count_versions(gate, coming->module));
	}
}

/* --- those that matter -------------------------------------------------------------------------------------------- */

static bool names(struct str packed, const char *name) {
	return memmem(packed.ptr, packed.len, name, strlen(name)) != NULL;
}

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

/* Those that the packed schema names, and those that they name. */
static void unpack_named(struct gate *gate, struct str packed) {
	for (size_t i = 0; i < gate->count; i++) {
		struct version *version = &gate->versions[i];
		if (version->module != NULL || !names(packed, version->name))
			continue;
		version->module = unpack(gate, version->packed);
		unpack_named(gate, version->packed);
	}
}

static void unpack_callers(struct gate *gate, const char *name) {
	for (size_t i = 0; i < gate->count; i++) {
		struct version *version = &gate->versions[i];
		if (version->module == NULL && names(version->packed, name))
			version->module = unpack(gate, version->packed);
	}
}

/* In each round another version of those modules that have more than one, so that each version has its turn. Callers
 * were built for the first one of the module itself, which is what they can see. */
static void choose_versions(struct gate *gate, const struct schema_module *own, size_t round) {
	for (size_t i = 0; i < gate->count; i++) {
		const struct version *version = &gate->versions[i];
		size_t last = strcmp(version->name, own->name) == 0 ? 0 : round;
		if (version->module != NULL && version->number <= last)
			map_put(&gate->modules, str_from(version->module->name), (void *)version->module);
	}
}

/* --- the two questions -------------------------------------------------------------------------------------------- */

static int refuse(struct schema_diagnostics *diagnostics, const char *why, struct error *err) {
	schema_diagnostics_to_error(diagnostics, err);
	err->code = CODE_FAILED_PRECONDITION;
	return error_wrap(err, "%s", why);
}

static int check_references(const struct gate *gate, const struct schema_module *module, size_t round, struct error *err) {
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	int result = schema_check_references(module, &gate->modules, &diagnostics);
	if (result < 0)
		refuse(&diagnostics,
		       round == 0 ? "the schema does not fit what is deployed (--allow-breaking deploys it all the same)"
				  : "the schema does not fit what is being deployed just now (--allow-breaking deploys it all the same)",
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
		refuse(&diagnostics,
		       round == 0 ? "the change breaks modules that are deployed (--allow-breaking makes it all the same)"
				  : "the change breaks modules that are being deployed just now (--allow-breaking makes it all the same)",
		       err);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err) {
	struct gate gate = {.rounds = 1};
	struct buf packed = BUF_INIT(SIZE_MAX / 2);
	arena_init(&gate.arena, SIZE_MAX);
	map_init(&gate.modules);
	int result = schema_canonical(module, &packed);
	ASSERT(result == 0);
	list_versions(&gate, control, pending);
	unpack_named(&gate, buf_view(&packed));
	unpack_callers(&gate, module->name);
	/* The module as it will be, with the same view of what is exported. */
	const struct schema_module *now = unpack(&gate, buf_view(&packed));
	for (size_t round = 0; round < gate.rounds && result == 0; round++) {
		choose_versions(&gate, now, round);
		result = check_references(&gate, now, round, err);
		if (result == 0)
			result = check_callers(&gate, now, round, err);
	}
	buf_deinit(&packed);
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
