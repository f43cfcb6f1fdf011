/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "rpc/grpc.h"
#include "rpc/h2.h"

struct rpc_server {
	struct loop *loop;
	struct rpc_server_options options;
	struct map routes; /* of struct route by path */
	void (*fallback)(struct rpc_stream *stream);
	void *fallback_service;
	struct list connections;
	size_t connection_count;
	bool full; /* told of, once */
	bool closing;
	struct timer drained; /* reports the end of a drain in its own turn */
	void (*on_drained)(void *data);
	void *drain_data;
};

struct route {
	const struct rpc_method *method;
	void *service;
};

struct server_connection {
	struct rpc_server *server;
	struct http_connection *http;
	struct list link;
};

const struct rpc_server_options rpc_server_options_default = {
	.http = {.streams = 256, .window = 256 << 10, .header_bytes = 16 << 10},
	.message_max = RPC_MESSAGE_MAX_DEFAULT,
	.connections_max = 20000,
};

/* --- requests ------------------------------------------------------------------------------------------------ */

static struct http_stream *on_new_stream(struct http_connection *http) {
	struct server_connection *connection = http->owner;
	struct rpc_server *server = connection->server;
	if (server->on_drained != NULL)
		return NULL;
	struct rpc_stream *stream = mem_alloc(sizeof *stream);
	rpc_stream_init(stream, server->loop, &grpc_codec);
	stream->message_max = server->options.message_max;
	return &stream->http;
}

/* Answers in plain HTTP what is no rpc at all. */
static void answer_plain(struct rpc_stream *stream, unsigned status, const char *text) {
	struct http_headers headers = {0};
	http_headers_add(&headers, &stream->http.arena, STR("content-type"), STR("text/plain; charset=utf-8"));
	stream->broken = true;
	stream->finished = true;
	http_respond(&stream->http, status, &headers);
	http_stream_write(&stream->http, str_from(text));
	http_stream_finish(&stream->http);
}

static bool is_grpc(struct str type) {
	static const struct str grpc = STR_INIT("application/grpc");
	if (!str_starts_with(type, grpc))
		return false;
	struct str rest = str_from_offset(type, grpc.len);
	return rest.len == 0 || rest.ptr[0] == ';' || str_eq(rest, STR("+proto")) || str_starts_with(rest, STR("+proto;"));
}

static void start_method(struct rpc_server *server, struct rpc_stream *stream) {
	struct route *route = map_get(&server->routes, stream->http.path);
	if (route == NULL && server->fallback != NULL) {
		stream->service = server->fallback_service;
		server->fallback(stream);
		return;
	}
	if (route == NULL) {
		char *text = arena_printf(&stream->http.arena, "there is no method %.*s here",
					  STR_ARG(str_new(stream->http.path.ptr, MIN(stream->http.path.len, (size_t)200))));
		rpc_finish(stream, CODE_UNIMPLEMENTED, text);
		return;
	}
	stream->method = route->method;
	stream->service = route->service;
	route->method->start(stream);
}

static void on_request(struct http_connection *http, struct http_stream *http_stream) {
	struct server_connection *connection = http->owner;
	struct rpc_stream *stream = CONTAINER_OF(http_stream, struct rpc_stream, http);
	if (!str_eq(http_stream->method, STR("POST"))) {
		answer_plain(stream, 405, "This is an FTL endpoint: call a method with POST.\n");
		return;
	}
	if (!is_grpc(http_headers_get(&http_stream->received, STR("content-type")))) {
		answer_plain(stream, 415, "The content type must be application/grpc.\n");
		return;
	}
	struct str timeout = http_headers_get(&http_stream->received, STR("grpc-timeout"));
	uint64_t timeout_ms;
	if (timeout.ptr != NULL && !grpc_parse_timeout(timeout, &timeout_ms)) {
		rpc_finish(stream, CODE_INVALID_ARGUMENT,
			   "the header grpc-timeout must be at most eight digits and one of H, M, S, m, u, n");
		return;
	}
	if (timeout.ptr != NULL)
		rpc_set_deadline(stream, timeout_ms);
	start_method(connection->server, stream);
}

