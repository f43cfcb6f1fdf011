/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ping, Status and GetSchema: the present state of the system.
 */
#pragma once

#include "rpc/server.h"

struct context;
struct route_builder;

struct status_service {
	const struct context *context;
	const struct route_builder *routes;
};

void status_service_add(struct status_service *service, struct rpc_server *server);
