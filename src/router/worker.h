/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that carries calls: its own loop, its own connections to clients and Runners, and the current routing table.
 * It never waits for a disk or a database. What is not a call goes to the control side through control_link.h.
 *
 *   STARTING ──(routes)──▶ SERVING ──drain──▶ DRAINING
 *      │                      │                  │ leave
 *      └──────leave───────────┴──────leave───────┴─────▶ LEAVING
 *
 * STARTING  takes calls, and waits for the routes of modules that were live when the Backplane ended last. It drains
 * too. SERVING   takes calls. DRAINING  the Backplane stops: new calls are refused, but for those that calls in
 * progress make. LEAVING   another process has taken over: clients are sent there, and what they still ask here is
 * passed on to it.
 *
 * The worker knows no method: VerbService, and what the control side has workers do, come with the options.
 */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "base/map.h"
#include "http/probes.h"
#include "net/tls_files.h"
#include "router/call_observer.h"
#include "router/control_link.h"
#include "router/countdown.h"
#include "router/route.h"
#include "rpc/channel.h"
#include "rpc/server.h"

enum { WORKER_METHOD_SETS_MAX = 4 };

enum worker_state { WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING, WORKER_LEAVING };

struct worker {
	size_t index; /* among those of its Backplane, from 0 */
	struct loop loop;
	pthread_t thread;
	enum worker_state state;
	struct rpc_server *server;
	struct tls_pair tls; /* its own: what OpenSSL keeps of a configuration is not shared between threads */
	struct rpc_health *health;
	struct http_probes probes;
	struct rpc_reflection *reflection;
	struct route_table *routes; /* a reference */
	struct map channels; /* struct rpc_channel by endpoint text, of Runners */
	struct control_link control;
	uint64_t random; /* state of random_next */
	struct call_observers observers;
	void (*routes_changed)(struct worker *worker);
	size_t calls; /* in progress */
	struct {
		struct list calls; /* struct call */
		size_t count;
		struct timer look;
	} held; /* call.c: calls that wait for a replica */
	struct countdown *idle; /* gets a report when DRAINING and the last call has ended; NULL: it has it */
	struct countdown *gone; /* gets a report when LEAVING and the last client has gone */
	void *owner;
};

struct worker_options {
	size_t index;
	struct rpc_server_options server; /* tls is the worker's own business */
	unsigned busy_poll_us;
	const struct tls_files *tls_files; /* towards clients and Runners; NULL: clear text on both sides */
	/* Makes a connection to the control side; called on the worker's thread. */
	int (*dial_control)(void *data);
	void *dial_data;
	struct endpoint control_name; /* for errors only */
	/* Their service is the worker. Borrowed for its life. */
	struct worker_methods {
		const struct rpc_method *items;
		size_t count;
	} methods[WORKER_METHOD_SETS_MAX];
	const struct rpc_route *route; /* its service is the worker; NULL: none */
	void (*fallback)(struct rpc_stream *stream); /* for any other path; its service is the worker */
	/* On the worker's thread: the routes or the worker's state are others now. NULL: nobody is told. */
	void (*routes_changed)(struct worker *worker);
	struct call_observers observers; /* borrowed */
	void *owner;
};

/* Starts the thread. */
struct worker *worker_start(const struct worker_options *options, struct error *err);
/* Stops the thread and frees all; cuts off the calls that are left. */
void worker_stop(struct worker *worker);

/* --- from any thread ---------------------------------------------------------------------------------------------- */
/* Countdowns get one report each, from the worker's thread. */

/* Takes a connected socket. */
void worker_accept(struct worker *worker, int fd, bool trusted);
/* The control side has begun, and has handed over its first routes if there are any. */
void worker_begin(struct worker *worker);
/* Takes the caller's reference to routes; reports when calls go by them. */
void worker_set_routes(struct worker *worker, struct route_table *routes, struct countdown *in_use);
/* Closes connections to a Runner that is gone. */
void worker_forget(struct worker *worker, const struct endpoint *endpoint);
/* To DRAINING. Reports when no call is in progress. */
void worker_drain(struct worker *worker, struct countdown *idle);

/* control_link.h. Reports when all that was on its way to the control side has left the worker. */
void worker_pause_control(struct worker *worker, const int stock[CONTROL_LINK_STOCK], struct countdown *paused);
void worker_resume_control(struct worker *worker);

struct worker_successor {
	struct sockaddr_storage address; /* where the other process listens */
	socklen_t len;
	struct countdown *told; /* gets a report when the clients have been told */
	struct countdown *gone; /* gets a report when the last of them has gone */
};
/* To LEAVING; the control side is paused. Calls in progress finish here. */
void worker_leave(struct worker *worker, const struct worker_successor *successor);

/* --- on the worker's thread --------------------------------------------------------------------------------------- */

/* Passes a stream, whose service is the worker, on to the control side. */
void worker_relay_to_control(struct rpc_stream *stream);

/* The channel to a Runner; the first call makes it. */
struct rpc_channel *worker_channel(struct worker *worker, const struct route_replica *replica);

static inline void worker_call_began(struct worker *worker) {
	worker->calls++;
}
void worker_call_ended(struct worker *worker);

/* Asserts that the diagram has the transition. */
void worker_check(enum worker_state from, enum worker_state to);
