/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Semantic checks of a well-formed schema. docs/schema.md lists the rules.
 */
#pragma once

#include "schema/diagnostics.h"

/* Checks a module by itself; references to other modules are not followed. Finds all errors in one run; returns -1 when
 * there are any. */
int schema_check(const struct schema_module *module, struct schema_diagnostics *diagnostics) MUST_USE;
