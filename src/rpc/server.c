/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/pool.h"
#include "http/cors.h"
#include "http/plain.h"
#include "http/server.h"
#include "rpc/grpc.h"
#include "rpc/protocol.h"
#include "rpc/transcode.h"

struct rpc_server {
	struct loop *loop;
	struct http_server *http;
	size_t message_max;
	const struct types *types;
	struct map methods; /* of struct added_method by path */
	struct added_route *routes;
	void (*fallback)(struct rpc_stream *stream);
	void *fallback_service;
};

struct added_method {
	const struct rpc_method *method;
	void *service;
};

struct added_route {
	struct added_route *next;
	struct rpc_server *server;
	const struct rpc_route *route;
	void *service;
};

const struct rpc_server_options rpc_server_options_default = {
	.http = HTTP_LIMITS_DEFAULT,
	.message_max = RPC_MESSAGE_MAX_DEFAULT,
	.held_max = LOOP_HELD_MAX_DEFAULT,
	.connections_max = 20000,
};

static struct rpc_stream *rpc_of(struct http_stream *http) {
	return CONTAINER_OF(http, struct rpc_stream, http);
}

/* --- requests that are no call ------------------------------------------------------------------------------------ */

static const struct http_header allow = {.name = STR_INIT("allow"), .value = STR_INIT("POST, GET")};
static const struct http_header accept_post =
	{.name = STR_INIT("accept-post"),
	 .value = STR_INIT("application/grpc, application/grpc-web, application/grpc-web-text, application/json, "
			   "application/proto, application/connect+json, application/connect+proto")};

/* Answers in plain HTTP when the request has ended: the client cannot read an answer in a protocol that it did not say
 * it speaks. */
static void answer_plain(struct rpc_stream *stream, unsigned status, const char *text) {
	const struct http_header *extra = status == 405 ? &allow : status == 415 ? &accept_post : NULL;
	timer_stop(stream->loop, &stream->deadline.timer);
	http_plain_take(&stream->http, &(struct http_plain_answer){.status = status,
								   .text = text,
								   .headers = extra,
								   .header_count = extra != NULL ? 1 : 0});
}

/* "/package.Service/Method" */
static bool is_method_path(struct str path) {
	struct str method, service = str_cut(str_from_offset(path, path.len > 0), '/', &method);
	return memchr(service.ptr, '.', service.len) != NULL && method.len > 0 &&
	       memchr(method.ptr, '/', method.len) == NULL;
}

static void answer_no_path(const struct rpc_server *server, struct rpc_stream *stream) {
	struct str path = stream->http.path;
	answer_plain(stream, 404,
		     arena_printf(&stream->http.arena, "There is nothing at %.*s; %s.\n",
				  STR_ARG(str_new(path.ptr, MIN(path.len, (size_t)200))),
				  server->routes != NULL ? server->routes->route->usage
							 : "a method has the path /package.Service/Method"));
}

static void answer_unknown_method(struct rpc_stream *stream) {
	struct str path = stream->http.path;
	if (stream->codec->is_plain) {
		answer_plain(stream, 404, "There is no such method here.\n");
		return;
	}
	rpc_finish(stream, CODE_UNIMPLEMENTED,
		   arena_printf(&stream->http.arena, "there is no method %.*s here",
				STR_ARG(str_new(path.ptr, MIN(path.len, (size_t)200)))));
}

/* --- the handler of all paths ------------------------------------------------------------------------------------- */

static struct http_stream *new_stream(struct rpc_server *server) {
	struct rpc_stream *stream = pool_alloc(sizeof *stream);
	rpc_stream_init(stream, server->loop, &grpc_codec);
	stream->message_max = server->message_max;
	return &stream->http;
}

static struct http_stream *on_new_stream(void *owner, const struct http_request_head *head UNUSED) {
	return new_stream(owner);
}

static void start_method(struct rpc_server *server, struct rpc_stream *stream) {
	const struct added_method *added = map_get(&server->methods, stream->http.path);
	if (added == NULL && protocol_drop_query(stream))
		added = map_get(&server->methods, stream->http.path);
	if (added != NULL) {
		stream->method = added->method;
		stream->service = added->service;
		added->method->start(stream);
	} else if (server->fallback != NULL) {
		stream->service = server->fallback_service;
		server->fallback(stream);
	} else {
		answer_unknown_method(stream);
	}
}

static void on_request(void *owner, struct http_stream *http) {
	struct rpc_server *server = owner;
	struct rpc_stream *stream = rpc_of(http);
	struct error err;
	unsigned status = protocol_choose(stream, server->types, &err);
	if (status != 0 && !is_method_path(http->path)) {
		answer_no_path(server, stream);
		return;
	}
	if (status != 0) {
		answer_plain(stream, status, arena_printf(&http->arena, "%s\n", err.msg));
		return;
	}
	if (http->has_origin)
		cors_add_headers(http, &stream->response_headers);
	if (err.code != CODE_OK && rpc_server_has_method(server, http->path))
		rpc_fail(stream, &err);
	else
		start_method(server, stream);
}

