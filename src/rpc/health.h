/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's health service: whether the server, or one service of it, takes calls.
 */
#pragma once

#include "rpc/server.h"

struct rpc_health;

/* Adds the service to a server. The server as a whole, named "", begins as serving. */
struct rpc_health *rpc_health_new(struct rpc_server *server);
/* After the server's connections are closed. */
void rpc_health_free(struct rpc_health *health);

/* Tells the clients that watch the service. */
void rpc_health_set(struct rpc_health *health, struct str service, bool serving);
