/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GetDeployment and KillModule. The service of the methods is the Backplane.
 */
#pragma once

#include "rpc/server.h"

extern const struct rpc_method deployment_methods[];
extern const size_t deployment_method_count;
