/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/schemas.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/wire.h"
#include "rpc/unary.h"
#include "schema/packed.h"

enum {
	PULLERS_MAX = 1000, /* "max-schema-pulls" */
	/* Unsent bytes past which the next change waits; a newer change of the same module then replaces it. */
	UNSENT_MAX = 256 << 10,
};

struct puller {
	struct list link; /* in the service's pullers; empty until the request is accepted */
	struct schemas_service *service;
	struct rpc_stream *stream;
	struct schema_reader reader;
};

static Ftl__SchemaChange wire_kind(enum schema_change_kind kind) {
	switch (kind) {
	case SCHEMA_ADDED:
		return FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_ADDED;
	case SCHEMA_CHANGED:
		return FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_CHANGED;
	case SCHEMA_REMOVED:
		return FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_REMOVED;
	case SCHEMA_ALL_TOLD:
		return FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_ALL_TOLD;
	}
	ASSERT(false);
}

/* Packs a PullSchemaResponse around the packed schema, which is not unpacked for that. */
static bool send_news(void *owner, const struct schema_news *news) {
	const struct puller *puller = owner;
	struct buf message = BUF_INIT(SIZE_MAX / 2);
	int over = wire_put_tag(&message, 1, WIRE_VARINT) | wire_put_varint(&message, wire_kind(news->kind)) |
		   wire_put_bytes(&message, 2, str_from(news->module));
	if (news->schema != NULL)
		over |= wire_put_bytes(&message, 3, packed_schema_bytes(news->schema));
	ASSERT(over == 0);
	rpc_send(puller->stream, buf_view(&message));
	buf_deinit(&message);
	return rpc_unsent(puller->stream) <= UNSENT_MAX;
}

static void go_on(struct puller *puller) {
	if (!rpc_has_ended(puller->stream) && rpc_unsent(puller->stream) <= UNSENT_MAX)
		schema_reader_read(&puller->reader, &puller->service->feed, send_news, puller);
}

void schemas_service_published(struct schemas_service *service) {
	LIST_FOREACH(link, &service->pullers)
		go_on(LIST_ENTRY(link, struct puller, link));
}

static void begin(struct puller *puller, const Ftl__PullSchemaRequest *request) {
	size_t count = 0;
	LIST_FOREACH(link, &puller->service->pullers)
		count++;
	if (count >= PULLERS_MAX) {
		struct error err;
		error_set(&err, CODE_RESOURCE_EXHAUSTED, "%zu clients pull schemas already, and max-schema-pulls is %d",
			  count, PULLERS_MAX);
		rpc_fail(puller->stream, &err);
		return;
	}
	free(puller->reader.module);
	puller->reader.module = mem_strdup(request->module);
	puller->stream->open_ended = true;
	list_append(&puller->service->pullers, &puller->link);
	rpc_respond(puller->stream);
	go_on(puller);
}

static void on_writable(struct rpc_stream *stream) {
	struct puller *puller = stream->owner;
	if (!list_is_empty(&puller->link))
		go_on(puller);
}

static void on_closed(struct rpc_stream *stream) {
	struct puller *puller = stream->owner;
	list_remove(&puller->link);
	schema_reader_deinit(&puller->reader);
	free(puller);
}

static const struct rpc_events puller_events = {
	.writable = on_writable,
	.closed = on_closed,
};

static void start_pull(struct rpc_stream *stream, const ProtobufCMessage *request, struct arena *arena UNUSED) {
	struct puller *puller = mem_zalloc(sizeof *puller);
	puller->service = stream->service;
	puller->stream = stream;
	schema_reader_init(&puller->reader, "");
	list_init(&puller->link);
	stream->owner = puller;
	stream->events = &puller_events;
	begin(puller, (const Ftl__PullSchemaRequest *)request);
}

static const struct rpc_method schema_methods[] = {
	RPC_STREAMING_METHOD("/xyz.block.ftl.v1.BackplaneService/PullSchema", start_pull,
			     ftl__pull_schema_request__descriptor),
};

void schemas_service_add(struct schemas_service *service, struct rpc_server *server) {
	rpc_server_add(server, schema_methods, ARRAY_LEN(schema_methods), service);
}

void schemas_service_init(struct schemas_service *service) {
	schema_feed_init(&service->feed);
	list_init(&service->pullers);
}

void schemas_service_deinit(struct schemas_service *service) {
	schema_feed_deinit(&service->feed);
}
