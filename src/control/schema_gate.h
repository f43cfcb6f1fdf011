/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a schema fits those that are deployed: everything that it names is there, and no caller relies on what it
 * removes or changes.
 */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

struct control;
struct schema_module;

/* A deployment that passed the gate and is being stored, so that the control side does not have it yet. Both texts are
 * borrowed. */
struct schema_pending {
	struct list link;
	const char *module;
	struct str schema; /* packed */
};

/*
 * module passed schema_check. FailedPrecondition: SCHEMA_MISFIT with the name that is not there, or BREAKS_CALLERS with
 * the caller's verb and the change that breaks it.
 *
 * The schema must fit every other one that calls may meet from now on: of active deployments, of next ones, and of
 * pending ones (a list of struct schema_pending, oldest first). So two that pass one after the other fit each other,
 * whichever of them is up first, and whether or not the other one comes up.
 */
int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err);

/* The same for the schema of an earlier deployment. */
int schema_gate_check_packed(const struct control *control, const struct list *pending, struct str packed,
			     struct error *err);
