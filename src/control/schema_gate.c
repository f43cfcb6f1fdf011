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
	const struct deployment *deployment; /* NULL: it is being stored */
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
	struct list callers; /* of the round, in the order of the versions */
};

/* Callers that were checked against the same version of the module. */
struct caller_group {
	struct list link;
	const char *key; /* of the deployment that had the version; "": that which runs now */
	const struct schema_module *base; /* the version */
	struct map modules; /* the callers */
};

/* --- versions ----------------------------------------------------------------------------------------------------- */

static void add_version(struct gate *gate, const char *name, const struct deployment *deployment, struct str packed) {
	struct version *version = &gate->versions[gate->count++];
	*version = (struct version){.name = name,
				    .deployment = deployment,
				    .packed = packed,
				    .before = map_get(&gate->last, str_from(name))};
	version->number = version->before ? version->before->number + 1 : 0;
	map_put(&gate->last, str_from(name), version);
	gate->rounds = MAX(gate->rounds, version->number + 1);
}

static void add_deployment(struct gate *gate, const struct deployment *deployment) {
	if (deployment != NULL)
		add_version(gate, deployment->module->name, deployment, packed_schema_bytes(deployment->schema));
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
		add_version(gate, coming->module, NULL, coming->schema);
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
 * Of the module itself it stays the first: callers whose needs are not known were most likely built for that. */
static void choose_versions(struct gate *gate, const struct schema_module *own, size_t round) {
	for (size_t i = 0; i < gate->count; i++) {
		const struct version *version = &gate->versions[i];
		size_t last = strcmp(version->name, own->name) == 0 ? 0 : round;
		if (version->module != NULL && version->number <= last)
			map_put(&gate->modules, str_from(version->name), (void *)version);
	}
}

/* The modules of the round, by name, in a new map. */
static struct map chosen_modules(const struct gate *gate) {
	struct map modules;
	map_init(&modules);
	size_t cursor = 0;
	for (const struct version *version; (version = map_next(&gate->modules, &cursor)) != NULL;)
		map_put(&modules, str_from(version->name), (void *)version->module);
	return modules;
}

/* --- callers ------------------------------------------------------------------------------------------------------ */

static const struct need *find_need(const struct deployment *caller, const char *module) {
	for (size_t i = 0; caller != NULL && i < caller->need_count; i++)
		if (strcmp(caller->needs[i].module, module) == 0)
			return &caller->needs[i];
	return NULL;
}

static struct caller_group *callers_of(struct gate *gate, const char *key) {
	LIST_FOREACH(link, &gate->callers) {
		struct caller_group *callers = LIST_ENTRY(link, struct caller_group, link);
		if (strcmp(callers->key, key) == 0)
			return callers;
	}
	struct caller_group *callers = arena_alloc(&gate->arena, sizeof *callers);
	*callers = (struct caller_group){.key = key};
	map_init(&callers->modules);
	list_append(&gate->callers, &callers->link);
	return callers;
}

/* By what each was checked against. first: the version of the module that runs now; NULL: none does. */
static void group_callers(struct gate *gate, const struct schema_module *own, const struct schema_module *first) {
	list_init(&gate->callers);
	for (size_t i = 0; i < gate->count; i++) {
		const struct version *version = &gate->versions[i];
		const struct need *need = find_need(version->deployment, own->name);
		bool is_chosen = map_get(&gate->modules, str_from(version->name)) == version;
		if (!is_chosen || strcmp(version->name, own->name) == 0 || (need == NULL && first == NULL))
			continue;
		struct caller_group *callers = callers_of(gate, need != NULL ? need->key : "");
		if (callers->base == NULL)
			callers->base = need != NULL ? unpack(gate, packed_schema_bytes(need->schema)) : first;
		map_put(&callers->modules, str_from(version->name), (void *)version->module);
	}
}

static void forget_callers(struct gate *gate) {
	LIST_FOREACH(link, &gate->callers)
		map_deinit(&LIST_ENTRY(link, struct caller_group, link)->modules);
	list_init(&gate->callers);
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
	struct map modules = chosen_modules(gate);
	int result = schema_check_references(module, &modules, &diagnostics);
	if (result < 0)
		refuse(&diagnostics, REASON_SCHEMA_MISFIT,
		       round == 0 ? "the schema does not fit what is deployed"
				  : "the schema does not fit what is being deployed just now",
		       err);
	map_deinit(&modules);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

/* The version of another module that the round compares with, or else the last one. The base may name modules that the
 * new schema does not, which are unpacked when they are asked for. */
static const struct schema_module *find_other(void *owner, const char *name) {
	struct gate *gate = owner;
	struct version *version = map_get(&gate->modules, str_from(name));
	if (version == NULL)
		version = map_get(&gate->last, str_from(name));
	if (version != NULL && version->module == NULL)
		version->module = unpack(gate, version->packed);
	return version != NULL ? version->module : NULL;
}

/* What a change from base to module would break. */
static int find_broken(struct gate *gate, const struct schema_module *base, const struct schema_module *module,
		       const struct map *callers, struct schema_diagnostics *diagnostics) {
	struct schema_comparison comparison;
	const struct schema_others others = {.find = find_other, .owner = gate};
	schema_compare(base, module, &others, &gate->arena, &comparison);
	return schema_check_callers(&comparison, callers, diagnostics);
}

static bool has_all(const struct schema_diagnostics *known, const struct schema_diagnostics *found) {
	for (size_t i = 0; i < found->count; i++) {
		size_t j = 0;
		while (j < known->count && strcmp(known->items[j].message, found->items[i].message) != 0)
			j++;
		if (j == known->count && known->left_out == 0)
			return false;
	}
	/* Of more than are kept only the number can be compared. */
	return found->left_out <= known->left_out;
}

/* Whether the version that runs now breaks the callers in the same ways. */
static bool is_broken_already(struct gate *gate, const struct caller_group *callers, const struct schema_module *first,
			      const struct schema_diagnostics *found) {
	if (first == NULL || first == callers->base)
		return false;
	struct schema_diagnostics known;
	schema_diagnostics_init(&known);
	bool is = find_broken(gate, callers->base, first, &callers->modules, &known) < 0 && has_all(&known, found);
	schema_diagnostics_deinit(&known);
	return is;
}

/* Adds what is newly broken of these callers to those of others. */
static int check_group(struct gate *gate, const struct caller_group *callers, const struct schema_module *module,
		       const struct schema_module *first, struct schema_diagnostics *all) {
	struct schema_diagnostics found;
	schema_diagnostics_init(&found);
	bool breaks = find_broken(gate, callers->base, module, &callers->modules, &found) < 0 &&
		      !is_broken_already(gate, callers, first, &found);
	for (size_t i = 0; breaks && i < found.count; i++)
		schema_diagnose(all, found.items[i].pos, found.items[i].hint, "%s", found.items[i].message);
	all->left_out += breaks ? found.left_out : 0;
	schema_diagnostics_deinit(&found);
	return breaks ? -1 : 0;
}

static int check_callers(struct gate *gate, const struct schema_module *module, size_t round, struct error *err) {
	const struct version *own = map_get(&gate->modules, str_from(module->name));
	const struct schema_module *first = own != NULL ? own->module : NULL;
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	group_callers(gate, module, first);
	int result = 0;
	LIST_FOREACH(link, &gate->callers)
		if (check_group(gate, LIST_ENTRY(link, struct caller_group, link), module, first, &diagnostics) < 0)
			result = -1;
	if (result < 0)
		refuse(&diagnostics, REASON_BREAKS_CALLERS,
		       round == 0 ? "the change breaks modules that are deployed"
				  : "the change breaks modules that are being deployed just now",
		       err);
	forget_callers(gate);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

/* The module as a caller: what it was checked against must not have changed to its harm. */
static int check_needs(struct gate *gate, const struct schema_module *module, const struct need_record *needs,
		       size_t count, struct error *err) {
	struct schema_diagnostics diagnostics;
	struct map caller;
	schema_diagnostics_init(&diagnostics);
	map_init(&caller);
	map_put(&caller, str_from(module->name), (void *)module);
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		const struct version *version = map_get(&gate->modules, str_from(needs[i].module));
		if (version != NULL)
			result = find_broken(gate, unpack(gate, needs[i].schema), version->module, &caller,
					     &diagnostics);
	}
	if (result < 0)
		refuse(&diagnostics, REASON_SCHEMA_MISFIT, "the deployment does not fit what changed since it was made",
		       err);
	map_deinit(&caller);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

static int gate_check(struct gate *gate, const struct schema_module *now, const struct deployment_record *record,
		      struct error *err) {
	unpack_needed(gate, now);
	unpack_callers(gate, now->name);
	for (size_t round = 0; round < gate->rounds; round++) {
		choose_versions(gate, now, round);
		if (check_references(gate, now, round, err) < 0 || check_callers(gate, now, round, err) < 0 ||
		    (record != NULL && check_needs(gate, now, record->needs, record->need_count, err) < 0))
			return -1;
	}
	return 0;
}

static void gate_init(struct gate *gate, const struct control *control, const struct list *pending) {
	*gate = (struct gate){.rounds = 1};
	arena_init(&gate->arena, SIZE_MAX);
	map_init(&gate->last);
	map_init(&gate->modules);
	list_init(&gate->callers);
	list_versions(gate, control, pending);
}

static void gate_deinit(struct gate *gate) {
	map_deinit(&gate->last);
	map_deinit(&gate->modules);
	arena_deinit(&gate->arena);
}

int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err) {
	struct gate gate;
	struct buf packed = BUF_INIT(SIZE_MAX / 2);
	gate_init(&gate, control, pending);
	int result = schema_canonical(module, &packed);
	ASSERT(result == 0);
	/* The schema as it will be stored, so that what is exported is decided as for the others. */
	result = gate_check(&gate, unpack(&gate, buf_view(&packed)), NULL, err);
	buf_deinit(&packed);
	gate_deinit(&gate);
	return result;
}

int schema_gate_check_again(const struct control *control, const struct list *pending,
			    const struct deployment_record *record, struct error *err) {
	struct gate gate;
	gate_init(&gate, control, pending);
	int result = gate_check(&gate, unpack(&gate, record->schema), record, err);
	gate_deinit(&gate);
	return result;
}

/* --- what a new deployment is checked against --------------------------------------------------------------------- */

struct lister {
	const struct control *control;
	struct map found; /* struct deployment by the name of its module */
};

static void find_needed(const struct schema_ref *ref, void *context) {
	struct lister *lister = context;
	const struct module *module = map_get(&lister->control->books.modules, str_from(ref->module));
	const struct deployment *deployment = module == NULL ? NULL : module->active ? module->active : module->next;
	if (deployment != NULL)
		map_put(&lister->found, str_from(module->name), (void *)deployment);
}

void schema_gate_list_needs(const struct control *control, const struct schema_module *module, struct arena *arena,
			    struct need_record **ret_needs, size_t *ret_count) {
	struct lister lister = {.control = control};
	map_init(&lister.found);
	schema_walk_foreign(module, find_needed, &lister);
	struct need_record *needs = arena_alloc(arena, (lister.found.len + 1) * sizeof *needs);
	size_t count = 0, cursor = 0;
	for (const struct deployment *found; (found = map_next(&lister.found, &cursor)) != NULL; count++)
		needs[count] = (struct need_record){.module = found->module->name,
						    .key = found->key,
						    .schema = packed_schema_bytes(found->schema)};
	map_deinit(&lister.found);
	*ret_needs = needs;
	*ret_count = count;
}
