/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the parts of a Backplane, and stops them.
 *
 *   this thread: the control side (state machines, services, listeners)    other threads: workers, which route calls
 *
 *   a client connects ─▶ ports ─▶ the next worker
 *       calls of verbs       ─▶ router/call.c ─▶ a Runner
 *       uploads              ─▶ services/artefacts.c ─▶ the artefacts
 *       everything else      ─▶ socket pair ─▶ control_server ─▶ services/
 */
#include "backplane/backplane.h"

#include <stdlib.h>
#include <unistd.h>

#include "backplane/assembly.h"
#include "backplane/recovery.h"
#include "backplane/services/artefacts.h"
#include "backplane/services/log_files.h"
#include "backplane/takeover/offer.h"
#include "backplane/takeover/take.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "ftl_descriptors.h"
#include "router/call.h"
#include "router/plain_call.h"
#include "router/stats_observer.h"
#include "router/verb_service.h"
#include "router/worker.h"
#include "rpc/reflection.h"

/* --- events of the store ------------------------------------------------------------------------------------------ */

static struct services *services_of(struct store_writer *writer) {
	return &CONTAINER_OF(writer, struct backplane, context.data.writer)->services;
}

static void on_stored(struct store_writer *writer, const struct event_record *last) {
	events_service_stored(&services_of(writer)->events, last);
}

/* The event is queued like every change, so watchers see it once the store works again. */
static void on_troubled(struct store_writer *writer, const struct error *why) {
	log_failure(LOG_ERROR, why, "could not store a change, and will try again");
	events_service_append(&services_of(writer)->events, EVENT_BACKPLANE_CANNOT_WRITE, "%s", why->msg);
}

static void on_recovered(struct store_writer *writer, uint64_t after_ms) {
	char after[TIME_TEXT_MAX];
	duration_format(after, (int64_t)after_ms);
	log_info("changes are stored again, after %s", after);
	events_service_append(&services_of(writer)->events, EVENT_BACKPLANE_WRITES_AGAIN, "after %s", after);
}

static const struct store_writer_events writer_events = {
	.stored = on_stored,
	.troubled = on_troubled,
	.recovered = on_recovered,
};

/* --- stopping ----------------------------------------------------------------------------------------------------- */

/* The calls have ended, or the drain-timeout has passed. */
static void end_runners(struct backplane *backplane) {
	struct context *context = &backplane->context;
	if (context->state != BACKPLANE_DRAINING)
		return;
	context_set_state(context, BACKPLANE_ENDING);
	timer_stop(&context->loop, &backplane->stopping.limit);
	ports_close(&backplane->ports);
	waiting_start(&backplane->stopping.waiting, context, &backplane->routes);
	control_shut_down(context_event(context));
	context_event_done(context);
}

static void on_drain_limit(struct timer *timer) {
	log_warn("calls are still in progress after the drain-timeout; they are cut off");
	end_runners(CONTAINER_OF(timer, struct backplane, stopping.limit));
}

static void on_drained(void *owner) {
	end_runners(owner);
}

static void begin_stop(struct backplane *backplane, const char *why) {
	struct context *context = &backplane->context;
	log_info("stopping (%s)", why);
	events_service_append(&backplane->services.events, EVENT_BACKPLANE_STOPPING, "%s", why);
	store_writer_stop(&context->data.writer);
	context_set_state(context, BACKPLANE_DRAINING);
	giver_stop(&backplane->giver);
	timer_start(&context->loop, &backplane->stopping.limit, context->options->drain_timeout_ms);
	waiting_start(&backplane->stopping.waiting, context, &backplane->routes);
	struct countdown *drained = countdown_new(&context->loop, backplane->workers.count, on_drained, backplane);
	for (size_t i = 0; i < backplane->workers.count; i++)
		worker_drain(backplane->workers.items[i], drained);
}

/* A second order cuts off the calls in progress. */
static void on_signal(struct stop_signals *signals, int number, bool is_order) {
	struct backplane *backplane = CONTAINER_OF(signals, struct backplane, stopping.signals);
	char text[STOP_SIGNAL_TEXT_MAX];
	stop_signal_format(number, text);
	switch (backplane->context.state) {
	case BACKPLANE_SERVING:
		begin_stop(backplane, text);
		return;
	case BACKPLANE_DRAINING:
		if (is_order)
			end_runners(backplane);
		return;
	case BACKPLANE_LEAVING:
		if (is_order)
			loop_stop(&backplane->context.loop);
		return;
	case BACKPLANE_ENDING:
	case BACKPLANE_STOPPED:
		return;
	}
}

