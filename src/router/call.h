/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VerbService.Call: a call on its way through the router.
 */
#pragma once

struct rpc_stream;
struct worker;

enum { CALL_ATTEMPTS_MAX = 4 }; /* replicas that a call tries */

/* The start of the method; its service is the worker. */
void call_start(struct rpc_stream *stream);

/* For worker_options.routes_changed: decides anew about the calls that are held. */
void calls_routes_changed(struct worker *worker);
