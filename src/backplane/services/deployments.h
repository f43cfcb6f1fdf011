/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single deployments: GetDeployment reads one back, and KillModule ends what runs of a module.
 */
#pragma once

#include "rpc/server.h"

struct context;

void deployments_service_add(struct context *context, struct rpc_server *server);