static void watch_signals(struct backplane *backplane) {
	backplane->stopping.limit.fire = on_drain_limit;
	backplane->stopping.signals.received = on_signal;
	stop_signals_watch(&backplane->stopping.signals, &backplane->context.loop);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static int open_logs(struct backplane *backplane, struct error *err) {
	char *path = mem_printf("%s/logs", backplane->context.data.folder);
	int result = log_files_open(path, &backplane->context.loop, &backplane->services.logs.files, err);
	free(path);
	return result;
}

static int open_data(struct backplane *backplane, struct error *err) {
	const struct backplane_options *options = backplane->context.options;
	struct data *data = &backplane->context.data;
	if (data_find_folder(data, options->data_folder, err) < 0)
		return -1;
	bool tls_only = options->tls_client_ca != NULL;
	if (options->takeover && takeover_ask(data->folder, options->bind, tls_only, &backplane->offer, err) < 0)
		return -1;
	if (data_open(data, err) < 0)
		return -1;
	return open_logs(backplane, err);
}

static int open_ports(struct backplane *backplane, struct error *err) {
	struct context *context = &backplane->context;
	if (ports_open(&backplane->ports, &context->loop, context->options, context->data.folder, backplane->offer,
		       err) < 0)
		return -1;
	ports_name(&backplane->ports, context->endpoint);
	ports_name_inner(&backplane->ports, context->runner_endpoint);
	return 0;
}

static void read_types(struct backplane *backplane) {
	const struct str sets[] = {ftl_descriptors, rpc_own_descriptors};
	struct error err;
	int failed = types_new(sets, ARRAY_LEN(sets), &backplane->types, &err);
	ASSERT(failed == 0);
}

static int start_workers(struct backplane *backplane, struct error *err) {
	const struct backplane_options *options = backplane->context.options;
	struct worker_options worker = {
		.server = options->limits,
		.busy_poll_us = options->busy_poll_us,
		.dial_control = control_server_dial,
		.dial_data = &backplane->server,
		.control_name = backplane->ports.port.endpoint,
		.tls_files = &backplane->ports.tls_files,
		.methods = {verb_service, {&upload_method, 1}},
		.route = &plain_call_route,
		.fallback = worker_relay_to_control,
		.routes_changed = calls_routes_changed,
		.observers = {{&stats_observer}},
		.owner = &backplane->context,
	};
	worker.server.tls_only = backplane->ports.tls_only;
	worker.server.types = backplane->types;
	worker.server.origins = options->origins;
	return workers_start(&backplane->workers, backplane->stats.workers, worker, err);
}

static void start_server(struct backplane *backplane) {
	struct context *context = &backplane->context;
	control_server_start(&backplane->server, &context->loop, context->options->limits.held_max);
	services_add(&backplane->services, backplane->server.rpc);
}

/* Loads the Runners that the other process told to terminate: those do not register again. */
static void load_draining(struct backplane *backplane) {
	const struct offer *offer = backplane->offer;
	for (size_t i = 0; offer != NULL && i < offer->draining_count; i++)
		control_found_draining(&backplane->context.control, offer->draining[i].key, offer->draining[i].left_ms);
}

static int load(struct backplane *backplane, struct error *err) {
	struct context *context = &backplane->context;
	if (events_service_load(&backplane->services.events, err) < 0)
		return -1;
	events_service_append(&backplane->services.events, EVENT_BACKPLANE_STARTED,
			      "serves on %s, process %d, version %s", context->endpoint, (int)getpid(), FTL_VERSION);
	if (recovery_load(context->data.store, context->data.writer.epoch, &context->control, err) < 0)
		return -1;
	platform_link_begin(&backplane->platform);
	failpoint(FAILPOINT_START_LOADED);
	load_draining(backplane);
	return 0;
}

/* In a takeover the other process has given up the data by now. */
static void begin(struct backplane *backplane) {
	struct context *context = &backplane->context;
	uv_update_time(&context->loop.uv);
	control_begin(&context->control, loop_now_ms(&context->loop));
	context_event(context);
	context_event_done(context);
	for (size_t i = 0; i < backplane->workers.count; i++)
		worker_begin(backplane->workers.items[i]);
	if (backplane->offer == NULL)
		return;
	takeover_serve(backplane->offer, &backplane->workers);
	offer_free(backplane->offer);
	backplane->offer = NULL;
}

static int start(struct backplane *backplane, struct error *err) {
	if (open_data(backplane, err) < 0 || platform_link_open(&backplane->platform, PLATFORM_LISTING_MAX_MS, err) < 0)
		return -1;
	/* A signal during the start is handled when the loop runs, so that everything is cleaned up. */
	watch_signals(backplane);
	if (open_ports(backplane, err) < 0)
		return -1;
	start_server(backplane);
	read_types(backplane);
	if (start_workers(backplane, err) < 0 || load(backplane, err) < 0 || giver_open(&backplane->giver, err) < 0)
		return -1;
	if (backplane->offer != NULL && takeover_finish(backplane->offer, err) < 0)
		return -1;
	begin(backplane);
	return 0;
}

/* The other process continues: this one leaves its listeners and files in place and releases the lock of the data, for
 * which the other one waits. */
static void give_back(struct backplane *backplane, const struct error *why) {
	if (backplane->offer == NULL)
		return;
	ports_abandon(&backplane->ports);
	giver_close(&backplane->giver);
	data_close_artefacts(&backplane->context.data, NULL, NULL);
	data_close_store(&backplane->context.data);
	takeover_fail(backplane->offer, why);
	offer_free(backplane->offer);
	backplane->offer = NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_accept(void *owner, int fd, bool trusted) {
	struct backplane *backplane = owner;
	workers_accept(&backplane->workers, fd, trusted);
}

static void init(struct backplane *backplane, const struct backplane_options *options) {
	struct context *context = &backplane->context;
	stats_registry_init(&backplane->stats, workers_wanted(options->threads));
	ports_init(&backplane->ports, on_accept, backplane);
	effects_init(&backplane->effects, context, &backplane->services, &backplane->routes, &backplane->platform,
		     &backplane->ports.client_tls);
	context_init(context, options, &backplane->effects.effects, &writer_events);
	services_init(&backplane->services, context, &backplane->routes, &backplane->stats);
	route_builder_init(&backplane->routes, context, &backplane->workers, &backplane->stats,
			   &backplane->services.schemas);
	backplane->platform.context = context;
	giver_init(&backplane->giver, backplane);
}

static void stop_threads(struct backplane *backplane) {
	struct context *context = &backplane->context;
	giver_close(&backplane->giver);
	ports_close(&backplane->ports);
	workers_stop(&backplane->workers);
	if (context->state != BACKPLANE_STOPPED)
		context_set_state(context, BACKPLANE_STOPPED);
	runners_service_report_closed(&backplane->services.runners);
	control_server_stop(&backplane->server);
	timer_stop(&context->loop, &backplane->stopping.limit);
	waiting_stop(&backplane->stopping.waiting);
	timer_stop(&context->loop, &context->tick);
	stop_signals_close(&backplane->stopping.signals);
}

static void deinit(struct backplane *backplane) {
	struct context *context = &backplane->context;
	stop_threads(backplane);
	platform_link_close(&backplane->platform);
	store_writer_stop(&context->data.writer);
	effects_mute(&backplane->effects);
	events_service_close(&backplane->services.events);
	data_close_artefacts(&context->data, NULL, NULL);
	loop_run_out(&context->loop);
	data_close_store(&context->data);
	effects_deinit(&backplane->effects);
	route_builder_deinit(&backplane->routes);
	stats_registry_deinit(&backplane->stats);
	services_deinit(&backplane->services);
	ports_deinit(&backplane->ports);
	context_deinit(context);
	types_free(backplane->types);
	free(backplane);
}

int backplane_run(const struct backplane_options *options, struct error *err) {
	listener_raise_file_limit();
	struct backplane *backplane = mem_zalloc(sizeof *backplane);
	init(backplane, options);
	int result = start(backplane, err);
	if (result < 0) {
		give_back(backplane, err);
	} else {
		if (options->ready != NULL)
			options->ready(options->data, backplane->context.endpoint);
		loop_run(&backplane->context.loop);
	}
	deinit(backplane);
	return result;
}
