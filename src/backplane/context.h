/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the services of the control side share: its loop, its state machines and its data. Each service has state of its
 * own beside it. Everything here belongs to the thread of the control side, except data.shared.
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

enum { REPLICAS_MAX = 100 /* of one module */ };

enum backplane_state {
	BACKPLANE_SERVING,
	BACKPLANE_DRAINING, /* takes no new calls; finishes those in progress */
	BACKPLANE_ENDING, /* ends the Runners */
	BACKPLANE_LEAVING, /* finishes the calls in progress; everything else is with the process that took over */
	BACKPLANE_STOPPED,
};

enum { BACKPLANE_STATE_COUNT = 5 };

struct context {
	const struct backplane_options *options;
	int64_t started_wall_ms;
	char endpoint[ENDPOINT_MAX]; /* where the Backplane serves */
	char runner_endpoint[ENDPOINT_MAX]; /* where its Runners connect to */
	enum backplane_state state;
	struct loop loop;
	struct control control;
	struct timer tick; /* the next moment at which the control side has something to do */
	struct data data;
	struct route_table *routes; /* the newest table, replaced by route_builder.c; a reference */
	struct list pending; /* struct schema_pending: deployments that passed the gate and are being stored */
};

void context_init(struct context *context, const struct backplane_options *options, struct effects *effects,
		  const struct store_writer_events *events);
/* The loop has run out, and the data is closed. */
void context_deinit(struct context *context);

/* Wraps every event of the control side: context_event sets the time, context_event_done sets the timer for what is due
 * next. */
struct control *context_event(struct context *context);
void context_event_done(struct context *context);

/* Asserts that the diagram has the transition. */
void context_set_state(struct context *context, enum backplane_state state);
