/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks the declarations of a module that values of a type consist of.
 */
#pragma once

#include "schema/schema.h"

/* Sets marks[i] for each declaration of module that type leads to; a declaration that is marked already is not
 * followed. marks has module->decl_count members. */
void schema_reach(const struct schema_module *module, const struct schema_type *type, bool *marks);
