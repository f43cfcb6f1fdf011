/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watcher reads the store page by page, and the next page only when the last one has left: a slow watcher holds one
 * page in memory, and misses no event that the store still has. Watchers see an event once it is stored.
 */
#include "backplane/services/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "router/route.h"
#include "rpc/server.h"
#include "rpc/unary.h"

enum {
	PAGE_MAX = 100, /* events */
	UNSENT_MAX = 64 << 10, /* unsent bytes of a watcher past which no page is read for it */
	FLUSH_MS = 50, /* for so long an event waits for a change that takes it to the store */
};

/* --- appending ---------------------------------------------------------------------------------------------------- */

static void add(struct events_service *service, struct event_record *event) {
	event->sequence = ++service->sequence;
	event->time_ms = clock_wall_ms();
	write_behind_add_event(&service->context->data.writer.write_behind, event);
	if (!timer_is_running(&service->flush))
		timer_start(&service->context->loop, &service->flush, FLUSH_MS);
}

void events_service_append(struct events_service *service, enum event_kind kind, const char *format, ...) {
	char text[EVENT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add(service, &(struct event_record){.kind = kind,
					    .module = "",
					    .deployment_key = "",
					    .runner_key = "",
					    .text = text,
					    .lines = ""});
}

static char *join_lines(const struct cause *cause) {
	struct buf joined = BUF_INIT(RPC_UNARY_MAX);
	for (size_t i = 0; i < cause->line_count; i++)
		if (buf_printf(&joined, "%s%s", i > 0 ? "\n" : "", cause->lines[i]) < 0)
			break;
	char *text = mem_strndup(buf_view(&joined).ptr, buf_len(&joined));
	buf_deinit(&joined);
	return text;
}

void events_service_control(struct events_service *service, const struct control_event *event) {
	char *lines = join_lines(&event->cause);
	struct event_record record = {
		.kind = event->kind,
		.module = event->deployment ? event->deployment->module->name : "",
		.deployment_key = event->deployment ? event->deployment->key : "",
		.runner_key = event->runner ? event->runner->key : "",
		.text = event->cause.why,
		.lines = lines,
	};
	if (event->retry_in_ms > 0)
		record.retry_ms = clock_wall_ms() + (int64_t)event->retry_in_ms;
	add(service, &record);
	free(lines);
}

static void on_flush(struct timer *timer) {
	write_behind_flush(&CONTAINER_OF(timer, struct events_service, flush)->context->data.writer.write_behind);
}

int events_service_load(struct events_service *service, struct error *err) {
	struct arena arena = ARENA_INIT(KIB(64));
	const struct event_query query = {.module = "", .since_ms = INT64_MIN, .newest = 1, .limit = 1};
	struct event_record *last;
	size_t count;
	int result = service->context->data.store->ops->list_events(service->context->data.store, &query, &arena, &last,
								    &count, err);
	if (result == 0 && count > 0)
		service->sequence = service->stored = last->sequence;
	arena_deinit(&arena);
	return result;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct event_watcher {
	struct list link; /* in the service's watchers */
	struct events_service *service;
	struct rpc_stream *stream; /* NULL: closed */
	char *module;
	bool follow;
	uint64_t upto; /* the last event to read; without follow: the newest one stored at the time of the request */
	bool found; /* at least one event */

	bool reading;
	/* Used by the store's thread while reading: */
	struct store_job job;
	struct event_query query; /* for the next page */
	struct arena arena;
	struct event_record *events;
	size_t count;
	bool failed;
	struct error err;
};

static void watcher_free(struct event_watcher *watcher) {
	list_remove(&watcher->link);
	arena_deinit(&watcher->arena);
	free(watcher->module);
	free(watcher);
}

static size_t split_lines(const char *text, struct arena *arena, char ***ret_lines) {
	size_t count = text[0] != '\0', at = 0;
	for (const char *c = text; *c != '\0'; c++)
		count += *c == '\n';
	*ret_lines = arena_alloc(arena, (count + 1) * sizeof **ret_lines);
	for (struct str rest = str_from(text); at < count;)
		(*ret_lines)[at++] = arena_strdup(arena, str_cut(rest, '\n', &rest));
	return count;
}

static void send_event(struct event_watcher *watcher, const struct event_record *event) {
	struct arena arena = ARENA_INIT(KIB(128));
	Ftl__Event shown;
	ftl__event__init(&shown);
	shown.sequence = event->sequence;
	shown.time_ms = event->time_ms;
	shown.kind = (Ftl__EventKind)event->kind;
	shown.text = (char *)event->text;
	shown.module = (char *)event->module;
	shown.deployment_key = (char *)event->deployment_key;
	shown.runner_key = (char *)event->runner_key;
	shown.retry_ms = event->retry_ms;
	shown.n_last_lines = split_lines(event->lines, &arena, &shown.last_lines);
	Ftl__StreamEventsResponse response;
	ftl__stream_events_response__init(&response);
	response.event = &shown;
	rpc_send(watcher->stream, pb_pack(&response.base, &arena));
	arena_deinit(&arena);
}

static void page_work(struct store_job *job, struct store *store) {
	struct event_watcher *watcher = CONTAINER_OF(job, struct event_watcher, job);
	watcher->failed = store->ops->list_events(store, &watcher->query, &watcher->arena, &watcher->events,
						  &watcher->count, &watcher->err) < 0;
}

static void go_on(struct event_watcher *watcher);

/* Makes the query for the page after this one. */
static void page_turn(struct event_watcher *watcher) {
	if (watcher->count > 0)
		watcher->query.after = watcher->events[watcher->count - 1].sequence;
	if (watcher->count < watcher->query.limit)
		watcher->query.after = MAX(watcher->query.after, watcher->upto);
	watcher->query.newest = SIZE_MAX;
}

static void page_done(struct store_job *job) {
	struct event_watcher *watcher = CONTAINER_OF(job, struct event_watcher, job);
	watcher->reading = false;
	if (watcher->stream == NULL) {
		watcher_free(watcher);
		return;
	}
	if (rpc_has_ended(watcher->stream))
		return;
	if (watcher->failed) {
		rpc_fail(watcher->stream, &watcher->err);
		return;
	}
	watcher->found |= watcher->count > 0;
	for (size_t i = 0; i < watcher->count; i++)
		send_event(watcher, &watcher->events[i]);
	page_turn(watcher);
	arena_deinit(&watcher->arena);
	go_on(watcher);
}

static void finish(struct event_watcher *watcher) {
	struct str name = str_from(watcher->module);
	struct error err;
	if (name.len > 0 && !watcher->found && control_module(&watcher->service->context->control, name) == NULL) {
		route_table_no_module(watcher->service->context->routes, name, &err);
		rpc_fail(watcher->stream, &err);
	} else {
		rpc_finish(watcher->stream, CODE_OK, "");
	}
}

static void go_on(struct event_watcher *watcher) {
	struct events_service *service = watcher->service;
	if (watcher->reading || service->context->data.store == NULL || rpc_has_ended(watcher->stream) ||
	    rpc_unsent(watcher->stream) > UNSENT_MAX)
		return;
	if (watcher->query.after >= (watcher->follow ? service->stored : watcher->upto)) {
		if (!watcher->follow)
			finish(watcher);
		return;
	}
	watcher->upto = watcher->follow ? service->stored : watcher->upto;
	watcher->reading = true;
	arena_init(&watcher->arena, MIB(4));
	store_queue_add(&service->context->data.queue, &watcher->job);
}

void events_service_stored(struct events_service *service, const struct event_record *last) {
	failpoint(FAILPOINT_EVENTS_WRITTEN);
	service->stored = last->sequence;
	LIST_FOREACH(link, &service->watchers) {
		struct event_watcher *watcher = LIST_ENTRY(link, struct event_watcher, link);
		if (watcher->follow)
			go_on(watcher);
	}
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void begin(struct event_watcher *watcher, const Ftl__StreamEventsRequest *request) {
	watcher->module = mem_strdup(request->module);
	watcher->follow = request->follow;
	watcher->upto = watcher->service->stored;
	watcher->query = (struct event_query){.module = watcher->module,
					      .since_ms = request->since_ms,
					      .after = request->tail == 0 ? watcher->upto : 0,
					      .newest = request->tail == 0 ? SIZE_MAX : request->tail,
					      .limit = PAGE_MAX};
	watcher->stream->open_ended = true;
	list_append(&watcher->service->watchers, &watcher->link);
	if (watcher->follow)
		rpc_respond(watcher->stream);
	go_on(watcher);
}

static void on_writable(struct rpc_stream *stream) {
	go_on(stream->owner);
}

static void on_closed(struct rpc_stream *stream) {
	struct event_watcher *watcher = stream->owner;
	watcher->stream = NULL;
	list_remove(&watcher->link);
	if (!watcher->reading)
		watcher_free(watcher);
}

static const struct rpc_events watcher_events = {
	.writable = on_writable,
	.closed = on_closed,
};

static void start_stream(struct rpc_stream *stream, const ProtobufCMessage *request, struct arena *arena UNUSED) {
	struct event_watcher *watcher = mem_zalloc(sizeof *watcher);
	watcher->service = stream->service;
	watcher->stream = stream;
	watcher->job = (struct store_job){.work = page_work, .done = page_done};
	list_init(&watcher->link);
	stream->owner = watcher;
	stream->events = &watcher_events;
	begin(watcher, (const Ftl__StreamEventsRequest *)request);
}

static const struct rpc_method event_methods[] = {
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/StreamEvents", start_stream,
			     ftl__stream_events_request__descriptor),
};

void events_service_add(struct events_service *service, struct rpc_server *server) {
	rpc_server_add(server, event_methods, ARRAY_LEN(event_methods), service);
}

void events_service_init(struct events_service *service, struct context *context) {
	*service = (struct events_service){.context = context};
	list_init(&service->watchers);
	service->flush.fire = on_flush;
}

void events_service_close(struct events_service *service) {
	timer_stop(&service->context->loop, &service->flush);
}
