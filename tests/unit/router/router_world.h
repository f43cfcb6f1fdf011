/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A router with all around it in one process: a real worker on its thread; on the test's thread and loop a client,
 * which reaches the worker over a socket pair, and a Runner that serves VerbService on a port of this machine.
 *
 * What the Runner answers is told by the verb's name:
 *   echo    the request's body
 *   late    the same, LATE_MS later
 *   fails   an error of the verb
 *   denies  PermissionDenied: " not you "
 *   hangs   nothing, until the client leaves
 */
#pragma once

#include "net/listener.h"
#include "router/stats_registry.h"
#include "router/worker.h"
#include "rpc/channel.h"
#include "rpc/unary.h"

enum { LATE_MS = 20, HANGING_MAX = 8 };

struct router_world {
	struct loop loop;
	struct timer limit; /* of the whole test */
	struct worker *worker;
	struct route_table *routes;
	bool in_use; /* routes, by the worker */
	struct stats_registry stats;
	struct rpc_channel *channel; /* the client's */
	struct rpc_unary_call *call; /* of the client; NULL: none is in progress */
	enum code status; /* of the last one */
	struct error err;

	struct listener listener;
	struct rpc_server *runner;
	struct rpc_unary *hanging[HANGING_MAX];
	size_t hanging_count;
	struct timer late;
	struct rpc_unary *late_unary;
	unsigned runs; /* calls that came to the Runner */
	int silent_fd; /* a port that nobody listens on */
	struct endpoint silent;
};

void router_world_open(struct router_world *world, const struct call_observers *observers);
/* Stops the worker, with the calls that are left. */
void router_world_stop_worker(struct router_world *world);
void router_world_close(struct router_world *world);

/* "unknown": a module that is about to come up, "stopped": one that is not; of neither the verbs are known. Otherwise
 * each letter is a replica of a module with the verbs above, which is about to come up when there is none: 'a' is
 * alive, 's' is silent, so that a call to it did not begin. Returns when the worker uses it. */
void router_world_route(struct router_world *world, const char *module, const char *replicas);

/* Starts a call; headers and timeout_ms may be NULL and 0. */
void router_world_start(struct router_world *world, const char *module, const char *verb,
			const struct http_headers *headers, uint64_t timeout_ms);
enum code router_world_wait(struct router_world *world);
enum code router_world_call(struct router_world *world, const char *module, const char *verb);
/* Runs the loop until the Runner has as many calls that hang. */
void router_world_wait_hanging(struct router_world *world, size_t count);
/* Runs the loop for a millisecond or so. */
void router_world_turn(struct router_world *world);
