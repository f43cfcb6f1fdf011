/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every observer of calls must be told, and must make of it, on a real worker.
 */
#pragma once

#include "router/call_observer.h"
#include "router/verb_stats.h"

struct router_world;

struct observer_kind {
	const char *name;
	const struct call_observer *observer;
	/* Forgets what it was told; NULL: nothing to forget. */
	void (*reset)(void);
	/* What it was told of the calls of a verb. */
	void (*read)(const struct router_world *world, const char *module, const char *verb,
		     struct verb_summary *ret_summary);
};

/* Runs the suite; returns the number of tests that failed. */
int observer_suite_run(const struct observer_kind *kind);
