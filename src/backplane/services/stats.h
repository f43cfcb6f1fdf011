/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CallStats: the counts and latencies of each verb's calls.
 */
#pragma once

#include "rpc/server.h"

struct context;
struct stats_registry;

struct stats_service {
	const struct context *context;
	const struct stats_registry *registry;
};

void stats_service_add(struct stats_service *service, struct rpc_server *server);
