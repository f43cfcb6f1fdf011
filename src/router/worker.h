/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that carries calls: its own loop, its own connections to clients and Runners, and the routing table of the
 * moment. It never waits for a disk or a database; what is not a call is relayed to the control side, as to any peer,
 * but for uploads.
 */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "base/map.h"
#include "net/tls.h"
#include "router/route.h"
#include "rpc/channel.h"
#include "rpc/server.h"

enum { WORKER_STOCK_MAX = 2 };

struct worker {
	size_t index; /* among those of its Backplane, from 0 */
	struct loop loop;
	pthread_t thread;
	struct rpc_server *server;
	struct tls_config *server_tls, *client_tls; /* NULL: none */
	struct rpc_health *health;
	struct rpc_reflection *reflection;
	struct route_table *routes; /* this worker's reference */
	struct map channels; /* struct rpc_channel by endpoint text, of Runners */
	struct rpc_channel *control; /* to the control side of this process; to the next process when this one leaves */
	struct list retired; /* struct retired_channel: those before it, until their calls have ended */
	enum { CONTROL_HERE, CONTROL_PAUSED, CONTROL_ELSEWHERE } dial_to;
	int stock[WORKER_STOCK_MAX]; /* connections that are not in use yet, for control */
	size_t stock_count;
	struct sockaddr_storage successor; /* where the next process listens */
	socklen_t successor_len;
	int (*dial_control)(void *data);
	void *dial_data;
	bool leaving; /* another process has taken over: calls go to it */
	uint64_t random; /* state of this worker's generator */
	bool draining; /* takes no calls but those of calls that are under way */
	size_t calls; /* under way */
	struct list held; /* struct call: those of them that wait until something of their module is alive */
	size_t held_count;
	struct timer held_timer;
	void (*idle)(struct worker *worker); /* to be told once when calls came down to 0 while draining */
	void *owner;
};

struct worker_options {
	size_t index;
	struct rpc_server_options server; /* tls is the worker's own business */
	unsigned busy_poll_us;
	const struct tls_options *server_tls; /* NULL: in clear only */
	const struct tls_options *client_tls; /* towards Runners */
	/* Makes a connection to the control side; called on the worker's thread. */
	int (*dial_control)(void *data);
	void *dial_data;
	struct endpoint control_name; /* for errors only */
	/* Of the control side, that workers do themselves while it is here; service: the worker. */
	const struct rpc_method *own_method;
	void *owner;
};

/* Starts the thread. */
struct worker *worker_start(const struct worker_options *options, struct error *err);
/* Stops the thread and frees all. The calls that are left are cut off. */
void worker_stop(struct worker *worker);

/* From any thread. */
void worker_accept(struct worker *worker, int fd, bool trusted);
/* Takes the caller's reference to routes; done runs on the worker when it is in use. */
void worker_set_routes(struct worker *worker, struct route_table *routes, void (*done)(void *data), void *data);
/* Closes connections to a Runner that is gone. */
void worker_forget(struct worker *worker, const struct endpoint *endpoint);
/* Answers new calls with Unavailable; idle(worker) runs once, on the worker, when none is under way. */
void worker_drain(struct worker *worker, void (*idle)(struct worker *worker));

/* What is for the control side goes over these connections from now on (which nobody has to read yet), and what is
 * under way goes on where it is. done runs on the worker when all of that has left it. */
void worker_pause_control(struct worker *worker, const int stock[WORKER_STOCK_MAX],
			  void (*done)(struct worker *worker));
/* The control side of this process reads again. */
void worker_resume_control(struct worker *worker);
/* Another process reads at their ends, and listens at that address. Clients are sent there, and whatever they still ask
 * here is passed on to it; the calls that are under way end here. told runs on the worker when clients have been told,
 * idle when the last of them has gone. */
void worker_leave(struct worker *worker, const struct sockaddr_storage *successor, socklen_t successor_len,
		  void (*told)(struct worker *worker), void (*idle)(struct worker *worker));

/* Passes a stream on to the control side. On the worker's thread; its service is the worker. */
void worker_relay_to_control(struct rpc_stream *stream);

/* The connection to a Runner, made when it is first wanted. On the worker's thread. */
struct rpc_channel *worker_channel(struct worker *worker, const struct route_replica *replica);
uint64_t worker_random(struct worker *worker);
void worker_tell_if_idle(struct worker *worker);
