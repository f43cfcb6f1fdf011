/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the references of a module to other modules.
 *
 * modules: a map (base/map.h) from name to const struct schema_module *, all checked. An older version of the module in
 * question may be among them; it is ignored.
 */
#pragma once

#include "schema/diagnostics.h"

struct map;

/* References to types and verbs of other modules: unknown, not exported, misused, or of modules whose types need each
 * other. Returns -1 when there were errors. The module itself was checked. */
int schema_check_references(const struct schema_module *module, const struct map *modules,
			    struct schema_diagnostics *diagnostics) MUST_USE;

/* As schema_check_references, but references to modules that are not in modules pass. */
int schema_check_known_references(const struct schema_module *module, const struct map *modules,
				  struct schema_diagnostics *diagnostics) MUST_USE;

/* Calls visit for each reference to a type or verb of another module. */
void schema_walk_foreign(const struct schema_module *module, void (*visit)(const struct schema_ref *ref, void *context),
			 void *context);
