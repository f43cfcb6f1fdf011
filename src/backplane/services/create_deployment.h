/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateDeployment: checks a deployment, stores it, and passes it to the control side.
 */
#pragma once

#include "rpc/server.h"

struct context;

void creation_service_add(struct context *context, struct rpc_server *server);

enum creation_state { CREATION_CHECKING, CREATION_STORING, CREATION_APPLIED, CREATION_ANSWERED, CREATION_STATE_COUNT };

/* Asserts that the diagram has the transition. */
void creation_state_change(enum creation_state *state, enum creation_state next);
