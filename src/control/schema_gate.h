/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a schema fits those that are deployed: what it names of them is there, and nothing of them relies on what it
 * takes away.
 */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

struct control;
struct schema_module;

/* A deployment that passed and is being kept, so that the control side does not know of it yet. Both are borrowed. */
struct schema_pending {
	struct list link;
	const char *module;
	struct str schema; /* packed */
};

/*
 * module was checked by itself. FailedPrecondition: it names what is not there; or, of a caller, its verb and the
 * change that breaks it.
 *
 * It must fit every schema that calls may meet from now on: of what is active, of what is coming up, and of what is
 * pending (a list of struct schema_pending, oldest first). So two that pass one after the other fit each other,
 * whichever of them is up first, and whether the other one comes up at all.
 */
int schema_gate_check(const struct control *control, const struct list *pending, const struct schema_module *module,
		      struct error *err);

/* The same for one that was deployed before. */
int schema_gate_check_packed(const struct control *control, const struct list *pending, struct str packed,
			     struct error *err);
