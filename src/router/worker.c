/* SPDX-License-Identifier: Apache-2.0 */
#include "router/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/relay.h"

/* --- states ------------------------------------------------------------------------------------------------------- */

void worker_check(enum worker_state from, enum worker_state to) {
	static const unsigned allowed[] = {
		[WORKER_STARTING] = 1u << WORKER_SERVING | 1u << WORKER_DRAINING | 1u << WORKER_LEAVING,
		[WORKER_SERVING] = 1u << WORKER_DRAINING | 1u << WORKER_LEAVING,
		/* A signal came while another process was about to take over. */
		[WORKER_DRAINING] = 1u << WORKER_LEAVING,
		[WORKER_LEAVING] = 0,
	};
	ASSERT(allowed[from] & 1u << to);
}

static void set_state(struct worker *worker, enum worker_state state) {
	worker_check(worker->state, state);
	worker->state = state;
}

static bool awaits_routes(const struct worker *worker) {
	for (size_t cursor = 0;;) {
		const struct route_module *module = route_table_next(worker->routes, &cursor);
		if (module == NULL || module->awaited)
			return module != NULL;
	}
}

static void serve_if_started(struct worker *worker) {
	if (worker->state == WORKER_STARTING && !awaits_routes(worker))
		set_state(worker, WORKER_SERVING);
}

/* http_probes.not_ready */
static const char *not_ready(void *owner) {
	const struct worker *worker = owner;
	switch (worker->state) {
	case WORKER_STARTING:
		return "starting: modules that were live before do not take calls yet\n";
	case WORKER_SERVING:
		return NULL;
	case WORKER_DRAINING:
		return "stopping: only calls in progress are served\n";
	case WORKER_LEAVING:
		return "another process has taken over\n";
	}
	return NULL;
}

static void report_idle(struct worker *worker) {
	if (worker->idle != NULL)
		countdown_report(worker->idle);
	worker->idle = NULL;
}

static void report_gone(struct worker *worker) {
	if (worker->gone != NULL)
		countdown_report(worker->gone);
	worker->gone = NULL;
}

void worker_call_ended(struct worker *worker) {
	if (--worker->calls == 0)
		report_idle(worker);
}

static void tell_routes_changed(struct worker *worker) {
	if (worker->routes_changed != NULL)
		worker->routes_changed(worker);
}

/* The services whose health this port answers for; "" is the whole. */
static void set_health(struct worker *worker, bool serving) {
	static const struct str services[] = {
		STR_INIT(""),
		STR_INIT("xyz.block.ftl.v1.VerbService"),
		STR_INIT("xyz.block.ftl.v1.BackplaneService"),
	};
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		rpc_health_set(worker->health, services[i], serving);
}

/* --- orders from other threads ------------------------------------------------------------------------------------ */

