/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/health.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "pb/wire.h"
#include "rpc/message_reader.h"

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3, REQUEST_MAX = KIB(4) };

struct rpc_health {
	struct map services; /* struct state by name */
	struct list watchers;
};

struct state {
	int status;
};

/* A call of either method. */
struct check {
	struct message_reader reader;
	struct rpc_health *health;
	struct list link; /* of the watchers */
	bool watches, asked;
	char *service;
	int sent_status;
};

static int status_of(const struct rpc_health *health, const char *service) {
	const struct state *state = map_get(&health->services, str_from(service));
	return state ? state->status : SERVICE_UNKNOWN;
}

static void send_status(struct check *check, int status) {
	const char message[] = {1 << 3 | WIRE_VARINT, (char)status};
	check->sent_status = status;
	rpc_send(check->reader.stream, str_new(message, sizeof message));
}

static void on_request(struct message_reader *reader, struct str bytes) {
	struct check *check = CONTAINER_OF(reader, struct check, reader);
	struct wire_field field;
	struct str service = STR("");
	if (check->asked) {
		rpc_finish(reader->stream, CODE_UNIMPLEMENTED, "this method takes one message, and a second one came");
		return;
	}
	while (wire_take(&bytes, &field))
		if (field.number == 1 && field.type == WIRE_BYTES)
			service = field.bytes;
	check->asked = true;
	check->service = mem_strndup(service.ptr, service.len);
}

static void on_end(struct message_reader *reader) {
	struct check *check = CONTAINER_OF(reader, struct check, reader);
	if (!check->asked) {
		rpc_finish(reader->stream, CODE_UNIMPLEMENTED, "this method takes one message, and none came");
		return;
	}
	int status = status_of(check->health, check->service);
	if (check->watches) {
		send_status(check, status);
		list_append(&check->health->watchers, &check->link);
	} else if (status == SERVICE_UNKNOWN) {
		struct error err;
		error_set(&err, CODE_NOT_FOUND, "there is no service %.200s here", check->service);
		rpc_fail(reader->stream, &err);
	} else {
		send_status(check, status);
		rpc_finish(reader->stream, CODE_OK, "");
	}
}

static void on_closed(struct message_reader *reader) {
	struct check *check = CONTAINER_OF(reader, struct check, reader);
	list_remove(&check->link);
	free(check->service);
	free(check);
}

static void start(struct rpc_stream *stream, bool watches) {
	struct check *check = mem_zalloc(sizeof *check);
	check->health = stream->service;
	check->watches = watches;
	check->reader.message = on_request;
	check->reader.end = on_end;
	check->reader.closed = on_closed;
	list_init(&check->link);
	message_reader_start(&check->reader, stream, REQUEST_MAX);
}

static void start_check(struct rpc_stream *stream) {
	start(stream, false);
}

static void start_watch(struct rpc_stream *stream) {
	start(stream, true);
}

static const struct rpc_method methods[] = {
	{.path = "/grpc.health.v1.Health/Check", .start = start_check},
	{.path = "/grpc.health.v1.Health/Watch", .start = start_watch},
};

struct rpc_health *rpc_health_new(struct rpc_server *server) {
	struct rpc_health *health = mem_zalloc(sizeof *health);
	list_init(&health->watchers);
	rpc_health_set(health, STR(""), true);
	rpc_server_add(server, methods, ARRAY_LEN(methods), health);
	return health;
}

void rpc_health_free(struct rpc_health *health) {
	if (health == NULL)
		return;
	ASSERT(list_is_empty(&health->watchers));
	size_t cursor = 0;
	for (struct state *state; (state = map_next(&health->services, &cursor)) != NULL;)
		free(state);
	map_deinit(&health->services);
	free(health);
}

void rpc_health_set(struct rpc_health *health, struct str service, bool serving) {
	struct state *state = map_get(&health->services, service);
	if (state == NULL) {
		state = mem_alloc(sizeof *state);
		map_put(&health->services, service, state);
	}
	state->status = serving ? SERVING : NOT_SERVING;
	LIST_FOREACH(link, &health->watchers) {
		struct check *check = LIST_ENTRY(link, struct check, link);
		int status = status_of(health, check->service);
		if (status != check->sent_status && !rpc_has_ended(check->reader.stream))
			send_status(check, status);
	}
}
