/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a schema fits those that are deployed: what it names of them is there, and nothing of them relies on what it
 * takes away.
 */
#pragma once

#include "base/error.h"

struct control;
struct schema_module;

/* module was checked by itself. FailedPrecondition: it names what is not there; or, of a caller, its verb and the
 * change that breaks it. The schemas at hand are those of active deployments, and else of those that are coming up. */
int schema_gate_check(const struct control *control, const struct schema_module *module, struct error *err);
