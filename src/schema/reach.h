/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which declarations of a module the values of a type are made of.
 */
#pragma once

#include "schema/schema.h"

/* Sets marks[i] for each declaration of module that type leads to, and adds nothing where it is set already.
 * marks has module->decl_count members. */
void schema_reach(const struct schema_module *module, const struct schema_type *type, bool *marks);
