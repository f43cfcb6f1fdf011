/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GetDeployment, which reads a deployment from the store, and KillModule, which ends a module's deployment.
 */
#pragma once

#include "rpc/server.h"

struct context;

void deployments_service_add(struct context *context, struct rpc_server *server);
