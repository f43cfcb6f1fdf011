/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every implementation of store/artefacts.h must do.
 */
#pragma once

#include "store/artefacts.h"

struct artefacts_backend {
	const char *name;
	/* An empty place, which outlives those who open it. */
	void *(*place_new)(void);
	void (*place_free)(void *place);
	struct artefacts *(*open)(void *place);
	/* Changes a content behind the back of the artefacts. */
	void (*damage)(void *place, const struct digest *digest);
};

/* Runs the suite; returns the number of tests that failed. */
int artefacts_suite_run(const struct artefacts_backend *backend);
