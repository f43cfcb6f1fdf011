/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: what happened, numbered, stored with the change that it tells of (write_behind.h), and shown by StreamEvents.
 */
#pragma once

#include "net/loop.h"
#include "rpc/server.h"
#include "store/store.h"

struct context;
struct control_event;

struct events_service {
	struct context *context;
	uint64_t sequence; /* of the newest event */
	uint64_t kept; /* of the newest event in the store */
	struct timer flush; /* stores events that no change takes along */
	struct list watchers; /* struct event_watcher */
};

void events_service_init(struct events_service *service, struct context *context);
void events_service_add(struct events_service *service, struct rpc_server *server);
/* Continues the sequence of the store. Blocks. */
int events_service_load(struct events_service *service, struct error *err);
/* No further event is stored by the timer. */
void events_service_close(struct events_service *service);

/* Appends an event of the control side. */
void events_service_control(struct events_service *service, const struct control_event *event);
/* Appends an event that concerns neither a Runner nor a deployment. */
void events_service_append(struct events_service *service, enum event_kind kind, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* All events up to this one are in the store. */
void events_service_stored(struct events_service *service, const struct event_record *last);
