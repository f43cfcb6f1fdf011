/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the services of the control side share: the loop, the state machines (control/), the data and the routing table.
 * Each service keeps its own state in its own struct. Only the thread of the control side uses the context, except for
 * data.shared, which workers use as well.
 *
 *   SERVING ──SIGTERM──▶ DRAINING ──no call left, limit──▶ ENDING ──no Runner left──▶ STOPPED
 *      │                                                                                 ▲
 *      ├──another process has taken over──▶ LEAVING ──no client left, limit──────────────┤
 *      └──could not start────────────────────────────────────────────────────────────────┘
 */
#pragma once

#include "backplane/backplane.h"
#include "backplane/data.h"
#include "control/control.h"
#include "net/endpoint.h"
#include "net/loop.h"

enum backplane_state {
	BACKPLANE_SERVING,
	BACKPLANE_DRAINING, /* accepts no new calls; finishes those in progress */
	BACKPLANE_ENDING, /* terminates the Runners */
	BACKPLANE_LEAVING, /* finishes the calls in progress; the process that took over has everything else */
	BACKPLANE_STOPPED,
};

enum { BACKPLANE_STATE_COUNT = 5 };

struct context {
	const struct backplane_options *options;
	int64_t started_wall_ms;
	char endpoint[ENDPOINT_MAX]; /* at which clients of this machine reach the Backplane */
	char runner_endpoint[ENDPOINT_MAX]; /* at which its Runners reach it */
	enum backplane_state state;
	struct loop loop;
	struct control control;
	struct timer tick; /* fires when the control side has work that is due */
	struct data data;
	struct route_table *routes; /* a reference to the newest table; route_builder.c replaces it */
	struct list pending; /* struct schema_pending: deployments that passed the schema gate and are being stored */
};

void context_init(struct context *context, const struct backplane_options *options, struct effects *effects,
		  const struct store_writer_events *events);
/* Called once the loop has run out (loop_run_out) and the data is closed. */
void context_deinit(struct context *context);

/* Every event of the control side stands between these two: context_event sets the time, context_event_done starts the
 * timer for the work that is due next. */
struct control *context_event(struct context *context);
void context_event_done(struct context *context);

/* Asserts that the diagram has the transition. */
void context_set_state(struct context *context, enum backplane_state state);
