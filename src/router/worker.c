/* SPDX-License-Identifier: Apache-2.0 */
#include "router/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/thread.h"
#include "router/call.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/relay.h"

/* --- what is not a call ------------------------------------------------------------------------------------------- */

static const char *name_control(const struct worker *worker) {
	return worker->leaving ? "the Backplane that has taken over" : "the control side";
}

void worker_relay_to_control(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	/* Each method of the control side has its own limit. */
	stream->message_max = UINT32_MAX;
	relay_start(stream, worker->control, &(struct relay_options){.peer = name_control(worker)});
}

/* What the health service knows, beside "": all services that this port takes calls of. */
static void set_health(struct worker *worker, bool serving) {
	static const struct str services[] = {
		STR_INIT(""),
		STR_INIT("xyz.block.ftl.v1.VerbService"),
		STR_INIT("xyz.block.ftl.v1.BackplaneService"),
	};
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		rpc_health_set(worker->health, services[i], serving);
}

/* --- tasks from other threads ------------------------------------------------------------------------------------- */

struct order {
	struct task task;
	struct worker *worker;
	int fd;
	bool trusted;
	struct route_table *routes;
	struct endpoint endpoint;
	void (*done)(void *data);
	void *data;
	void (*idle)(struct worker *worker);
	void (*told)(struct worker *worker);
	int stock[WORKER_STOCK_MAX];
	struct sockaddr_storage successor;
	socklen_t successor_len;
};

static void post(struct worker *worker, void (*run)(struct task *task), const struct order *filled) {
	struct order *order = mem_alloc(sizeof *order);
	*order = *filled;
	order->worker = worker;
	order->task.run = run;
	loop_post(&worker->loop, &order->task);
}

static void run_accept(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	rpc_server_accept(order->worker->server, order->fd, order->trusted);
	free(order);
}

void worker_accept(struct worker *worker, int fd, bool trusted) {
	post(worker, run_accept, &(struct order){.fd = fd, .trusted = trusted});
}

static void run_set_routes(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	route_table_unref(order->worker->routes);
	order->worker->routes = order->routes;
	order->done(order->data);
	calls_look_again(order->worker);
	free(order);
}

void worker_set_routes(struct worker *worker, struct route_table *routes, void (*done)(void *data), void *data) {
	post(worker, run_set_routes, &(struct order){.routes = routes, .done = done, .data = data});
}

static void run_forget(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	char text[ENDPOINT_MAX];
	endpoint_format(&order->endpoint, text);
	/* Not closed: what has been answered may still have to be read. */
	rpc_channel_retire(map_remove(&order->worker->channels, str_from(text)));
	free(order);
}

void worker_forget(struct worker *worker, const struct endpoint *endpoint) {
	post(worker, run_forget, &(struct order){.endpoint = *endpoint});
}

void worker_tell_if_idle(struct worker *worker) {
	void (*idle)(struct worker *worker) = worker->idle;
	if (!worker->draining || worker->calls > 0 || idle == NULL)
		return;
	worker->idle = NULL;
	idle(worker);
}

static void run_drain(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	struct worker *worker = order->worker;
	worker->draining = true;
	set_health(worker, false);
	worker->idle = order->idle;
	calls_look_again(worker);
	worker_tell_if_idle(worker);
	free(order);
}

void worker_drain(struct worker *worker, void (*idle)(struct worker *worker)) {
	post(worker, run_drain, &(struct order){.idle = idle});
}

/* --- another process takes over ----------------------------------------------------------------------------------- */

struct retired_channel {
	struct list link;
	struct rpc_channel *channel;
};

