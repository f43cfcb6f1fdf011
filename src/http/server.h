/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server on one loop: takes connected sockets, tells TLS, HTTP/1.1 and HTTP/2 apart, and gives each request to
 * the handler whose prefix its path begins with. It closes connections whose peers are too slow or break a rule, and
 * logs why.
 *
 * It answers by itself what becomes no request of a handler: headers over the limit (431), pages of an origin that is
 * not allowed (403), preflights (204), and paths below no prefix (404).
 */
#pragma once

#include "http/http.h"
#include "net/loop.h"

struct http_server;
struct tls_config;

/* What answers the requests below a prefix: a constant. `owner` is what was given with it to http_server_route. */
struct http_handler {
	/* Memory for a request with these headers: a stream that http_stream_init has just made, with an arena of at
	 * least HTTP_HEAD_ARENA_MAX. It is the handler's again in the stream's event `closed`. NULL refuses the
	 * request: the client learns that nothing was done about it. */
	struct http_stream *(*new_stream)(void *owner, const struct http_request_head *head);
	/* The stream holds the request's headers; its body follows by stream->events. May answer at once. */
	void (*request)(void *owner, struct http_stream *stream);
	/* Whether the stream has received a part of a message and waits for the rest. Asked when the peer has sent
	 * nothing for stall_ms and the request has not ended; true closes the connection. */
	bool (*is_stalled)(void *owner, const struct http_stream *stream);
};

struct http_server_options {
	struct http_limits limits;
	size_t connections_max; /* "max-connections": a further one is closed at once */
	struct tls_config *tls; /* NULL: in clear only. With it, TLS and clear text are told apart by the first bytes */
	bool tls_only; /* refuses clear text */
	const char *const *origins; /* cors.h; NULL-terminated, borrowed. NULL: pages of this machine only */
};

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options);

/* The handler takes the requests whose path is prefix or continues it with "/" or "?"; of several the longest prefix
 * wins. "/" takes all that is left, such as "*". handler and prefix are borrowed for the life of the server. */
void http_server_route(struct http_server *server, const char *prefix, const struct http_handler *handler, void *owner);

/* Takes a connected socket. trusted: only this machine's user can have made it, so that clear text does even with
 * tls_only. */
void http_server_accept(struct http_server *server, int fd, bool trusted);

/* Sends the clients elsewhere: each connection closes when its requests in progress have been answered, and new
 * connections are closed at once. Calls done(data) when no connection is left; never from inside. */
void http_server_drain(struct http_server *server, void (*done)(void *data), void *data);

/* Refuses every new request, or takes them again: the client learns that nothing was done about it. */
void http_server_refuse(struct http_server *server, bool refuse);

/* Ends every connection. From here on no handler is called; the streams that are open still get `closed`, when the loop
 * runs on, and the loop must not be gone before. */
void http_server_close(struct http_server *server);

size_t http_server_requests(const struct http_server *server); /* in progress, of every handler */

/* Calls visit(stream, data) for each open stream of the routes with this owner. visit may end the stream. */
void http_server_visit(struct http_server *server, const void *owner,
		       void (*visit)(struct http_stream *stream, void *data), void *data);