static bool is_stalled(void *owner UNUSED, const struct http_stream *http) {
	const struct rpc_stream *stream = CONTAINER_OF(http, struct rpc_stream, http);
	if (rpc_has_ended(stream))
		return false;
	return stream->message_left > 0 || stream->prefix.len > 0 ||
	       (stream->transcoder != NULL && transcode_is_within_message(stream->transcoder));
}

static const struct http_handler handler = {
	.new_stream = on_new_stream,
	.request = on_request,
	.is_stalled = is_stalled,
};

/* --- the handler of a route --------------------------------------------------------------------------------------- */

static struct http_stream *on_new_routed(void *owner, const struct http_request_head *head UNUSED) {
	return new_stream(((struct added_route *)owner)->server);
}

static void on_routed(void *owner, struct http_stream *http) {
	const struct added_route *added = owner;
	struct rpc_stream *stream = rpc_of(http);
	struct error err;
	added->route->choose(stream, &err);
	if (http->has_origin)
		cors_add_headers(http, &stream->response_headers);
	stream->service = added->service;
	if (err.code != CODE_OK)
		rpc_fail(stream, &err);
	else
		added->route->start(stream);
}

static const struct http_handler routed_handler = {
	.new_stream = on_new_routed,
	.request = on_routed,
	.is_stalled = is_stalled,
};

void rpc_server_route(struct rpc_server *server, const struct rpc_route *route, void *service) {
	struct added_route *added = mem_alloc(sizeof *added);
	*added = (struct added_route){server->routes, server, route, service};
	server->routes = added;
	http_server_route(server->http, route->prefix, &routed_handler, added);
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *service) {
	for (size_t i = 0; i < count; i++) {
		struct added_method *added = mem_alloc(sizeof *added);
		*added = (struct added_method){.method = &methods[i], .service = service};
		struct added_method *before = map_put(&server->methods, str_from(methods[i].path), added);
		ASSERT(before == NULL);
	}
}

void rpc_server_set_fallback(struct rpc_server *server, void (*start)(struct rpc_stream *stream), void *service) {
	server->fallback = start;
	server->fallback_service = service;
}

bool rpc_server_has_method(const struct rpc_server *server, struct str path) {
	return server->fallback != NULL || map_get(&server->methods, path) != NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options) {
	struct rpc_server *server = mem_alloc(sizeof *server);
	*server = (struct rpc_server){.loop = loop, .message_max = options->message_max, .types = options->types};
	server->http = http_server_new(loop, &(struct http_server_options){.limits = options->http,
									   .connections_max = options->connections_max,
									   .tls = options->tls,
									   .tls_only = options->tls_only,
									   .origins = options->origins});
	http_server_route(server->http, "/", &handler, server);
	if (options->held_max > 0)
		loop->held.max = options->held_max;
	map_init(&server->methods);
	return server;
}

struct http_server *rpc_server_http(struct rpc_server *server) {
	return server->http;
}

void rpc_server_accept(struct rpc_server *server, int fd, bool trusted) {
	http_server_accept(server->http, fd, trusted);
}

void rpc_server_drain(struct rpc_server *server, void (*done)(void *data), void *data) {
	http_server_drain(server->http, done, data);
}

void rpc_server_refuse(struct rpc_server *server, bool refuse) {
	http_server_refuse(server->http, refuse);
}

void rpc_server_close(struct rpc_server *server) {
	if (server == NULL)
		return;
	http_server_close(server->http);
	for (size_t cursor = 0;;) {
		struct added_method *added = map_next(&server->methods, &cursor);
		if (added == NULL)
			break;
		free(added);
	}
	map_deinit(&server->methods);
	for (struct added_route *route; (route = server->routes) != NULL;) {
		server->routes = route->next;
		free(route);
	}
	free(server);
}

/* --- calls in progress -------------------------------------------------------------------------------------------- */

size_t rpc_server_calls(const struct rpc_server *server) {
	return http_server_requests(server->http);
}

static void visit(const struct rpc_server *server, void (*each)(struct http_stream *stream, void *data), void *data) {
	http_server_visit(server->http, server, each, data);
	for (struct added_route *route = server->routes; route != NULL; route = route->next)
		http_server_visit(server->http, route, each, data);
}

static void count_busy(struct http_stream *stream, void *data) {
	size_t *busy = data;
	*busy += !rpc_of(stream)->open_ended;
}

size_t rpc_server_busy(const struct rpc_server *server) {
	size_t busy = 0;
	visit(server, count_busy, &busy);
	return busy;
}

static void end_open(struct http_stream *http, void *data) {
	struct rpc_stream *stream = rpc_of(http);
	const struct error *why = data;
	if (stream->open_ended && !rpc_has_ended(stream))
		rpc_fail(stream, why);
}

void rpc_server_end_open(struct rpc_server *server, const struct error *why) {
	struct error copy = *why;
	visit(server, end_open, &copy);
}
