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

/* Effects: answer a registration. Do nothing when its stream is gone. */
void runners_service_accept(struct runners_service *service, uint64_t registration, const struct runner *runner);
void runners_service_refuse(struct runners_service *service, uint64_t registration, const struct error *why);

/* Reports streams that closed now, without waiting for the Platform to say why. */
void runners_service_settle(struct runners_service *service);
/* Another process takes over: ends every stream in order, so that the Runners register there at once. */
void runners_service_end(struct runners_service *service);
