/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/logs.h"

#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/services/log_files.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "router/route.h"
#include "rpc/unary.h"

enum {
	PUBLISH_MAX = 4 << 20, /* bytes of one message of PublishLogs */
	/* Unsent bytes past which lines for a follower are dropped; the next response has their number. */
	FOLLOWER_UNSENT_MAX = 1 << 20,
	/* Who asks after a failure wants its lines, which may still be on their way: a Runner sends them 10 ms late, so
	 * that those of a burst travel together. A tail is read so much later. */
	SETTLE_MS = 100,
};

/* --- StreamLogs --------------------------------------------------------------------------------------------------- */

/*
 *   READING ──the tail is sent──▶ FOLLOWING ──the client leaves──▶ ENDED
 *      └──without `follow`, or the client left─────────────────────▶ ENDED
 *
 * Lines that are published while the tail is being read are not in it: they are held, and sent behind it.
 */
#define TO(state) (1u << (state))

static const unsigned allowed[FOLLOWER_STATE_COUNT] = {
	[FOLLOWER_READING] = TO(FOLLOWER_FOLLOWING) | TO(FOLLOWER_ENDED),
	[FOLLOWER_FOLLOWING] = TO(FOLLOWER_ENDED),
};

void follower_state_change(enum follower_state *state, enum follower_state next) {
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

struct follower {
	struct list link; /* in the service's followers, with `follow` only */
	struct logs_service *service;
	struct rpc_stream *stream; /* NULL: closed */
	enum follower_state state;
	bool follow;
	const char *unknown; /* a module of the filter that is neither deployed nor has lines; NULL: none */
	struct log_filter filter;
	size_t count; /* of the tail */
	struct timer settle; /* until the tail is read */
	struct log_files_tail tail;
	struct buf held; /* while READING: responses, each behind its length */
	uint64_t dropped; /* lines dropped since the last one that was sent or held */
};

static void follower_free(struct follower *follower) {
	list_remove(&follower->link);
	buf_deinit(&follower->held);
	free(follower);
}

static struct str pack_entry(const struct log_entry *entry, uint64_t dropped, struct arena *arena) {
	Ftl__LogEntry shown;
	ftl__log_entry__init(&shown);
	shown.time_ms = entry->time_ms;
	shown.level = (char *)entry->level;
	shown.message = (char *)entry->message;
	shown.module = (char *)entry->module;
	shown.deployment_key = (char *)entry->deployment_key;
	shown.runner_key = (char *)entry->runner_key;
	shown.attributes = (char *)entry->attributes;
	Ftl__StreamLogsResponse response;
	ftl__stream_logs_response__init(&response);
	response.entry = &shown;
	response.dropped = dropped;
	arena_init(arena, protobuf_c_message_get_packed_size(&response.base) + 64);
	return pb_pack(&response.base, arena);
}

/* Returns false when there is no room for the response. */
static bool hold(struct follower *follower, struct str response) {
	uint32_t len = (uint32_t)response.len;
	if (buf_room(&follower->held) < sizeof len + response.len)
		return false;
	int over = buf_append(&follower->held, str_new((const char *)&len, sizeof len));
	ASSERT(over == 0);
	over = buf_append(&follower->held, response);
	ASSERT(over == 0);
	return true;
}

static bool send_now(struct follower *follower, struct str response) {
	if (rpc_unsent(follower->stream) > FOLLOWER_UNSENT_MAX)
		return false;
	rpc_send(follower->stream, response);
	return true;
}

static void give_entry(struct follower *follower, const struct log_entry *entry,
		       bool (*give)(struct follower *follower, struct str response)) {
	struct arena arena;
	if (rpc_has_ended(follower->stream))
		return;
	if (give(follower, pack_entry(entry, follower->dropped, &arena)))
		follower->dropped = 0;
	else
		follower->dropped++;
	arena_deinit(&arena);
}

static void send_held(struct follower *follower) {
	struct str held = buf_view(&follower->held);
	while (held.len > 0) {
		uint32_t len;
		memcpy(&len, held.ptr, sizeof len);
		rpc_send(follower->stream, str_new(held.ptr + sizeof len, len));
		held = str_from_offset(held, sizeof len + len);
	}
	buf_deinit(&follower->held);
}

/* Notes the first module that is unknown: one with lines is known, even if nothing of it was deployed. */
static void note_unknown(struct follower *follower, const struct log_tail *tail) {
	for (size_t i = 0; i < follower->filter.module_count && follower->unknown == NULL; i++) {
		const char *name = follower->filter.modules[i];
		if (!tail->is_kept[i] && control_module(&follower->service->context->control, str_from(name)) == NULL)
			follower->unknown = name;
	}
}

static int check_modules(const struct follower *follower, struct error *err) {
	if (follower->unknown == NULL)
		return 0;
	return route_table_no_module(follower->service->context->routes, str_from(follower->unknown), err);
}

/* Ends a request without `follow`, whose tail is sent. */
static void finish(struct follower *follower) {
	struct error err;
	follower_state_change(&follower->state, FOLLOWER_ENDED);
	if (check_modules(follower, &err) < 0)
		rpc_fail(follower->stream, &err);
	else
		rpc_finish(follower->stream, CODE_OK, "");
}

static void on_tail_read(struct log_files_tail *tail) {
	struct follower *follower = CONTAINER_OF(tail, struct follower, tail);
	if (follower->stream == NULL) {
		log_tail_deinit(&tail->tail);
		follower_free(follower);
		return;
	}
	uint64_t dropped = follower->dropped; /* after the last line that is held */
	follower->dropped = 0;
	size_t found = tail->tail.count;
	for (size_t i = 0; i < found; i++)
		give_entry(follower, &tail->tail.entries[i], send_now);
	note_unknown(follower, &tail->tail);
	log_tail_deinit(&tail->tail);
	if (rpc_has_ended(follower->stream)) {
		follower_state_change(&follower->state, FOLLOWER_ENDED);
		return;
	}
	if (!follower->follow) {
		finish(follower);
		return;
	}
	send_held(follower);
	follower->dropped += dropped;
	follower_state_change(&follower->state, FOLLOWER_FOLLOWING);
	/* Sends the headers: the client sees that it may wait, even for a module that was never deployed. */
	rpc_respond(follower->stream);
}

static void on_closed(struct rpc_stream *stream) {
	struct follower *follower = stream->owner;
	bool is_reading = follower->state == FOLLOWER_READING && !timer_is_running(&follower->settle);
	timer_stop(stream->loop, &follower->settle);
	follower->stream = NULL;
	list_remove(&follower->link);
	if (follower->state != FOLLOWER_ENDED)
		follower_state_change(&follower->state, FOLLOWER_ENDED);
	if (!is_reading)
		follower_free(follower);
}

static const struct rpc_events follower_events = {.closed = on_closed};

static void read_now(struct timer *timer) {
	struct follower *follower = CONTAINER_OF(timer, struct follower, settle);
	log_files_tail(follower->service->files, &follower->tail, &follower->filter, follower->count);
}

static int read_filter(const Ftl__StreamLogsRequest *request, struct log_filter *filter, struct error *err) {
	if (request->module[0] != '\0' && log_filter_add_module(filter, request->module, err) < 0)
		return -1;
	for (size_t i = 0; i < request->n_modules; i++)
		if (log_filter_add_module(filter, request->modules[i], err) < 0)
			return -1;
	return log_filter_set(filter, request->since_ms, request->level, request->request_id, err);
}

static void start_stream(struct rpc_stream *stream, const ProtobufCMessage *message, struct arena *arena UNUSED) {
	const Ftl__StreamLogsRequest *request = (const Ftl__StreamLogsRequest *)message;
	struct follower *follower = mem_zalloc(sizeof *follower);
	struct logs_service *service = stream->service;
	struct error err;
	follower->service = service;
	follower->stream = stream;
	follower->follow = request->follow;
	follower->count = request->tail;
	follower->tail.done = on_tail_read;
	follower->settle.fire = read_now;
	buf_init(&follower->held, FOLLOWER_UNSENT_MAX);
	list_init(&follower->link);
	stream->owner = follower;
	stream->events = &follower_events;
	if (read_filter(request, &follower->filter, &err) < 0) {
		follower_state_change(&follower->state, FOLLOWER_ENDED);
		rpc_fail(stream, &err);
		return;
	}
	stream->open_ended = request->follow;
	if (request->follow) {
		list_append(&service->followers, &follower->link);
		read_now(&follower->settle);
	} else {
		timer_start(stream->loop, &follower->settle, SETTLE_MS);
	}
}

/* --- PublishLogs -------------------------------------------------------------------------------------------------- */

struct publisher {
	struct logs_service *service;
	struct rpc_stream *stream; /* NULL: closed */
	struct buf received;
	struct log_files_flush flush;
	bool flushing;
};

static void take_entries(struct logs_service *service, const Ftl__PublishLogsRequest *request) {
	for (size_t i = 0; i < request->n_entries; i++) {
		const Ftl__LogEntry *entry = request->entries[i];
		const struct log_entry taken = {
			.time_ms = entry->time_ms,
			.level = entry->level,
			.message = entry->message,
			.module = entry->module,
			.deployment_key = entry->deployment_key,
			.runner_key = entry->runner_key,
			.attributes = entry->attributes,
		};
		log_files_add(service->files, &taken);
		LIST_FOREACH(link, &service->followers) {
			struct follower *follower = LIST_ENTRY(link, struct follower, link);
			if (log_filter_takes(&follower->filter, &taken))
				give_entry(follower, &taken, follower->state == FOLLOWER_READING ? hold : send_now);
		}
	}
}

static void take_message(struct rpc_stream *stream) {
	struct publisher *publisher = stream->owner;
	struct str bytes = buf_view(&publisher->received);
	struct arena arena = ARENA_INIT(pb_arena_max(bytes.len));
	ProtobufCMessage *message;
	struct error err;
	if (pb_unpack(&ftl__publish_logs_request__descriptor, bytes, &arena, &message, &err) < 0)
		rpc_fail(stream, &err);
	else
		take_entries(publisher->service, (const Ftl__PublishLogsRequest *)message);
	arena_deinit(&arena);
	buf_clear(&publisher->received);
	buf_trim(&publisher->received);
}

static void on_publish_message(struct rpc_stream *stream, size_t size) {
	if (size == 0)
		take_message(stream);
}

static void on_publish_data(struct rpc_stream *stream, struct str bytes) {
	struct publisher *publisher = stream->owner;
	int over = buf_append(&publisher->received, bytes);
	ASSERT(over == 0); /* the stream's message_max is the buffer's maximum */
	rpc_consume(stream, bytes.len);
	if (stream->message_left == 0)
		take_message(stream);
}

static void publisher_free(struct publisher *publisher) {
	buf_deinit(&publisher->received);
	free(publisher);
}

static void on_flushed(struct log_files_flush *flush) {
	struct publisher *publisher = CONTAINER_OF(flush, struct publisher, flush);
	publisher->flushing = false;
	if (publisher->stream == NULL) {
		publisher_free(publisher);
		return;
	}
	if (rpc_has_ended(publisher->stream))
		return;
	Ftl__PublishLogsResponse response;
	ftl__publish_logs_response__init(&response);
	struct arena arena = ARENA_INIT(KIB(1));
	rpc_send(publisher->stream, pb_pack(&response.base, &arena));
	rpc_finish(publisher->stream, CODE_OK, "");
	arena_deinit(&arena);
}

/* Starts the flush; the request is answered when the lines are in their files. */
static void on_publish_end(struct rpc_stream *stream) {
	struct publisher *publisher = stream->owner;
	publisher->flushing = true;
	publisher->flush.done = on_flushed;
	log_files_flush(publisher->service->files, &publisher->flush);
}

static void on_publish_closed(struct rpc_stream *stream) {
	struct publisher *publisher = stream->owner;
	publisher->stream = NULL;
	if (!publisher->flushing)
		publisher_free(publisher);
}

static const struct rpc_events publisher_events = {
	.message = on_publish_message,
	.data = on_publish_data,
	.end = on_publish_end,
	.closed = on_publish_closed,
};

static void start_publish(struct rpc_stream *stream) {
	struct publisher *publisher = mem_zalloc(sizeof *publisher);
	publisher->service = stream->service;
	publisher->stream = stream;
	buf_init(&publisher->received, PUBLISH_MAX);
	stream->open_ended = true;
	stream->message_max = PUBLISH_MAX;
	stream->owner = publisher;
	stream->events = &publisher_events;
}

static const struct rpc_method log_methods[] = {
	{.path = "/xyz.block.ftl.v1.BackplaneService/PublishLogs", .start = start_publish},
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/StreamLogs", start_stream,
			     ftl__stream_logs_request__descriptor),
};

void logs_service_add(struct logs_service *service, struct rpc_server *server) {
	rpc_server_add(server, log_methods, ARRAY_LEN(log_methods), service);
}

void logs_service_init(struct logs_service *service, struct context *context) {
	*service = (struct logs_service){.context = context};
	list_init(&service->followers);
}
