/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the callers that a change of a module breaks.
 */
#pragma once

#include "schema/compare.h"
#include "schema/diagnostics.h"

struct map;

/* Who of the modules (as in references.h) relies on what the change takes away. An error for each verb that calls and
 * each change that breaks it, "shop.order calls echo.echo: EchoRequest.name is new and required", and for each use of a
 * type that is gone, or that a verb takes in its request and that has fewer values now. Returns -1 when there are any.
 */
int schema_check_callers(const struct schema_comparison *comparison, const struct map *modules,
			 struct schema_diagnostics *diagnostics) MUST_USE;
