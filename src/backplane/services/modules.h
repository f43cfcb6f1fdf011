/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ScaleModule and RollbackModule, which change what is wanted of a module, and ListDeployments, which shows its
 * history.
 */
#pragma once

#include "rpc/server.h"

struct context;

void modules_service_add(struct context *context, struct rpc_server *server);
