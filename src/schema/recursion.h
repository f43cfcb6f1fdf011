/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types that contain themselves: allowed where a value can end, refused where it could not be built, or where a
 * generic data would need ever larger types.
 */
#pragma once

#include "schema/diagnostics.h"

/* Ignores other errors, which schema_check reports. Returns -1 when there were errors. */
int schema_check_recursion(const struct schema_module *module, struct schema_diagnostics *diagnostics);
