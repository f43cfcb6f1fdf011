/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/reach.h"

#include <stdlib.h>

#include "base/memory.h"

struct walk {
	const struct schema_module *module;
	bool *marks;
	const struct schema_decl **waiting; /* marked declarations whose own types are still to be followed */
	size_t waiting_len;
};

static void visit(const struct schema_type *type, void *context) {
	struct walk *walk = context;
	const struct schema_decl *decl = schema_target(walk->module, type);
	if (decl == NULL || walk->marks[decl - walk->module->decls])
		return;
	walk->marks[decl - walk->module->decls] = true;
	walk->waiting[walk->waiting_len++] = decl;
}

void schema_reach(const struct schema_module *module, const struct schema_type *type, bool *marks) {
	struct walk walk = {.module = module, .marks = marks};
	walk.waiting = mem_alloc(MAX(module->decl_count, (size_t)1) * sizeof(struct schema_decl *));
	schema_walk_type(type, visit, &walk);
	while (walk.waiting_len > 0) {
		const struct schema_decl *decl = walk.waiting[--walk.waiting_len];
		for (size_t i = 0; (type = schema_decl_type(decl, i)) != NULL; i++)
			schema_walk_type(type, visit, &walk);
	}
	free((void *)walk.waiting);
}
