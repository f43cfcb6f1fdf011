/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "http/cors.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/plain.h"
#include "http/sniffer.h"
#include "net/tls.h"
#include "net/transport.h"

enum {
	ROUTES_MAX = 16,
	WARN_EVERY_MS = 1000, /* of closed connections: a hostile peer can cause many */
	DRAIN_IDLE_MS = 1000, /* of idle connections in a drain: a request on its way has arrived by then */
	SWEEP_MIN_MS = 20,
	SWEEP_MAX_MS = 2500,
};

struct http_route {
	struct str prefix;
	const struct http_handler *handler;
	void *owner;
};

/* Connections that were closed for a reason, since the last warning. */
struct warnings {
	struct timer timer; /* runs since the last warning: the next waits for it */
	size_t count;
	struct error last_why;
	char last_peer[PEER_NAME_MAX];
};

struct http_server {
	struct loop *loop;
	struct http_server_options options;
	struct http_route routes[ROUTES_MAX]; /* the longest prefix first */
	size_t route_count;
	struct list connections;
	size_t connection_count;
	bool warned_full; /* since the server was full last */
	bool closing;
	bool refusing;
	uint32_t sweep_ms;
	struct timer sweep; /* looks for peers that are too slow */
	struct warnings warnings;
	struct timer drained; /* reports the end of a drain in its own turn */
	void (*on_drained)(void *data); /* NULL: no drain */
	void *drain_data;
};

struct server_connection {
	bool trusted;
	bool dismissed; /* it was idle for too long */
	struct http_server *server;
	struct sniffer *sniffer; /* until it is known what the peer speaks */
	struct http_connection *http; /* from then on */
	struct list link;
};

/* --- routes ------------------------------------------------------------------------------------------------------- */

static bool is_below(struct str path, struct str prefix) {
	if (prefix.len == 1)
		return true; /* "/" */
	if (!str_starts_with(path, prefix))
		return false;
	char after = path.len > prefix.len ? path.ptr[prefix.len] : '/';
	return after == '/' || after == '?' || prefix.ptr[prefix.len - 1] == '/';
}

static const struct http_route *find_route(const struct http_server *server, struct str path) {
	for (size_t i = 0; i < server->route_count; i++)
		if (is_below(path, server->routes[i].prefix))
			return &server->routes[i];
	return NULL;
}

