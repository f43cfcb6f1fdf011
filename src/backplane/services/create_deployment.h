/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateDeployment: checks a deployment, keeps it, and hands it to the control side. The service of the method is the
 * Backplane.
 */
#pragma once

#include "rpc/server.h"

struct backplane;

extern const struct rpc_method create_deployment_methods[];
extern const size_t create_deployment_method_count;

enum creation_state { CREATION_CHECKING, CREATION_KEEPING, CREATION_APPLIED, CREATION_ANSWERED, CREATION_STATE_COUNT };

/* Asserts that the next state may follow. */
void creation_state_change(enum creation_state *state, enum creation_state next);
