/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wanted of a module: ScaleModule, RollbackModule, ListDeployments.
 */
#pragma once

#include "rpc/server.h"

struct context;

void modules_service_add(struct context *context, struct rpc_server *server);
