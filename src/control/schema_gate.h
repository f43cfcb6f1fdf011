/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a schema fits those that are deployed: everything that it names is there, and no caller relies on what it
 * removes or changes.
 */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"
#include "store/store.h"

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
 * Each deployment keeps the schemas of other modules that it was checked against when it was created. A change breaks a
 * caller when it takes away what the caller relies on in that schema, whatever its module ran since: a version that
 * broke the caller is no excuse for the next one, and going back to what the caller was built for is no change. Of a
 * caller whose needs are not known, the version of the module that runs now counts. What breaks a caller already, as
 * after --allow-breaking, is not blamed on the next deployment.
 *
 * module passed schema_check. FailedPrecondition: SCHEMA_MISFIT with the name that is not there, or BREAKS_CALLERS with
 * the caller's verb and the change that breaks it.
 *
 * The schema must fit every other one that calls may meet from now on: of active deployments, of next ones, and of
 * pending ones (a list of struct schema_pending, oldest first). So two that pass one after the other fit each other,
 * whichever of them is up first, and whether or not the other one comes up.
 */
int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err);

/* The same for an earlier deployment, which must fit as a caller as well: SCHEMA_MISFIT when a module changed what the
 * deployment relies on since it was created. */
int schema_gate_check_again(const struct control *control, const struct list *pending,
			    const struct deployment_record *record, struct error *err);

/* What a new deployment was checked against: of each module that it names the active deployment, else the next one.
 * The records are in arena; key and schema are borrowed. */
void schema_gate_list_needs(const struct control *control, const struct schema_module *module, struct arena *arena,
			    struct need_record **ret_needs, size_t *ret_count);
