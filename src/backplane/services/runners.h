/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RegisterRunner, whose stream lasts as long as its Runner, and Deployed, which reports that a replica is alive or
 * ended.
 */
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "rpc/server.h"

struct context;
struct runner;

struct runners_service {
	struct context *context;
	struct list registrations; /* struct registration_stream */
	uint64_t last_id;
};

void runners_service_init(struct runners_service *service, struct context *context);
void runners_service_deinit(struct runners_service *service);
void runners_service_add(struct runners_service *service, struct rpc_server *server);

/*
 *   RECEIVING ──request──▶ CHECKING ──pinged──▶ ACCEPTED ──stream closes──▶ CLOSED ──exit reported, 250 ms─▶ freed
 *     │                     │  └──stream closes────┼─────────────────────────▲  │
 *     │ malformed           │ refused              │                            │
 *     └─────────▶ REFUSED ◀─┴──────────────────────┴────────────────────────────┘
 *
 * CLOSED waits for the Platform to report the exit of the Runner: its cause says more than a connection that closed.
 */
enum registration_stream_state {
	REGISTRATION_STREAM_RECEIVING,
	REGISTRATION_STREAM_CHECKING,
	REGISTRATION_STREAM_ACCEPTED,
	REGISTRATION_STREAM_CLOSED,
	REGISTRATION_STREAM_REFUSED,
	REGISTRATION_STREAM_STATE_COUNT
};

/* Asserts that the diagram has the transition. */
void registration_stream_move(enum registration_stream_state *state, enum registration_stream_state next);

/* Effects: answer a registration. They do nothing when its stream has closed. */
void runners_service_accept(struct runners_service *service, uint64_t registration, const struct runner *runner);
void runners_service_refuse(struct runners_service *service, uint64_t registration, const struct error *why);

/* Reports closed streams to the control side at once, without waiting for the Platform to report the cause. */
void runners_service_report_closed(struct runners_service *service);
/* Called when another process takes over: ends every stream with OK, so that the Runners register there at once. */
void runners_service_end(struct runners_service *service);