struct order {
	struct task task;
	struct worker *worker;
	int fd;
	bool trusted;
	struct route_table *routes;
	struct endpoint endpoint;
	int stock[CONTROL_LINK_STOCK];
	struct worker_successor successor;
	struct countdown *report;
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

static void run_begin(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	serve_if_started(order->worker);
	free(order);
}

void worker_begin(struct worker *worker) {
	post(worker, run_begin, &(struct order){0});
}

static void run_set_routes(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	route_table_unref(order->worker->routes);
	order->worker->routes = order->routes;
	serve_if_started(order->worker);
	countdown_report(order->report);
	tell_routes_changed(order->worker);
	free(order);
}

void worker_set_routes(struct worker *worker, struct route_table *routes, struct countdown *in_use) {
	post(worker, run_set_routes, &(struct order){.routes = routes, .report = in_use});
}

static void run_forget(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	char text[ENDPOINT_MAX];
	endpoint_format(&order->endpoint, text);
	/* Retired, not closed: the Runner may have sent answers that are still to be read. */
	rpc_channel_retire(map_remove(&order->worker->channels, str_from(text)));
	free(order);
}

void worker_forget(struct worker *worker, const struct endpoint *endpoint) {
	post(worker, run_forget, &(struct order){.endpoint = *endpoint});
}

static void run_drain(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	struct worker *worker = order->worker;
	set_state(worker, WORKER_DRAINING);
	set_health(worker, false);
	worker->idle = order->report;
	tell_routes_changed(worker);
	if (worker->calls == 0)
		report_idle(worker);
	free(order);
}

void worker_drain(struct worker *worker, struct countdown *idle) {
	post(worker, run_drain, &(struct order){.report = idle});
}

/* --- another process takes over ----------------------------------------------------------------------------------- */

/* Runs in the turn after the one that wrote something: that has been sent by then. */
static void run_report(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	countdown_report(order->report);
	free(order);
}

static void run_pause_control(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	control_link_pause(&order->worker->control, order->stock);
	post(order->worker, run_report, order);
	free(order);
}

void worker_pause_control(struct worker *worker, const int stock[CONTROL_LINK_STOCK], struct countdown *paused) {
	struct order order = {.report = paused};
	memcpy(order.stock, stock, sizeof order.stock);
	post(worker, run_pause_control, &order);
}

static void run_resume_control(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	control_link_resume(&order->worker->control);
	free(order);
}

void worker_resume_control(struct worker *worker) {
	post(worker, run_resume_control, &(struct order){0});
}

static void on_clients_gone(void *data) {
	report_gone(data);
}

static void run_leave(struct task *task) {
	struct order *order = CONTAINER_OF(task, struct order, task);
	struct worker *worker = order->worker;
	set_state(worker, WORKER_LEAVING);
	control_link_redirect(&worker->control, &order->successor.address, order->successor.len);
	report_idle(worker); /* nobody waits for the end of a drain that a takeover has overtaken */
	worker->gone = order->successor.gone;
	tell_routes_changed(worker);
	rpc_server_drain(worker->server, on_clients_gone, worker);
	post(worker, run_report, order);
	free(order);
}

void worker_leave(struct worker *worker, const struct worker_successor *successor) {
	post(worker, run_leave, &(struct order){.successor = *successor, .report = successor->told});
}

/* --- channels ----------------------------------------------------------------------------------------------------- */

void worker_relay_to_control(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	/* Each method of the control side has its own limit. */
	stream->message_max = UINT32_MAX;
	relay_start(stream, worker->control.channel,
		    &(struct relay_options){.peer = control_link_peer(&worker->control)});
}

struct rpc_channel *worker_channel(struct worker *worker, const struct route_replica *replica) {
	struct rpc_channel *channel = map_get(&worker->channels, str_from(replica->address));
	if (channel != NULL)
		return channel;
	struct rpc_channel_options options = rpc_channel_options_default;
	options.keepalive_ms = 2000;
	options.backoff_max_ms = 1000;
	options.tls = worker->tls.client;
	channel = rpc_channel_new(&worker->loop, &replica->endpoint, &options);
	map_put(&worker->channels, str_from(replica->address), channel);
	return channel;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void *run(void *data) {
	struct worker *worker = data;
	loop_run(&worker->loop);
	rpc_server_close(worker->server);
	control_link_close(&worker->control);
	for (size_t cursor = 0;;) {
		struct rpc_channel *channel = map_next(&worker->channels, &cursor);
		if (channel == NULL)
			break;
		rpc_channel_close(channel);
	}
	loop_run_out(&worker->loop);
	report_gone(worker); /* the clients that did not go in time are cut off */
	loop_deinit(&worker->loop);
	rpc_health_free(worker->health);
	rpc_reflection_free(worker->reflection);
	return NULL;
}

static void start_server(struct worker *worker, const struct worker_options *options) {
	struct rpc_server_options server = options->server;
	server.tls = worker->tls.server;
	worker->server = rpc_server_new(&worker->loop, &server);
	for (size_t i = 0; i < WORKER_METHOD_SETS_MAX; i++)
		rpc_server_add(worker->server, options->methods[i].items, options->methods[i].count, worker);
	if (options->route != NULL)
		rpc_server_route(worker->server, options->route, worker);
	if (options->fallback != NULL)
		rpc_server_set_fallback(worker->server, options->fallback, worker);
	worker->probes = (struct http_probes){.not_ready = not_ready, .owner = worker};
	http_probes_add(rpc_server_http(worker->server), &worker->probes);
	worker->health = rpc_health_new(worker->server);
	set_health(worker, true);
	worker->reflection = rpc_reflection_new(worker->server, options->server.types);
}

struct worker *worker_start(const struct worker_options *options, struct error *err) {
	struct worker *worker = mem_zalloc(sizeof *worker);
	if (options->tls_files != NULL && tls_pair_open(&worker->tls, options->tls_files, err) < 0) {
		free(worker);
		return NULL;
	}
	loop_init(&worker->loop);
	loop_set_busy_poll(&worker->loop, options->busy_poll_us);
	map_init(&worker->channels);
	list_init(&worker->held.calls);
	worker->routes = route_table_new();
	worker->random = random_u64();
	worker->index = options->index;
	worker->owner = options->owner;
	worker->routes_changed = options->routes_changed;
	worker->observers = options->observers;
	start_server(worker, options);
	control_link_init(&worker->control, &worker->loop, &options->control_name, options->dial_control,
			  options->dial_data);
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
	tls_pair_close(&worker->tls);
	free(worker);
}
