/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a well-formed schema means something. docs/schema.md lists the rules.
 */
#pragma once

#include "schema/diagnostics.h"

/* What can be told of a module alone; other modules that it names may or may not exist. Finds all errors in one run;
 * returns -1 when there were any. */
int schema_check(const struct schema_module *module, struct schema_diagnostics *diagnostics) MUST_USE;