static int connect_to_successor(const struct worker *worker) {
	int fd = socket(worker->successor.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&worker->successor, worker->successor_len) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(void *data) {
	struct worker *worker = data;
	if (worker->stock_count > 0)
		return worker->stock[--worker->stock_count];
	switch (worker->dial_to) {
	case CONTROL_HERE:
		return worker->dial_control(worker->dial_data);
	case CONTROL_PAUSED:
		return -1;
	case CONTROL_ELSEWHERE:
		return connect_to_successor(worker);
	}
	return -1;
}

static void open_control(struct worker *worker, const struct endpoint *name) {
	struct rpc_channel_options options = rpc_channel_options_default;
	/* It is this process, or the next: it may be busy, and is never gone. */
	options.connect_timeout_ms = 0;
	options.keepalive_ms = 0;
	options.dial = dial;
	options.dial_data = worker;
	worker->control = rpc_channel_new(&worker->loop, name, &options);
}

static void retire(struct worker *worker, struct rpc_channel *channel) {
	struct retired_channel *retired = mem_alloc(sizeof *retired);
	*retired = (struct retired_channel){.channel = channel};
	list_append(&worker->retired, &retired->link);
}

static void close_retired(struct worker *worker, bool all) {
	LIST_FOREACH(link, &worker->retired) {
		struct retired_channel *retired = LIST_ENTRY(link, struct retired_channel, link);
		if (!all && rpc_channel_calls(retired->channel) > 0)
			continue;
		rpc_channel_close(retired->channel);
		list_remove(&retired->link);
		free(retired);
	}
}

static void close_stock(struct worker *worker) {
	while (worker->stock_count > 0)
		close(worker->stock[--worker->stock_count]);
}

/* In the turn after the one that had something to tell: by then it has left. */
static void run_told(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	order->told(order->worker);
	free(order);
}

static void run_pause_control(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	struct worker *worker = order->worker;
	close_retired(worker, false);
	retire(worker, worker->control);
	close_stock(worker);
	worker->dial_to = CONTROL_PAUSED;
	memcpy(worker->stock, order->stock, sizeof order->stock);
	worker->stock_count = WORKER_STOCK_MAX;
	struct endpoint name = *rpc_channel_endpoint(worker->control);
	open_control(worker, &name);
	post(worker, run_told, order);
	free(order);
}

void worker_pause_control(struct worker *worker, const int stock[WORKER_STOCK_MAX],
			  void (*done)(struct worker *worker)) {
	struct order order = {.told = done};
	memcpy(order.stock, stock, sizeof order.stock);
	post(worker, run_pause_control, &order);
}

static void run_resume_control(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	order->worker->dial_to = CONTROL_HERE;
	free(order);
}

void worker_resume_control(struct worker *worker) {
	post(worker, run_resume_control, &(struct order){0});
}

static void on_clients_gone(void *data) {
	struct worker *worker = data;
	worker->idle(worker);
}

static void run_leave(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	struct worker *worker = order->worker;
	worker->leaving = true;
	worker->dial_to = CONTROL_ELSEWHERE;
	worker->successor = order->successor;
	worker->successor_len = order->successor_len;
	worker->idle = order->idle;
	calls_look_again(worker);
	rpc_server_drain(worker->server, on_clients_gone, worker);
	post(worker, run_told, order);
	free(order);
}

void worker_leave(struct worker *worker, const struct sockaddr_storage *successor, socklen_t successor_len,
		  void (*told)(struct worker *worker), void (*idle)(struct worker *worker)) {
	post(worker, run_leave,
	     &(struct order){.successor = *successor, .successor_len = successor_len, .told = told, .idle = idle});
}

/* --- for calls ---------------------------------------------------------------------------------------------------- */

struct rpc_channel *worker_channel(struct worker *worker, const struct route_replica *replica) {
	struct rpc_channel *channel = map_get(&worker->channels, str_from(replica->address));
	if (channel != NULL)
		return channel;
	struct rpc_channel_options options = rpc_channel_options_default;
	options.keepalive_ms = 2000;
	options.backoff_max_ms = 1000;
	options.tls = worker->client_tls;
	channel = rpc_channel_new(&worker->loop, &replica->endpoint, &options);
	map_put(&worker->channels, str_from(replica->address), channel);
	return channel;
}

/* splitmix64: for spreading and for ids that only have to differ. */
uint64_t worker_random(struct worker *worker) {
	uint64_t z = worker->random += 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void *run(void *data) {
	struct worker *worker = data;
	loop_run(&worker->loop);
	rpc_server_close(worker->server);
	rpc_channel_close(worker->control);
	close_retired(worker, true);
	close_stock(worker);
	for (size_t cursor = 0;;) {
		struct rpc_channel *channel = map_next(&worker->channels, &cursor);
		if (channel == NULL)
			break;
		rpc_channel_close(channel);
	}
	loop_run_out(&worker->loop);
	loop_deinit(&worker->loop);
	rpc_health_free(worker->health);
	rpc_reflection_free(worker->reflection);
	return NULL;
}

/* Each worker has its own: what OpenSSL keeps of a configuration is not shared between threads. */
static int read_tls(struct worker *worker, const struct worker_options *options, struct error *err) {
	if (options->client_tls != NULL &&
	    (worker->client_tls = tls_config_new(false, options->client_tls, err)) == NULL)
		return -1;
	if (options->server_tls != NULL &&
	    (worker->server_tls = tls_config_new(true, options->server_tls, err)) == NULL)
		return -1;
	return 0;
}

struct worker *worker_start(const struct worker_options *options, struct error *err) {
	struct worker *worker = mem_zalloc(sizeof *worker);
	if (read_tls(worker, options, err) < 0) {
		tls_config_unref(worker->client_tls);
		tls_config_unref(worker->server_tls);
		free(worker);
		return NULL;
	}
	loop_init(&worker->loop);
	loop_set_busy_poll(&worker->loop, options->busy_poll_us);
	map_init(&worker->channels);
	calls_init(worker);
	worker->routes = route_table_new();
	worker->random = random_u64();
	worker->index = options->index;
	worker->owner = options->owner;
	struct rpc_server_options server = options->server;
	server.tls = worker->server_tls;
	worker->server = rpc_server_new(&worker->loop, &server);
	rpc_server_add(worker->server, call_methods, call_method_count, worker);
	rpc_server_add(worker->server, options->own_method, 1, worker);
	rpc_server_set_fallback(worker->server, worker_relay_to_control, worker);
	worker->health = rpc_health_new(worker->server);
	set_health(worker, true);
	worker->reflection = rpc_reflection_new(worker->server, options->server.types);
	worker->dial_control = options->dial_control;
	worker->dial_data = options->dial_data;
	list_init(&worker->retired);
	open_control(worker, &options->control_name);
	int failed = thread_start(&worker->thread, 0, run, worker);
	ASSERT(failed == 0);
	return worker;
}

static void run_stop(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	loop_stop(&order->worker->loop);
	free(order);
}

void worker_stop(struct worker *worker) {
	post(worker, run_stop, &(struct order){0});
	pthread_join(worker->thread, NULL);
	route_table_unref(worker->routes);
	map_deinit(&worker->channels);
	tls_config_unref(worker->client_tls);
	tls_config_unref(worker->server_tls);
	free(worker);
}