/* --- connections --------------------------------------------------------------------------------------------- */

static void destroy_if_done(struct rpc_server *server) {
	if (!server->closing || server->connection_count > 0)
		return;
	timer_stop(server->loop, &server->drained);
	for (size_t cursor = 0;;) {
		struct route *route = map_next(&server->routes, &cursor);
		if (route == NULL)
			break;
		free(route);
	}
	map_deinit(&server->routes);
	free(server);
}

static void on_connection_closed(struct http_connection *http, const struct error *why) {
	struct server_connection *connection = http->owner;
	struct rpc_server *server = connection->server;
	if (why != NULL)
		log_debug("a connection from %s ended: %s", h2_peer_name(http), why->msg);
	list_remove(&connection->link);
	free(connection);
	server->connection_count--;
	server->full = false;
	if (server->on_drained != NULL && server->connection_count == 0)
		timer_start(server->loop, &server->drained, 0);
	destroy_if_done(server);
}

static void on_nothing(struct http_connection *http UNUSED) {
}

static const struct http_connection_events connection_events = {
	.ready = on_nothing,
	.new_stream = on_new_stream,
	.request = on_request,
	.pong = on_nothing,
	.going_away = on_nothing,
	.closed = on_connection_closed,
};

void rpc_server_accept(struct rpc_server *server, int fd) {
	bool full = server->connection_count >= server->options.connections_max;
	if (full && !server->full)
		log_warn("refusing connections: there are %zu, and max-connections is %zu", server->connection_count,
			 server->options.connections_max);
	server->full |= full;
	if (full || server->closing || server->on_drained != NULL) {
		close(fd);
		return;
	}
	struct server_connection *connection = mem_alloc(sizeof *connection);
	connection->server = server;
	list_append(&server->connections, &connection->link);
	server->connection_count++;
	connection->http = h2_accept(server->loop, fd, &server->options.http, &connection_events, connection);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void report_drained(struct timer *timer) {
	struct rpc_server *server = CONTAINER_OF(timer, struct rpc_server, drained);
	server->on_drained(server->drain_data);
}

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options) {
	struct rpc_server *server = mem_alloc(sizeof *server);
	*server = (struct rpc_server){.loop = loop, .options = *options, .drained.fire = report_drained};
	map_init(&server->routes);
	list_init(&server->connections);
	return server;
}

void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *service) {
	for (size_t i = 0; i < count; i++) {
		struct route *route = mem_alloc(sizeof *route);
		*route = (struct route){.method = &methods[i], .service = service};
		struct route *before = map_put(&server->routes, str_from(methods[i].path), route);
		ASSERT(before == NULL);
	}
}

void rpc_server_set_fallback(struct rpc_server *server, void (*start)(struct rpc_stream *stream), void *service) {
	server->fallback = start;
	server->fallback_service = service;
}

void rpc_server_drain(struct rpc_server *server, void (*done)(void *data), void *data) {
	server->on_drained = done;
	server->drain_data = data;
	LIST_FOREACH(link, &server->connections)
		http_connection_shutdown(LIST_ENTRY(link, struct server_connection, link)->http);
	if (server->connection_count == 0)
		timer_start(server->loop, &server->drained, 0);
}

void rpc_server_close(struct rpc_server *server) {
	if (server == NULL)
		return;
	server->closing = true;
	LIST_FOREACH(link, &server->connections)
		http_connection_close(LIST_ENTRY(link, struct server_connection, link)->http, NULL);
	destroy_if_done(server);
}

size_t rpc_server_calls(const struct rpc_server *server) {
	size_t calls = 0;
	LIST_FOREACH(link, &server->connections)
		calls += LIST_ENTRY(link, struct server_connection, link)->http->stream_count;
	return calls;
}
