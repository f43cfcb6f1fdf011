/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of modules: PublishLogs takes them from Runners, StreamLogs gives them to people.
 */
#include <stdlib.h>

#include "backplane/context.h"
#include "base/memory.h"
#include "ftl.pb-c.h"

enum {
	PUBLISH_MAX = 4 << 20, /* a message of PublishLogs */
	FOLLOWER_UNSENT_MAX = 1 << 20, /* a follower that is slower than this misses lines, and is told how many */
};

struct follower {
	struct list link; /* while it follows */
	struct backplane *backplane;
	struct rpc_stream *stream;
	char *module; /* empty: all */
	uint64_t dropped;
	bool found; /* a line */
};

/* --- to people ---------------------------------------------------------------------------------------------------- */

static void send_entry(void *data, const struct log_entry *entry) {
	struct follower *follower = data;
	follower->found = true;
	if (rpc_has_ended(follower->stream))
		return;
	if (rpc_unsent(follower->stream) > FOLLOWER_UNSENT_MAX) {
		follower->dropped++;
		return;
	}
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
	response.dropped = follower->dropped;
	follower->dropped = 0;
	struct arena arena = ARENA_INIT(protobuf_c_message_get_packed_size(&response.base) + 64);
	rpc_send(follower->stream, pb_pack(&response.base, &arena));
	arena_deinit(&arena);
}

static void begin(struct follower *follower, const Ftl__StreamLogsRequest *request) {
	struct backplane *backplane = follower->backplane;
	struct str name = str_from(request->module);
	struct error err;
	follower->module = mem_strdup(request->module);
	log_files_tail(backplane->log_files, name, request->tail, send_entry, follower);
	follower->stream->open_ended = request->follow;
	if (request->follow) {
		/* Also a module that is to come. */
		rpc_respond(follower->stream);
		list_append(&backplane->followers, &follower->link);
	} else if (name.len > 0 && !follower->found && control_module(&backplane->control, name) == NULL) {
		route_table_no_module(backplane->routes, name, &err);
		rpc_fail(follower->stream, &err);
	} else {
		rpc_finish(follower->stream, CODE_OK, "");
	}
}

static void on_closed(struct rpc_stream *stream) {
	struct follower *follower = stream->owner;
	list_remove(&follower->link);
	free(follower->module);
	free(follower);
}

static const struct rpc_events follower_events = {.closed = on_closed};

static void start_stream(struct rpc_stream *stream, const ProtobufCMessage *request, struct arena *arena UNUSED) {
	struct follower *follower = mem_zalloc(sizeof *follower);
	follower->backplane = stream->service;
	follower->stream = stream;
	list_init(&follower->link);
	stream->owner = follower;
	stream->events = &follower_events;
	begin(follower, (const Ftl__StreamLogsRequest *)request);
}

/* --- from Runners ------------------------------------------------------------------------------------------------- */

struct publisher {
	struct backplane *backplane;
	struct buf received;
};

static void take_entries(struct backplane *backplane, const Ftl__PublishLogsRequest *request) {
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
		log_files_add(backplane->log_files, &taken);
		LIST_FOREACH(link, &backplane->followers) {
			struct follower *follower = LIST_ENTRY(link, struct follower, link);
			if (follower->module[0] == '\0' || strcmp(follower->module, entry->module) == 0)
				send_entry(follower, &taken);
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
		take_entries(publisher->backplane, (const Ftl__PublishLogsRequest *)message);
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
	ASSERT(over == 0); /* the stream's message_max is the buffer's */
	rpc_consume(stream, bytes.len);
	if (stream->message_left == 0)
		take_message(stream);
}

static void on_publish_end(struct rpc_stream *stream) {
	Ftl__PublishLogsResponse response;
	ftl__publish_logs_response__init(&response);
	struct arena arena = ARENA_INIT(KIB(1));
	rpc_send(stream, pb_pack(&response.base, &arena));
	rpc_finish(stream, CODE_OK, "");
	arena_deinit(&arena);
}

static void on_publish_closed(struct rpc_stream *stream) {
	struct publisher *publisher = stream->owner;
	buf_deinit(&publisher->received);
	free(publisher);
}

static const struct rpc_events publisher_events = {
	.message = on_publish_message,
	.data = on_publish_data,
	.end = on_publish_end,
	.closed = on_publish_closed,
};

static void start_publish(struct rpc_stream *stream) {
	struct publisher *publisher = mem_alloc(sizeof *publisher);
	*publisher = (struct publisher){.backplane = stream->service, .received = BUF_INIT(PUBLISH_MAX)};
	stream->open_ended = true;
	stream->message_max = PUBLISH_MAX;
	stream->owner = publisher;
	stream->events = &publisher_events;
}

const struct rpc_method log_methods[] = {
	{.path = "/xyz.block.ftl.v1.BackplaneService/PublishLogs", .start = start_publish},
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/StreamLogs", start_stream,
			     ftl__stream_logs_request__descriptor),
};
const size_t log_method_count = ARRAY_LEN(log_methods);

void service_logs_init(struct backplane *backplane) {
	list_init(&backplane->followers);
}
