/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of methods on one loop: the handler of all paths of an HTTP server (http/server.h). It finds out which
 * protocol a request speaks, and starts the method that its path names.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "rpc/rpc.h"

struct http_server;
struct rpc_unary;
struct tls_config;
struct types;

/* A method is a constant; service is what was given with it to rpc_server_add. */
struct rpc_method {
	const char *path; /* "/package.Service/Method" */
	/* Sets stream->events, and stream->owner for its own use. May answer at once. */
	void (*start)(struct rpc_stream *stream);
	/* For start == rpc_unary_start (unary.h): one of the two. */
	void (*unary)(struct rpc_unary *unary, const ProtobufCMessage *request);
	void (*streaming)(struct rpc_stream *stream, const ProtobufCMessage *request, struct arena *arena);
	const ProtobufCMessageDescriptor *request;
};

/* Requests of plain HTTP below a prefix, which are calls of no protocol: a constant. */
struct rpc_route {
	const char *prefix; /* as of http_server_route */
	const char *usage; /* for who asks for a path that is none: "a verb is called by POST …" */
	/* Sets the stream's codec and method. An error is answered by that codec; otherwise err->code is CODE_OK. */
	void (*choose)(struct rpc_stream *stream, struct error *err);
	/* As of struct rpc_method. */
	void (*start)(struct rpc_stream *stream);
};

struct rpc_server_options {
	struct http_limits http;
	size_t message_max;
	size_t held_max; /* "max-held": of all messages together that the loop holds, whole or in part; 0: as it is */
	size_t connections_max; /* "max-connections": a further one is closed at once */
	const struct types *types; /* of the methods: for JSON and Connect's GET. NULL: protobuf only. Borrowed */
	struct tls_config *tls; /* NULL: in clear only. With it, TLS and clear text are told apart by the first bytes */
	bool tls_only; /* refuses clear text */
	const char *const *origins; /* cors.h; NULL-terminated, borrowed. NULL: pages of this machine only */
};

extern const struct rpc_server_options rpc_server_options_default;

struct rpc_server;

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options);

/* The HTTP server below, so that other handlers can have prefixes of their own. Lives as long as this one. */
struct http_server *rpc_server_http(struct rpc_server *server);

/* Methods are borrowed for the life of the server. */
void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *service);

/* The route is borrowed for the life of the server. */
void rpc_server_route(struct rpc_server *server, const struct rpc_route *route, void *service);

/* What is started for a path that no method has; without it such a call is Unimplemented. */
void rpc_server_set_fallback(struct rpc_server *server, void (*start)(struct rpc_stream *stream), void *service);

/* Whether calls of this path are taken. */
bool rpc_server_has_method(const struct rpc_server *server, struct str path);

/* Takes a connected socket. trusted: only this machine's user can have made it, so that clear text does even with
 * tls_only. */
void rpc_server_accept(struct rpc_server *server, int fd, bool trusted);

/* Sends its clients elsewhere: each connection closes when the calls that are on their way have been answered. Takes no
 * new connections. Calls done(data) when none is left; never from inside. */
void rpc_server_drain(struct rpc_server *server, void (*done)(void *data), void *data);

/* Frees the server and ends every connection. Calls that are open still get `closed`, when the loop runs on; the loop
 * must not be gone before. */
void rpc_server_close(struct rpc_server *server);

/* Refuses every new call, or takes them again: the client learns that nothing was done about it. */
void rpc_server_refuse(struct rpc_server *server, bool refuse);

size_t rpc_server_calls(const struct rpc_server *server); /* requests in progress */
size_t rpc_server_busy(const struct rpc_server *server); /* calls in progress that are not open_ended (rpc.h) */
/* Ends the calls that are open_ended. */
void rpc_server_end_open(struct rpc_server *server, const struct error *why);
