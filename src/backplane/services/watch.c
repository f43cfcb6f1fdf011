/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/clock.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "rpc/unary.h"

/* Limits of the steps that are kept for later requests: deployments, steps of each, last lines of each step. */
enum { HISTORIES_MAX = 200, STEPS_MAX = 64, LINES_MAX = 50 };

struct step {
	struct str packed; /* WatchDeploymentResponse */
	enum deployment_state state;
};

struct history {
	struct list link; /* the one that changed last is last */
	char key[KEY_MAX];
	struct step steps[STEPS_MAX];
	size_t count;
};

struct watcher {
	struct list link;
	struct watch_service *service;
	struct rpc_stream *stream;
	char key[KEY_MAX];
};

static bool is_last(enum deployment_state state) {
	return state == DEPLOYMENT_LIVE || state == DEPLOYMENT_STOPPED || state == DEPLOYMENT_FAILED;
}

/* --- histories ---------------------------------------------------------------------------------------------------- */

static void clear(struct history *history) {
	for (size_t i = 0; i < history->count; i++)
		free((char *)history->steps[i].packed.ptr);
	history->count = 0;
}

static void history_free(struct watch_service *service, struct history *history) {
	clear(history);
	list_remove(&history->link);
	service->history_count--;
	free(history);
}

static struct history *find_history(struct watch_service *service, const char *key) {
	LIST_FOREACH(link, &service->histories) {
		struct history *history = LIST_ENTRY(link, struct history, link);
		if (strcmp(history->key, key) == 0)
			return history;
	}
	return NULL;
}

static struct history *find_or_add_history(struct watch_service *service, const char *key) {
	struct history *history = find_history(service, key);
	if (history != NULL)
		return history;
	if (service->history_count == HISTORIES_MAX)
		history_free(service, LIST_ENTRY(service->histories.next, struct history, link));
	history = mem_zalloc(sizeof *history);
	snprintf(history->key, sizeof history->key, "%s", key);
	list_append(&service->histories, &history->link);
	service->history_count++;
	return history;
}

static struct step *add_step(struct history *history, struct str packed, enum deployment_state state) {
	if (history->count == STEPS_MAX) {
		free((char *)history->steps[0].packed.ptr);
		memmove(&history->steps[0], &history->steps[1], (STEPS_MAX - 1) * sizeof history->steps[0]);
		history->count--;
	}
	struct step *step = &history->steps[history->count++];
	*step = (struct step){str_new(mem_strndup(packed.ptr, packed.len), packed.len), state};
	return step;
}

/* --- watchers ----------------------------------------------------------------------------------------------------- */

static void show(struct watcher *watcher, const struct step *step) {
	if (rpc_has_ended(watcher->stream))
		return;
	rpc_send(watcher->stream, step->packed);
	if (is_last(step->state))
		rpc_finish(watcher->stream, CODE_OK, "");
}

/* Only the last step may finish the stream: a deployment that was live may have ended or started again since. */
static void show_history(struct watcher *watcher, const struct history *history) {
	for (size_t i = 0; i + 1 < history->count; i++)
		rpc_send(watcher->stream, history->steps[i].packed);
	show(watcher, &history->steps[history->count - 1]);
}

static struct str pack_step(struct arena *arena, enum deployment_state state, const struct cause *cause) {
	Ftl__WatchDeploymentResponse response;
	ftl__watch_deployment_response__init(&response);
	response.time_ms = clock_wall_ms();
	response.state = (Ftl__DeploymentState)state;
	response.text = (char *)cause->why;
	response.n_last_lines = MIN(cause->line_count, (size_t)LINES_MAX);
	response.last_lines = (char **)cause->lines;
	return pb_pack(&response.base, arena);
}

/* A watcher sees STARTING until every worker routes to all replicas of the deployment. */
static enum deployment_state state_shown(const struct deployment *deployment) {
	bool is_coming = deployment->phase == PHASE_GATHERING || deployment->phase == PHASE_ROUTING;
	return is_coming ? DEPLOYMENT_STARTING : deployment_state(deployment);
}

/* Somebody wants the deployment, or another number of its replicas: a wait is for what follows, so that the steps
 * before, which may have led to another end, are not for it. */
static bool is_wish(const struct control_event *event) {
	return event->kind == EVENT_DEPLOYMENT_CREATED || event->kind == EVENT_DEPLOYMENT_ROLLED_BACK ||
	       event->kind == EVENT_DEPLOYMENT_SCALED;
}

/* An event of a Runner is a step if it tells how far the start of a replica is, or why a replica failed. */
static bool is_step(const struct control_event *event) {
	return event->deployment != NULL &&
	       (event->runner == NULL || event->kind == EVENT_RUNNER_DEPLOYING || event->kind == EVENT_RUNNER_ALIVE ||
		event->kind == EVENT_DEPLOYMENT_REPLICA_FAILED);
}

