/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which declarations of a module the values of a type are made of.
 */
#pragma once

#include "schema/schema.h"

/* Sets marks[i] for each declaration of module that type leads to, and adds nothing where it is set already.
 * marks has module->decl_count members. */
void schema_reach(const struct schema_module *module, const struct schema_type *type, bool *marks);

/* The own declaration that a reference leads to; NULL: type is none, or leads elsewhere or nowhere. */
const struct schema_decl *schema_target(const struct schema_module *module, const struct schema_type *type);

/* What type stands for when it is an alias of this module, or an alias of that and so on; else type itself. */
const struct schema_type *schema_resolve(const struct schema_module *module, const struct schema_type *type);
