/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/worker.h"

#include <stdlib.h>

#include "backplane/call.h"
#include "base/memory.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/relay.h"

/* --- what is not a call ---------------------------------------------------------------------------------------------- */

static void relay_to_control(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	/* Each method of the control side has its own limit. */
	stream->message_max = UINT32_MAX;
	relay_start(stream, worker->control, &(struct relay_options){.peer = "the control side"});
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

/* --- tasks from other threads ------------------------------------------------------------------------------------------ */

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
	free(order);
}

void worker_set_routes(struct worker *worker, struct route_table *routes, void (*done)(void *data), void *data) {
	post(worker, run_set_routes, &(struct order){.routes = routes, .done = done, .data = data});
}

static void run_forget(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	char text[ENDPOINT_MAX];
	endpoint_format(&order->endpoint, text);
	rpc_channel_close(map_remove(&order->worker->channels, str_from(text)));
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
	worker_tell_if_idle(worker);
	free(order);
}

void worker_drain(struct worker *worker, void (*idle)(struct worker *worker)) {
	post(worker, run_drain, &(struct order){.idle = idle});
}

/* --- for calls ----------------------------------------------------------------------------------------------------------- */

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

/* --- life ---------------------------------------------------------------------------------------------------------------- */

static void *run(void *data) {
	struct worker *worker = data;
	loop_run(&worker->loop);
	rpc_server_close(worker->server);
	rpc_channel_close(worker->control);
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
	if (options->client_tls != NULL && (worker->client_tls = tls_config_new(false, options->client_tls, err)) == NULL)
		return -1;
	if (options->server_tls != NULL && (worker->server_tls = tls_config_new(true, options->server_tls, err)) == NULL)
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
	map_init(&worker->channels);
	worker->routes = route_table_new();
	worker->random = random_u64();
	worker->owner = options->owner;
	struct rpc_server_options server = options->server;
	server.tls = worker->server_tls;
	worker->server = rpc_server_new(&worker->loop, &server);
	rpc_server_add(worker->server, call_methods, call_method_count, worker);
	rpc_server_set_fallback(worker->server, relay_to_control, worker);
	worker->health = rpc_health_new(worker->server);
	set_health(worker, true);
	worker->reflection = rpc_reflection_new(worker->server, options->server.types);
	struct rpc_channel_options control = rpc_channel_options_default;
	/* It is this process: it may be busy, and is never gone. */
	control.connect_timeout_ms = 0;
	control.keepalive_ms = 0;
	control.dial = options->dial_control;
	control.dial_data = options->dial_data;
	worker->control = rpc_channel_new(&worker->loop, &options->control_name, &control);
	int failed = pthread_create(&worker->thread, NULL, run, worker);
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