void http_server_route(struct http_server *server, const char *prefix, const struct http_handler *handler,
		       void *owner) {
	struct http_route route = {.prefix = str_from(prefix), .handler = handler, .owner = owner};
	ASSERT(server->route_count < ROUTES_MAX && prefix[0] == '/' && list_is_empty(&server->connections));
	size_t at = server->route_count++;
	for (; at > 0 && server->routes[at - 1].prefix.len < route.prefix.len; at--)
		server->routes[at] = server->routes[at - 1];
	server->routes[at] = route;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct http_stream *refuse_too_large(const struct http_server *server, struct http_request_head *head) {
	return http_plain_new(&(
		struct http_plain_answer){.status = 431,
					  .text = arena_printf(&head->arena,
							       "The headers have %zu bytes; max-header-bytes is %u.\n",
							       head->header_bytes,
							       server->options.limits.header_bytes)});
}

static struct http_stream *route_request(const struct http_server *server, const struct http_request_head *head) {
	static const struct http_plain_answer not_found = {.status = 404, .text = "There is nothing at this path.\n"};
	const struct http_route *route = find_route(server, head->path);
	if (route == NULL)
		return http_plain_new(&not_found);
	struct http_stream *stream = route->handler->new_stream(route->owner, head);
	if (stream != NULL)
		stream->route = route;
	return stream;
}

static struct http_stream *check_page(const struct http_server *server, const struct http_request_head *head) {
	static const struct http_plain_answer preflight = {.status = 204, .text = ""};
	static const struct http_plain_answer forbidden =
		{.status = 403,
		 .text = "Pages of this origin may not call here; add it to the allowed origins.\n",
		 .no_cors = true};
	if (!cors_allows(server->options.origins, &head->headers))
		return http_plain_new(&forbidden);
	return cors_is_preflight(head->method, &head->headers) ? http_plain_new(&preflight)
							       : route_request(server, head);
}

static struct http_stream *on_new_stream(struct http_connection *http, struct http_request_head *head) {
	const struct http_server *server = ((struct server_connection *)http->owner)->server;
	bool has_origin = cors_origin(&head->headers).ptr != NULL;
	if (server->refusing)
		return NULL;
	struct http_stream *stream = head->is_too_large ? refuse_too_large(server, head)
				     : has_origin       ? check_page(server, head)
							: route_request(server, head);
	if (stream != NULL)
		stream->has_origin = has_origin;
	return stream;
}

static void on_request(struct http_connection *http UNUSED, struct http_stream *stream) {
	if (stream->route != NULL)
		stream->route->handler->request(stream->route->owner, stream);
}

/* --- warnings ----------------------------------------------------------------------------------------------------- */

static void warn(struct http_server *server) {
	struct warnings *warnings = &server->warnings;
	if (warnings->count == 1)
		log_failure(LOG_WARN, &warnings->last_why, "closed the connection from %s", warnings->last_peer);
	else if (warnings->count > 1)
		log_failure(LOG_WARN, &warnings->last_why, "closed %zu more connections; the last from %s",
			    warnings->count, warnings->last_peer);
	warnings->count = 0;
}

static void on_warn(struct timer *timer) {
	struct http_server *server = CONTAINER_OF(timer, struct http_server, warnings.timer);
	if (server->warnings.count > 0)
		timer_start(server->loop, timer, WARN_EVERY_MS);
	warn(server);
}

/* Logs why a connection was closed. The first peer that broke a rule or passed a limit is named at once; those of the
 * following second are counted, and the last of them is named. */
static void report_closed(struct http_server *server, const char *peer, const struct error *why) {
	struct warnings *warnings = &server->warnings;
	if (why->code == CODE_UNAVAILABLE || why->code == CODE_CANCELLED) {
		log_failure(LOG_DEBUG, why, "a connection from %s ended", peer);
		return;
	}
	warnings->count++;
	warnings->last_why = *why;
	snprintf(warnings->last_peer, sizeof warnings->last_peer, "%s", peer);
	if (timer_is_running(&warnings->timer))
		return;
	warn(server);
	timer_start(server->loop, &warnings->timer, WARN_EVERY_MS);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void free_if_closed(struct http_server *server) {
	if (!server->closing || server->connection_count > 0)
		return;
	timer_stop(server->loop, &server->drained);
	timer_stop(server->loop, &server->warnings.timer);
	warn(server);
	tls_config_unref(server->options.tls);
	free(server);
}

static void forget(struct server_connection *connection) {
	struct http_server *server = connection->server;
	list_remove(&connection->link);
	free(connection);
	server->connection_count--;
	server->warned_full = false;
	if (server->on_drained != NULL && server->connection_count == 0)
		timer_start(server->loop, &server->drained, 0);
	free_if_closed(server);
}

static void on_connection_closed(struct http_connection *http, const struct error *why) {
	struct server_connection *connection = http->owner;
	if (why != NULL)
		report_closed(connection->server, http->peer, why);
	forget(connection);
}

static void ignore(struct http_connection *http UNUSED) {
}

static const struct http_connection_events connection_events = {
	.ready = ignore,
	.new_stream = on_new_stream,
	.request = on_request,
	.going_away = ignore,
	.closed = on_connection_closed,
};

#define TLS_WANTED_TEXT "this port takes TLS only; use https://"

/* Tells a peer that speaks in clear text why it is refused: in HTTP/1.1 by an answer, in HTTP/2 by an empty SETTINGS
 * and a GOAWAY with INADEQUATE_SECURITY (12, RFC 9113 section 7) and a text. Nothing of what it sent is looked at. */
static void refuse_clear_text(struct transport *transport, unsigned version) {
	enum { GOAWAY_BYTES = 0x2E };
	_Static_assert(GOAWAY_BYTES == 8 + sizeof TLS_WANTED_TEXT - 1, "the length in the frame below");
	static const struct str goaway = STR_INIT("\x00\x00\x00\x04\x00\x00\x00\x00\x00"
						  "\x00\x00\x2E\x07\x00\x00\x00\x00\x00"
						  "\x00\x00\x00\x00\x00\x00\x00\x0C" TLS_WANTED_TEXT);
	char answer[256];
	int len = snprintf(answer, sizeof answer,
			   "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
			   "content-length: %zu\r\n\r\n%s\n",
			   sizeof TLS_WANTED_TEXT, TLS_WANTED_TEXT);
	transport_write(transport, version == 2 ? goaway : str_new(answer, (size_t)len));
	transport_linger(transport);
}

static void on_recognised(void *owner, struct transport *transport, unsigned version, struct str first) {
	struct server_connection *connection = owner;
	struct http_server *server = connection->server;
	bool refused = server->options.tls_only && !connection->trusted && transport->tls == NULL;
	connection->sniffer = NULL;
	connection->http = (version == 2 ? h2_accept : h1_accept)(transport, &server->options.limits,
								  &connection_events, connection);
	if (refused) {
		struct error err;
		error_set(&err, CODE_UNAUTHENTICATED, "it speaks in clear text, and only TLS is taken here");
		refuse_clear_text(transport, version);
		http_connection_close(connection->http, &err);
		return;
	}
	if (server->on_drained != NULL)
		http_connection_shutdown(connection->http);
	http_connection_receive(connection->http, first);
}

static void on_sniffer_closed(void *owner, const char *peer, const struct error *why) {
	struct server_connection *connection = owner;
	if (why != NULL)
		report_closed(connection->server, peer, why);
	forget(connection);
}

static const struct sniffer_events sniffer_events = {.recognised = on_recognised, .closed = on_sniffer_closed};

static bool takes_connections(struct http_server *server) {
	bool full = server->connection_count >= server->options.connections_max;
	if (full && !server->warned_full)
		log_warn("refusing connections: there are %zu, and max-connections is %zu", server->connection_count,
			 server->options.connections_max);
	server->warned_full |= full;
	return !full && !server->closing && server->on_drained == NULL;
}

void http_server_accept(struct http_server *server, int fd, bool trusted) {
	if (!takes_connections(server)) {
		close(fd);
		return;
	}
	if (server->options.tls != NULL)
		tls_config_refresh(server->options.tls);
	struct server_connection *connection = mem_zalloc(sizeof *connection);
	connection->server = server;
	connection->trusted = trusted;
	connection->sniffer = sniffer_open(server->loop, fd, server->options.tls, &sniffer_events, connection);
	if (connection->sniffer == NULL) {
		free(connection);
		return;
	}
	list_append(&server->connections, &connection->link);
	server->connection_count++;
	if (!timer_is_running(&server->sweep))
		timer_start(server->loop, &server->sweep, server->sweep_ms);
}

static void close_connection(struct server_connection *connection, const struct error *why) {
	if (connection->http != NULL)
		http_connection_close(connection->http, why);
	else
		sniffer_close(connection->sniffer, why);
}

/* --- peers that are too slow -------------------------------------------------------------------------------------- */

static bool is_over(uint64_t now, uint64_t since, uint32_t limit) {
	return limit != HTTP_NEVER && now > since && now - since > limit;
}

static int too_slow(struct error *err, const char *what, const char *limit, uint32_t ms) {
	return error_set(err, CODE_DEADLINE_EXCEEDED, "%s; %s is %u ms", what, limit, ms);
}

static bool waits_for_rest(const struct http_stream *stream) {
	if (stream->received_end)
		return false;
	return stream->plain != NULL || stream->route->handler->is_stalled(stream->route->owner, stream);
}

/* A peer that waits for the handler is not too slow: the handler holds a whole window, or has not responded. */
static int check_stream(const struct http_limits *limits, const struct http_stream *stream, uint64_t now,
			struct error *err) {
	if (!is_over(now, stream->progress_ms, limits->stall_ms))
		return 0;
	if (stream->lent < limits->window && waits_for_rest(stream))
		return too_slow(err, "it stopped in the middle of a message", "stall-timeout", limits->stall_ms);
	if (buf_len(&stream->unsent) > 0 && stream->status != 0)
		return too_slow(err, "it does not read its answer", "stall-timeout", limits->stall_ms);
	return 0;
}

static int check_connection(const struct server_connection *connection, uint64_t now, struct error *err) {
	const struct http_limits *limits = &connection->server->options.limits;
	const struct http_connection *http = connection->http;
	if (http == NULL)
		return is_over(now, sniffer_since_ms(connection->sniffer), limits->header_ms)
			       ? too_slow(err, "it did not tell what it speaks", "header-timeout", limits->header_ms)
			       : 0;
	if (http->head_ms != 0 && is_over(now, http->head_ms, limits->header_ms))
		return too_slow(err, "it did not complete the headers of a request", "header-timeout",
				limits->header_ms);
	if (transport_is_backed_up(http->transport) && is_over(now, http->progress_ms, limits->stall_ms))
		return too_slow(err, "it does not read what is sent to it", "stall-timeout", limits->stall_ms);
	LIST_FOREACH(link, &http->streams)
		if (check_stream(limits, LIST_ENTRY(link, struct http_stream, link), now, err) < 0)
			return -1;
	return 0;
}

/* Repeated in each sweep until the connection is gone. */
static void dismiss(struct server_connection *connection, uint32_t idle_ms) {
	if (!connection->dismissed)
		log_debug("closing the connection from %s, which had no request; idle-timeout is %u ms",
			  connection->http->peer, idle_ms);
	connection->dismissed = true;
	http_connection_shutdown(connection->http);
}

static void sweep_connection(struct server_connection *connection, uint64_t now, uint32_t idle_ms) {
	const struct http_connection *http = connection->http;
	struct error err;
	if (check_connection(connection, now, &err) < 0)
		close_connection(connection, &err);
	else if (http != NULL && http->stream_count == 0 && is_over(now, http->progress_ms, idle_ms))
		dismiss(connection, idle_ms);
}

static void on_sweep(struct timer *timer) {
	struct http_server *server = CONTAINER_OF(timer, struct http_server, sweep);
	uint32_t idle_ms = server->options.limits.idle_ms;
	if (server->on_drained != NULL)
		idle_ms = MIN(DRAIN_IDLE_MS, idle_ms);
	LIST_FOREACH(link, &server->connections)
		sweep_connection(LIST_ENTRY(link, struct server_connection, link), loop_now_ms(server->loop), idle_ms);
	if (server->connection_count > 0)
		timer_start(server->loop, timer, server->sweep_ms);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void report_drained(struct timer *timer) {
	struct http_server *server = CONTAINER_OF(timer, struct http_server, drained);
	server->on_drained(server->drain_data);
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options) {
	struct http_server *server = mem_alloc(sizeof *server);
	*server = (struct http_server){.loop = loop,
				       .options = *options,
				       .drained.fire = report_drained,
				       .sweep.fire = on_sweep,
				       .warnings.timer.fire = on_warn};
	struct http_limits *limits = &server->options.limits;
	limits->header_ms = limits->header_ms ? limits->header_ms : http_limits_default.header_ms;
	limits->stall_ms = limits->stall_ms ? limits->stall_ms : http_limits_default.stall_ms;
	limits->idle_ms = limits->idle_ms ? limits->idle_ms : http_limits_default.idle_ms;
	ASSERT(limits->header_bytes <= HTTP_HEADER_BYTES_MAX);
	uint32_t shortest = MIN(MIN(limits->header_ms, limits->stall_ms), limits->idle_ms);
	server->sweep_ms = MIN(MAX(shortest / 4, (uint32_t)SWEEP_MIN_MS), (uint32_t)SWEEP_MAX_MS);
	tls_config_ref(server->options.tls);
	list_init(&server->connections);
	return server;
}

void http_server_drain(struct http_server *server, void (*done)(void *data), void *data) {
	server->on_drained = done;
	server->drain_data = data;
	LIST_FOREACH(link, &server->connections) {
		struct server_connection *connection = LIST_ENTRY(link, struct server_connection, link);
		if (connection->http != NULL)
			http_connection_shutdown(connection->http);
	}
	if (server->connection_count == 0)
		timer_start(server->loop, &server->drained, 0);
}

void http_server_refuse(struct http_server *server, bool refuse) {
	server->refusing = refuse;
}

void http_server_close(struct http_server *server) {
	if (server == NULL)
		return;
	server->closing = true;
	timer_stop(server->loop, &server->sweep);
	LIST_FOREACH(link, &server->connections)
		close_connection(LIST_ENTRY(link, struct server_connection, link), NULL);
	free_if_closed(server);
}

size_t http_server_requests(const struct http_server *server) {
	size_t requests = 0;
	LIST_FOREACH(link, &server->connections) {
		const struct http_connection *http = LIST_ENTRY(link, struct server_connection, link)->http;
		requests += http != NULL ? http->stream_count : 0;
	}
	return requests;
}

void http_server_visit(struct http_server *server, const void *owner,
		       void (*visit)(struct http_stream *stream, void *data), void *data) {
	LIST_FOREACH(link, &server->connections) {
		struct http_connection *http = LIST_ENTRY(link, struct server_connection, link)->http;
		if (http == NULL)
			continue;
		LIST_FOREACH(item, &http->streams) {
			struct http_stream *stream = LIST_ENTRY(item, struct http_stream, link);
			if (stream->route != NULL && stream->route->owner == owner)
				visit(stream, data);
		}
	}
}
