/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RegisterRunner, whose stream lasts as long as its Runner, and Deployed.
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
 *   RECEIVING ──request──▶ CHECKING ──answers its ping──▶ ACCEPTED ──stream closes──▶ CLOSED ──the cause is told, 50
 * ms──▶ freed │                     │  └──────────stream closes────────────────────────────▶ │ │ malformed           │
 * refused by the control side  │                        │ └───────────────▶ REFUSED
 * ◀──────────────────────────┴────────────────────────┘
 *
 * CLOSED waits for the Platform to tell the exit of its Runner, whose cause says more than a connection that closed.
 */
enum registration_stream_state {
	REGISTRATION_STREAM_RECEIVING,
	REGISTRATION_STREAM_CHECKING,
	REGISTRATION_STREAM_ACCEPTED,
	REGISTRATION_STREAM_CLOSED,
	REGISTRATION_STREAM_REFUSED,
	REGISTRATION_STREAM_STATE_COUNT
};

/* Asserts that the next state may follow. */
void registration_stream_move(enum registration_stream_state *state, enum registration_stream_state next);

/* Effects: answer a registration. Do nothing when its stream is gone. */
void runners_service_accept(struct runners_service *service, uint64_t registration, const struct runner *runner);
void runners_service_refuse(struct runners_service *service, uint64_t registration, const struct error *why);

/* Reports streams that closed now, without waiting for the Platform to say why. */
void runners_service_settle(struct runners_service *service);
/* Another process takes over: ends every stream in order, so that the Runners register there at once. */
void runners_service_end(struct runners_service *service);
