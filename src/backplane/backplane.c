/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the Backplane together and takes it apart.
 *
 *   this thread: the control side (state machines, services, listener)     other threads: workers, which carry calls
 *
 *   a client connects ─▶ listener ─▶ the next worker in turn
 *       its calls            ─▶ call.c ─▶ a Runner
 *       an artefact          ─▶ services/artefacts.c ─▶ the disk
 *       all else             ─▶ socket pair ─▶ the control side's server ─▶ service_*.c
 */
#include "backplane/backplane.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backplane/context.h"
#include "backplane/recovery.h"
#include "backplane/services/artefacts.h"
#include "backplane/services/create_deployment.h"
#include "backplane/services/deployments.h"
#include "backplane/services/logs.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/reasons.h"
#include "ftl_descriptors.h"
#include "router/call.h"
#include "router/stats_observer.h"
#include "router/verb_service.h"
#include "rpc/reflection.h"
#include "store/registry.h"

/* --- events of the control side ----------------------------------------------------------------------------------- */

struct control *backplane_event(struct backplane *backplane) {
	uv_update_time(&backplane->loop.uv);
	control_advance(&backplane->control, loop_now_ms(&backplane->loop));
	return &backplane->control;
}

void backplane_event_done(struct backplane *backplane) {
	if (backplane->stopping.state == STOPPED || backplane->stopping.state == LEAVING)
		return;
	uint64_t due_ms = control_tick(&backplane->control), now_ms = backplane->control.time.now_ms;
	if (due_ms == UINT64_MAX)
		timer_stop(&backplane->loop, &backplane->tick);
	else
		timer_start(&backplane->loop, &backplane->tick, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_tick(struct timer *timer) {
	struct backplane *backplane = CONTAINER_OF(timer, struct backplane, tick);
	backplane_event(backplane);
	backplane_event_done(backplane);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *listener, int fd) {
	struct backplane *backplane = listener->owner;
	bool trusted = listener == &backplane->inner;
	worker_accept(backplane->workers[backplane->next_worker++ % backplane->worker_count], fd, trusted);
}

struct dialled {
	struct task task;
	struct backplane *backplane;
	int fd;
};

void backplane_accept_control(struct backplane *backplane, int fd) {
	if (backplane->server != NULL)
		rpc_server_accept(backplane->server, fd, false);
	else
		close(fd); /* a worker asked for it before it was stopped */
}

static void run_accept(struct task *task) {
	struct dialled *dialled = CONTAINER_OF(task, struct dialled, task);
	backplane_accept_control(dialled->backplane, dialled->fd);
	free(dialled);
}

/* On a worker's thread: one end for it, the other for the control side. */
static int dial_control(void *data) {
	struct backplane *backplane = data;
	int ends[2];
	int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	if (failed)
		return -1;
	struct dialled *dialled = mem_alloc(sizeof *dialled);
	*dialled = (struct dialled){.task.run = run_accept, .backplane = backplane, .fd = ends[1]};
	loop_post(&backplane->loop, &dialled->task);
	return ends[0];
}

/* --- stopping ----------------------------------------------------------------------------------------------------- */

/* The calls have ended, or had their time. */
static void end_runners(struct backplane *backplane) {
	if (backplane->stopping.state != DRAINING_CALLS)
		return;
	backplane->stopping.state = ENDING_RUNNERS;
	timer_stop(&backplane->loop, &backplane->stopping.limit);
	listener_close(&backplane->listener);
	listener_close(&backplane->inner);
	control_shut_down(backplane_event(backplane));
	backplane_event_done(backplane);
}

static void on_drain_limit(struct timer *timer) {
	struct backplane *backplane = CONTAINER_OF(timer, struct backplane, stopping.limit);
	log_warn("calls are still under way; they are cut off");
	end_runners(backplane);
}

static void on_drained(void *owner) {
	end_runners(owner);
}

static void on_signal(uv_signal_t *handle, int number) {
	struct backplane *backplane = handle->data;
	if (backplane->stopping.state == LEAVING)
		loop_stop(&backplane->loop);
	if (backplane->stopping.state == DRAINING_CALLS) {
		end_runners(backplane);
		return;
	}
	if (backplane->stopping.state != SERVING)
		return;
	log_info("stopping (%s)", strsignal(number));
	events_add(backplane, EVENT_BACKPLANE_STOPPING, "%s", strsignal(number));
	store_writer_stop(&backplane->writer);
	backplane->stopping.state = DRAINING_CALLS;
	takeover_stop(backplane);
	timer_start(&backplane->loop, &backplane->stopping.limit, backplane->options->drain_timeout_ms);
	struct countdown *drained = countdown_new(&backplane->loop, backplane->worker_count, on_drained, backplane);
	for (size_t i = 0; i < backplane->worker_count; i++)
		worker_drain(backplane->workers[i], drained);
}

static void watch_signals(struct backplane *backplane) {
	backplane->stopping.limit.fire = on_drain_limit;
	uv_signal_init(&backplane->loop.uv, &backplane->stopping.terminate);
	uv_signal_init(&backplane->loop.uv, &backplane->stopping.interrupt);
	backplane->stopping.terminate.data = backplane->stopping.interrupt.data = backplane;
	uv_signal_start(&backplane->stopping.terminate, on_signal, SIGTERM);
	uv_signal_start(&backplane->stopping.interrupt, on_signal, SIGINT);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static int open_folder(const char *data, const char *name,
		       int (*open)(const char *path, void *owner, struct error *err), void *owner, struct error *err) {
	char *path = mem_printf("%s/%s", data, name);
	int failed = open(path, owner, err);
	free(path);
	return failed;
}

static int open_artefacts(const char *path, void *owner, struct error *err) {
	return artefacts_open(path, &((struct backplane *)owner)->artefacts, err);
}

static int open_logs(const char *path, void *owner, struct error *err) {
	struct backplane *backplane = owner;
	return log_files_open(path, &backplane->loop, &backplane->log_files, err);
}

/* Runners and what they host have folders of their own to be in, so what they are told must not depend on ours. */
static int find_data_folder(struct backplane *backplane, struct error *err) {
	const char *given = backplane->options->data_folder;
	if (path_make_folders(given, err) < 0)
		return -1;
	backplane->data_folder = realpath(given, NULL);
	return backplane->data_folder != NULL ? 0 : error_set_errno(err, errno, "could not find the folder %s", given);
}

static int open_store(struct backplane *backplane, struct error *err) {
	char *url = mem_printf("sqlite:%s/ftl.db", backplane->data_folder);
	int failed = store_open(url, &backplane->store, err);
	free(url);
	if (failed)
		return -1;
	uint64_t epoch;
	if (backplane->store->ops->acquire(backplane->store, &epoch, err) < 0) {
		close_store(backplane);
		return -1;
	}
	store_writer_open(&backplane->writer, epoch, backplane->data_folder);
	store_queue_init(&backplane->store_queue, &backplane->loop, backplane->store);
	return 0;
}

int open_data(struct backplane *backplane, struct error *err) {
	bool has_store = backplane->store != NULL;
	if (!has_store && open_store(backplane, err) < 0)
		return -1;
	if (backplane->artefacts == NULL &&
	    open_folder(backplane->data_folder, "artefacts", open_artefacts, backplane, err) < 0) {
		if (!has_store)
			close_store(backplane);
		return -1;
	}
	return 0;
}

static void on_artefacts_closed(struct artefact_op *op, const struct error *err UNUSED) {
	struct backplane *backplane = CONTAINER_OF(op, struct backplane, artefacts_closing.op);
	if (backplane->artefacts_closing.closed != NULL)
		backplane->artefacts_closing.closed(backplane);
}

void close_artefacts(struct backplane *backplane, void (*closed)(struct backplane *backplane)) {
	struct artefacts *artefacts = backplane->artefacts;
	if (artefacts == NULL)
		return;
	backplane->artefacts = NULL;
	backplane->artefacts_closing.op.loop = &backplane->loop;
	backplane->artefacts_closing.op.done = on_artefacts_closed;
	backplane->artefacts_closing.closed = closed;
	artefacts_close(artefacts, &backplane->artefacts_closing.op);
}

void close_store(struct backplane *backplane) {
	if (backplane->store != NULL)
		backplane->store->ops->close(backplane->store);
	backplane->store = NULL;
	store_writer_close(&backplane->writer);
}

static int open_stores(struct backplane *backplane, struct error *err) {
	if (find_data_folder(backplane, err) < 0 ||
	    (backplane->options->takeover && takeover_ask(backplane, err) < 0) || open_data(backplane, err) < 0)
		return -1;
	return open_folder(backplane->data_folder, "logs", open_logs, backplane, err);
}

/* Where Runners of this machine find us: an address that means all of them is none to connect to. */
static void name_endpoint(struct backplane *backplane) {
	struct endpoint endpoint = backplane->listener.endpoint;
	if (strcmp(endpoint.host, "0.0.0.0") == 0)
		snprintf(endpoint.host, sizeof endpoint.host, "127.0.0.1");
	else if (strcmp(endpoint.host, "::") == 0)
		snprintf(endpoint.host, sizeof endpoint.host, "::1");
	endpoint_format(&endpoint, backplane->endpoint);
}

static int read_tls_files(struct backplane *backplane, const struct endpoint *bind, struct error *err) {
	const struct backplane_options *options = backplane->options;
	backplane->tls_files = (struct tls_files){.cert_file = options->tls_cert,
						  .key_file = options->tls_key,
						  .client_ca_file = options->tls_client_ca,
						  .server_ca_file = options->ca};
	backplane->tls_only = tls_files_need_tls(&backplane->tls_files, bind);
	if (tls_files_check(&backplane->tls_files, backplane->tls_only, err) < 0)
		return -1;
	return tls_files_open_client(&backplane->tls_files, &backplane->tls, err);
}

/* A socket that only this user can open stands in for the port that asks for certificates. */
static int open_inner(struct backplane *backplane, struct error *err) {
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	struct offer *offer = backplane->offer;
	if (offer != NULL && offer->inner >= 0) {
		listener_adopt(&backplane->inner, &backplane->loop, offer->inner, &offer->inner_endpoint, on_accept,
			       backplane);
		offer->inner = -1;
		endpoint_format(&backplane->inner.endpoint, backplane->inner_endpoint);
		return 0;
	}
	int len = snprintf(endpoint.path, sizeof endpoint.path, "%s/backplane.sock", backplane->data_folder);
	if (len >= (int)sizeof endpoint.path) {
		error_set(err, CODE_INVALID_ARGUMENT,
			  "%s/backplane.sock has more than 107 bytes, which no socket's path may; choose a data folder "
			  "with a shorter path",
			  backplane->data_folder);
		return error_set_reason(err, REASON_SOCKET_PATH_TOO_LONG);
	}
	if (listener_open(&backplane->inner, &backplane->loop, &endpoint, on_accept, backplane, err) < 0)
		return -1;
	endpoint_format(&backplane->inner.endpoint, backplane->inner_endpoint);
	return 0;
}

static int open_listener(struct backplane *backplane, const struct endpoint *endpoint, struct error *err) {
	struct offer *offer = backplane->offer;
	if (offer == NULL)
		return listener_open(&backplane->listener, &backplane->loop, endpoint, on_accept, backplane, err);
	listener_adopt(&backplane->listener, &backplane->loop, offer->listener, endpoint, on_accept, backplane);
	offer->listener = -1;
	return 0;
}

static int start_listening(struct backplane *backplane, struct error *err) {
	struct endpoint endpoint;
	if (backplane->offer != NULL)
		endpoint = backplane->offer->endpoint;
	else if (endpoint_parse(str_from(backplane->options->bind), &endpoint, err) < 0)
		return -1;
	if (read_tls_files(backplane, &endpoint, err) < 0 || open_listener(backplane, &endpoint, err) < 0)
		return -1;
	backplane->listener.endpoint.tls |= backplane->tls_only;
	name_endpoint(backplane);
	/* Runners that are there may know the inner one. */
	if (backplane->tls_only || (backplane->offer != NULL && backplane->offer->inner >= 0))
		return open_inner(backplane, err);
	memcpy(backplane->inner_endpoint, backplane->endpoint, sizeof backplane->endpoint);
	return 0;
}

static void start_server(struct backplane *backplane) {
	struct rpc_server_options options = rpc_server_options_default;
	options.message_max = UINT32_MAX; /* each method has its own */
	options.held_max = backplane->options->limits.held_max;
	options.http.header_bytes = HTTP_HEADER_BYTES_MAX;
	/* All clients of a worker come on its connections; it has counted what each of them does. */
	options.http.streams = 4096;
	options.http.resets = options.http.control_frames = HTTP_NEVER;
	backplane->server = rpc_server_new(&backplane->loop, &options);
	const struct {
		const struct rpc_method *methods;
		size_t count;
	} services[] = {
		{runner_methods, runner_method_count},
		{deployment_methods, deployment_method_count},
		{create_deployment_methods, create_deployment_method_count},
		{artefact_methods, artefact_method_count},
		{watch_methods, watch_method_count},
		{module_methods, module_method_count},
		{status_methods, status_method_count},
		{log_methods, log_method_count},
		{event_methods, event_method_count},
		{schema_methods, schema_method_count},
		{stats_methods, stats_method_count},
	};
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		rpc_server_add(backplane->server, services[i].methods, services[i].count, backplane);
}

static void read_types(struct backplane *backplane) {
	const struct str sets[] = {ftl_descriptors, rpc_own_descriptors};
	struct error err;
	int failed = types_new(sets, ARRAY_LEN(sets), &backplane->types, &err);
	ASSERT(!failed);
}

static size_t count_workers(const struct backplane_options *options) {
	return MIN(options->threads > 0 ? options->threads : uv_available_parallelism(), (unsigned)WORKERS_MAX);
}

static int start_workers(struct backplane *backplane, struct error *err) {
	struct worker_options options = {
		.server = backplane->options->limits,
		.busy_poll_us = backplane->options->busy_poll_us,
		.dial_control = dial_control,
		.dial_data = backplane,
		.control_name = backplane->listener.endpoint,
		.tls_files = &backplane->tls_files,
		.methods = {verb_service, {&upload_method, 1}},
		.fallback = worker_relay_to_control,
		.routes_changed = calls_routes_changed,
		.observers = {{&stats_observer}},
		.owner = backplane,
	};
	options.server.tls_only = backplane->tls_only;
	options.server.types = backplane->types;
	options.server.origins = backplane->options->origins;
	for (; backplane->worker_count < backplane->stats.workers; backplane->worker_count++) {
		options.index = backplane->worker_count;
		struct worker *worker = worker_start(&options, err);
		if (worker == NULL)
			return -1;
		backplane->workers[backplane->worker_count] = worker;
	}
	return 0;
}

/* Those that were told to end, and that do not register again. */
static void load_draining(struct backplane *backplane) {
	for (size_t i = 0; backplane->offer != NULL && i < backplane->offer->draining_count; i++) {
		const struct draining *draining = &backplane->offer->draining[i];
		control_found_draining(&backplane->control, draining->key, draining->left_ms);
	}
}

static int start(struct backplane *backplane, struct error *err) {
	if (open_stores(backplane, err) < 0 || platform_link_open(backplane, PLATFORM_LISTING_MAX_MS, err) < 0)
		return -1;
	/* One that comes now is heard when the loop runs: what was made until then is removed. */
	watch_signals(backplane);
	if (start_listening(backplane, err) < 0)
		return -1;
	start_server(backplane);
	read_types(backplane);
	if (start_workers(backplane, err) < 0 || events_load(backplane, err) < 0)
		return -1;
	events_add(backplane, EVENT_BACKPLANE_STARTED, "serves on %s, process %d, version %s", backplane->endpoint,
		   (int)getpid(), FTL_VERSION);
	if (recovery_load(backplane->store, backplane->writer.epoch, &backplane->control, err) < 0)
		return -1;
	platform_link_begin(backplane);
	failpoint(FAILPOINT_START_LOADED);
	load_draining(backplane);
	if (takeover_open(backplane, err) < 0 || (backplane->offer != NULL && takeover_finish(backplane, err) < 0))
		return -1;
	uv_update_time(&backplane->loop.uv);
	control_begin(&backplane->control, loop_now_ms(&backplane->loop));
	on_tick(&backplane->tick);
	takeover_serve(backplane);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void init(struct backplane *backplane, const struct backplane_options *options) {
	struct control_config config = control_config_default;
	config.warm = options->warm;
	config.drain_timeout_ms = options->drain_timeout_ms;
	backplane->options = options;
	backplane->started_wall_ms = clock_wall_ms();
	backplane->listener.fd = -1;
	backplane->inner.fd = -1;
	backplane->takeover.listener = -1;
	backplane->takeover.asker = -1;
	backplane->tick.fire = on_tick;
	loop_init(&backplane->loop);
	loop_start_helpers(&backplane->loop);
	stats_registry_init(&backplane->stats, count_workers(options));
	routes_init(backplane);
	effects_init(backplane);
	registrations_init(backplane);
	list_init(&backplane->pending);
	schemas_init(backplane);
	watch_init(backplane);
	service_logs_init(backplane);
	events_init(backplane);
	control_init(&backplane->control, &config, &backplane->effects, loop_now_ms(&backplane->loop));
}

static void deinit(struct backplane *backplane) {
	takeover_close(backplane);
	listener_close(&backplane->listener);
	listener_close(&backplane->inner);
	for (size_t i = 0; i < backplane->worker_count; i++)
		worker_stop(backplane->workers[i]);
	backplane->worker_count = 0;
	backplane->stopping.state = STOPPED;
	registrations_settle(backplane);
	rpc_server_close(backplane->server);
	backplane->server = NULL;
	timer_stop(&backplane->loop, &backplane->stopping.limit);
	timer_stop(&backplane->loop, &backplane->tick);
	if (backplane->stopping.terminate.data != NULL) {
		loop_close_signal(&backplane->stopping.terminate);
		loop_close_signal(&backplane->stopping.interrupt);
	}
	platform_link_close(backplane);
	effects_close(backplane);
	events_close(backplane);
	close_artefacts(backplane, NULL);
	loop_run_out(&backplane->loop);
	effects_deinit(backplane);
	routes_deinit(backplane);
	stats_registry_deinit(&backplane->stats);
	control_deinit(&backplane->control);
	watch_deinit(backplane);
	schemas_deinit(backplane);
	registrations_deinit(backplane);
	log_files_close(backplane->log_files);
	close_store(backplane);
	loop_deinit(&backplane->loop);
	types_free(backplane->types);
	tls_config_unref(backplane->tls);
	free(backplane->data_folder);
	free(backplane);
}

int backplane_run(const struct backplane_options *options, struct error *err) {
	listener_raise_file_limit();
	struct backplane *backplane = mem_zalloc(sizeof *backplane);
	init(backplane, options);
	int failed = start(backplane, err);
	if (!failed) {
		if (options->ready != NULL)
			options->ready(options->data, backplane->endpoint);
		loop_run(&backplane->loop);
	} else {
		takeover_fail(backplane, err);
	}
	deinit(backplane);
	return failed;
}