void watch_service_event(struct watch_service *service, const struct control_event *event) {
	const struct deployment *deployment = event->deployment;
	if (!is_step(event))
		return;
	struct arena arena = ARENA_INIT(RPC_UNARY_MAX + KIB(64));
	struct cause cause = event->cause;
	if (event->runner != NULL)
		cause.why = arena_printf(&arena, "%s: %s", event->runner->key, cause.why);
	struct str packed = pack_step(&arena, state_shown(deployment), &cause);
	struct history *history = find_or_add_history(service, deployment->key);
	if (is_wish(event))
		clear(history);
	const struct step *step = add_step(history, packed, state_shown(deployment));
	list_remove(&history->link);
	list_append(&service->histories, &history->link);
	LIST_FOREACH(link, &service->watchers) {
		struct watcher *watcher = LIST_ENTRY(link, struct watcher, link);
		if (strcmp(watcher->key, deployment->key) == 0)
			show(watcher, step);
	}
	arena_deinit(&arena);
}

/* For a deployment without a history, such as one of an earlier process: shows its present state. */
static void show_present(struct watcher *watcher, enum deployment_state state, const char *detail) {
	struct arena arena = ARENA_INIT(KIB(16));
	struct step step = {pack_step(&arena, state, &(struct cause){.why = detail}), state};
	show(watcher, &step);
	arena_deinit(&arena);
}

struct look_up {
	struct store_job job;
	struct watch_service *service;
	char key[KEY_MAX];
	struct arena arena;
	struct deployment_record record;
	bool failed;
	struct error err;
};

static void look_up_work(struct store_job *job, struct store *store) {
	struct look_up *look_up = CONTAINER_OF(job, struct look_up, job);
	look_up->failed =
		store->ops->get_deployment(store, look_up->key, &look_up->arena, &look_up->record, &look_up->err) < 0;
}

static void look_up_done(struct store_job *job) {
	struct look_up *look_up = CONTAINER_OF(job, struct look_up, job);
	LIST_FOREACH(link, &look_up->service->watchers) {
		struct watcher *watcher = LIST_ENTRY(link, struct watcher, link);
		if (strcmp(watcher->key, look_up->key) != 0 || rpc_has_ended(watcher->stream))
			continue;
		if (look_up->failed)
			rpc_fail(watcher->stream, &look_up->err);
		else
			show_present(watcher, look_up->record.state, look_up->record.detail);
	}
	arena_deinit(&look_up->arena);
	free(look_up);
}

static void look_up(struct watcher *watcher) {
	struct look_up *look_up = mem_zalloc(sizeof *look_up);
	look_up->service = watcher->service;
	look_up->job = (struct store_job){.work = look_up_work, .done = look_up_done};
	snprintf(look_up->key, sizeof look_up->key, "%s", watcher->key);
	arena_init(&look_up->arena, MIB(256));
	store_queue_add(&watcher->service->context->data.queue, &look_up->job);
}

static void begin(struct watcher *watcher) {
	struct watch_service *service = watcher->service;
	watcher->stream->open_ended = true;
	const struct history *history = find_history(service, watcher->key);
	const struct deployment *deployment = control_deployment(&service->context->control, str_from(watcher->key));
	if (history != NULL)
		show_history(watcher, history);
	else if (deployment != NULL)
		show_present(watcher, state_shown(deployment), deployment->detail);
	else
		look_up(watcher);
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void on_closed(struct rpc_stream *stream) {
	struct watcher *watcher = stream->owner;
	list_remove(&watcher->link);
	free(watcher);
}

static const struct rpc_events watcher_events = {.closed = on_closed};

static void start_watch(struct rpc_stream *stream, const ProtobufCMessage *message, struct arena *arena UNUSED) {
	const Ftl__WatchDeploymentRequest *request = (const Ftl__WatchDeploymentRequest *)message;
	struct watch_service *service = stream->service;
	if (request->deployment_key[0] == '\0') {
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "deployment_key is missing: name the deployment to watch");
		return;
	}
	struct watcher *watcher = mem_zalloc(sizeof *watcher);
	watcher->service = service;
	watcher->stream = stream;
	snprintf(watcher->key, sizeof watcher->key, "%s", request->deployment_key);
	list_append(&service->watchers, &watcher->link);
	stream->owner = watcher;
	stream->events = &watcher_events;
	begin(watcher);
}

static const struct rpc_method watch_methods[] = {
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/WatchDeployment", start_watch,
			     ftl__watch_deployment_request__descriptor),
};

void watch_service_add(struct watch_service *service, struct rpc_server *server) {
	rpc_server_add(server, watch_methods, ARRAY_LEN(watch_methods), service);
}

void watch_service_init(struct watch_service *service, struct context *context) {
	*service = (struct watch_service){.context = context};
	list_init(&service->watchers);
	list_init(&service->histories);
}

void watch_service_deinit(struct watch_service *service) {
	LIST_FOREACH(link, &service->histories)
		history_free(service, LIST_ENTRY(link, struct history, link));
}
