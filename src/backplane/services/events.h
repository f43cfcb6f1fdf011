/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the system: each gets the next number of the sequence, is stored with the change that it reports
 * (store/write_behind.h), and is sent to clients by StreamEvents.
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
	uint64_t stored; /* of the newest event in the store */
	struct timer flush; /* writes events that no change has taken to the store */
	struct list watchers; /* struct event_watcher */
};

void events_service_init(struct events_service *service, struct context *context);
void events_service_add(struct events_service *service, struct rpc_server *server);
/* Blocks on the store, whose sequence it continues. */
int events_service_load(struct events_service *service, struct error *err);
/* Stops the timer. */
void events_service_close(struct events_service *service);

/* Appends an event of the control side. */
void events_service_control(struct events_service *service, const struct control_event *event);
/* Appends an event that concerns neither a Runner nor a deployment. */
void events_service_append(struct events_service *service, enum event_kind kind, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Called when all events up to this one are in the store. */
void events_service_stored(struct events_service *service, const struct event_record *last);
