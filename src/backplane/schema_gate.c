/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas are kept packed, as thousands of models would be many megabytes. Only those are unpacked that can matter: a
 * module's name stands as it is in the packed schema of each module that names it.
 */
#include "backplane/schema_gate.h"

#include <string.h>

#include "backplane/control.h"
#include "base/map.h"
#include "rpc/pb.h"
#include "schema.pb-c.h"
#include "schema/callers.h"
#include "schema/compare.h"
#include "schema/proto.h"
#include "schema/references.h"

struct gate {
	const struct control *control;
	struct arena arena;
	struct map modules; /* that matter, of struct schema_module */
};

static const struct deployment *deployment_of(const struct module *module) {
	return module->active ? module->active : module->next;
}

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
static void add_named(struct gate *gate, struct str packed) {
	LIST_FOREACH (link, &gate->control->all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		const struct deployment *deployment = deployment_of(module);
		if (deployment == NULL || map_get(&gate->modules, str_from(module->name)) != NULL ||
		    !names(packed, module->name))
			continue;
		struct str other = str_new(deployment->schema, deployment->schema_len);
		map_put(&gate->modules, str_from(module->name), unpack(gate, other));
		add_named(gate, other);
	}
}

static void add_callers(struct gate *gate, const char *name) {
	LIST_FOREACH (link, &gate->control->all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		const struct deployment *deployment = deployment_of(module);
		if (deployment == NULL || map_get(&gate->modules, str_from(module->name)) != NULL)
			continue;
		struct str packed = str_new(deployment->schema, deployment->schema_len);
		if (names(packed, name))
			map_put(&gate->modules, str_from(module->name), unpack(gate, packed));
	}
}

static int refuse(struct schema_diagnostics *diagnostics, const char *why, struct error *err) {
	schema_diagnostics_to_error(diagnostics, err);
	err->code = CODE_FAILED_PRECONDITION;
	return error_wrap(err, "%s", why);
}

static int check_references(struct gate *gate, const struct schema_module *module, struct error *err) {
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	int result = schema_check_references(module, &gate->modules, &diagnostics);
	if (result < 0)
		refuse(&diagnostics,
		       "the schema does not fit what is deployed (--allow-breaking deploys it all the same)", err);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

static int check_callers(struct gate *gate, const struct schema_module *module, struct error *err) {
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
		       "the change breaks modules that are deployed (--allow-breaking makes it all the same)", err);
	schema_diagnostics_deinit(&diagnostics);
	return result;
}

int schema_gate_check(const struct control *control, const struct schema_module *module, struct error *err) {
	struct gate gate = {.control = control};
	struct buf packed = BUF_INIT(SIZE_MAX / 2);
	arena_init(&gate.arena, SIZE_MAX);
	map_init(&gate.modules);
	int over = schema_canonical(module, &packed);
	ASSERT(over == 0);
	add_named(&gate, buf_view(&packed));
	add_callers(&gate, module->name);
	/* The module as it will be, with the same view of what is exported. */
	struct schema_module *now = unpack(&gate, buf_view(&packed));
	int result = check_references(&gate, now, err);
	if (result == 0)
		result = check_callers(&gate, now, err);
	buf_deinit(&packed);
	map_deinit(&gate.modules);
	arena_deinit(&gate.arena);
	return result;
}
