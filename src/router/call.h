/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VerbService as the Backplane serves it: Call goes to a Runner, List and Ping are answered here.
 */
#pragma once

#include "router/worker.h"

/* To be added to a worker's server, with the worker as service. */
extern const struct rpc_method call_methods[];
extern const size_t call_method_count;

void calls_init(struct worker *worker);
/* The routes have changed, or the worker drains: what that means for the calls that wait. */
void calls_look_again(struct worker *worker);
