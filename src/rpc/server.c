/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/pool.h"
#include "http/cors.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/sniffer.h"
#include "net/tls.h"
#include "net/transport.h"
#include "rpc/grpc.h"
#include "rpc/protocol.h"
#include "rpc/transcode.h"

enum {
	WARN_EVERY_MS = 1000, /* of peers that mean harm: they can be many */
	DRAIN_IDLE_MS = 1000, /* of connections that are to go: a request on its way is here by then */
};

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
	bool refusing;
	uint32_t sweep_ms;
	struct timer sweep; /* looks for peers that are too slow */
	struct timer warn; /* runs since the last warning: the next waits for it */
	size_t unwarned; /* connections that were closed for a reason since */
	struct error unwarned_why; /* of the last of them */
	char unwarned_peer[PEER_NAME_MAX];
	struct timer drained; /* reports the end of a drain in its own turn */
	void (*on_drained)(void *data);
	void *drain_data;
};

struct route {
	const struct rpc_method *method;
	void *service;
};

struct server_connection {
	bool trusted;
	bool dismissed; /* it was idle for too long */
	struct rpc_server *server;
	struct sniffer *sniffer; /* until it is known what it speaks */
	struct http_connection *http; /* from then on */
	struct list link;
};

const struct rpc_server_options rpc_server_options_default = {
	.http = {.streams = 256,
		 .window = 256 << 10,
		 .header_bytes = 16 << 10,
		 .header_ms = 10000,
		 .stall_ms = 60000,
		 .idle_ms = 600000},
	.message_max = RPC_MESSAGE_MAX_DEFAULT,
	.held_max = LOOP_HELD_MAX_DEFAULT,
	.connections_max = 20000,
};

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct http_stream *on_new_stream(struct http_connection *http) {
	struct server_connection *connection = http->owner;
	struct rpc_server *server = connection->server;
	struct rpc_stream *stream = pool_alloc(sizeof *stream);
	rpc_stream_init(stream, server->loop, &grpc_codec);
	stream->message_max = server->options.message_max;
	return &stream->http;
}

/* --- what is no rpc at all ---------------------------------------------------------------------------------------- */

struct plain_answer {
	unsigned status;
	const char *text;
};

static void send_plain(struct rpc_stream *stream) {
	const struct plain_answer *answer = stream->owner;
	struct http_headers headers = {0};
	struct arena *arena = &stream->http.arena;
	if (answer->status != 204)
		http_headers_add(&headers, arena, STR("content-type"), STR("text/plain; charset=utf-8"));
	if (answer->status == 405)
		http_headers_add(&headers, arena, STR("allow"), STR("POST, GET"));
	if (answer->status == 415)
		http_headers_add(
			&headers, arena, STR("accept-post"),
			STR("application/grpc, application/grpc-web, application/grpc-web-text, application/json, "
			    "application/proto, application/connect+json, application/connect+proto"));
	if (answer->status != 403)
		cors_add_headers(&stream->http, &headers);
	http_respond(&stream->http, answer->status, &headers);
	http_stream_write(&stream->http, str_from(answer->text));
	http_stream_finish(&stream->http);
}

static void drop_body(struct rpc_stream *stream, struct str bytes) {
	http_stream_consume(&stream->http, bytes.len);
}

static void finish_plain(struct rpc_stream *stream) {
	send_plain(stream);
	rpc_state_move(&stream->state, RPC_ENDED);
}

static const struct rpc_codec plain_codec = {
	.name = "HTTP",
	.receive = drop_body,
	.receive_end = finish_plain,
	.finish = send_plain,
};

/* Answers in plain HTTP when the request is over: a client that still sends may not look at what comes before. */
static void answer_plain(struct rpc_stream *stream, unsigned status, const char *text) {
	struct plain_answer *answer = arena_alloc(&stream->http.arena, sizeof *answer);
	*answer = (struct plain_answer){status, text};
	timer_stop(stream->loop, &stream->deadline_timer);
	transcode_release(stream);
	stream->owner = answer;
	stream->codec = &plain_codec;
}

static void start_method(struct rpc_server *server, struct rpc_stream *stream) {
	struct route *route = map_get(&server->routes, stream->http.path);
	if (route == NULL && server->fallback != NULL) {
		stream->service = server->fallback_service;
		server->fallback(stream);
		return;
	}
	if (route == NULL && stream->codec->is_plain) {
		answer_plain(stream, 404, "There is no such method here.\n");
		return;
	}
	if (route == NULL) {
		char *text =
			arena_printf(&stream->http.arena, "there is no method %.*s here",
				     STR_ARG(str_new(stream->http.path.ptr, MIN(stream->http.path.len, (size_t)200))));
		rpc_finish(stream, CODE_UNIMPLEMENTED, text);
		return;
	}
	if (server->refusing) {
		rpc_refuse(stream);
		return;
	}
	stream->method = route->method;
	stream->service = route->service;
	route->method->start(stream);
}

/* Answers what cannot become a call. */
static bool answer_early(struct rpc_server *server, struct rpc_stream *stream) {
	struct http_stream *http = &stream->http;
	if (http->headers_over) {
		answer_plain(stream, 431,
			     arena_printf(&http->arena, "The headers have %zu bytes; max-header-bytes is %u.\n",
					  http->header_bytes, server->options.http.header_bytes));
		return true;
	}
	if (!cors_allows(server->options.origins, http)) {
		answer_plain(stream, 403, "Pages of this origin may not call here; add it to the allowed origins.\n");
		return true;
	}
	if (cors_is_preflight(http)) {
		answer_plain(stream, 204, "");
		return true;
	}
	return false;
}

static void on_request(struct http_connection *http, struct http_stream *http_stream) {
	struct server_connection *connection = http->owner;
	struct rpc_server *server = connection->server;
	struct rpc_stream *stream = CONTAINER_OF(http_stream, struct rpc_stream, http);
	struct error err;
	if (answer_early(server, stream))
		return;
	unsigned status = protocol_choose(stream, server->options.types, &err);
	if (status != 0) {
		answer_plain(stream, status, arena_printf(&http_stream->arena, "%s\n", err.msg));
		return;
	}
	cors_add_headers(http_stream, &stream->response_headers);
	if (err.code != CODE_OK && rpc_server_has_method(server, http_stream->path))
		rpc_fail(stream, &err);
	else
		start_method(server, stream);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void warn(struct rpc_server *server) {
	if (server->unwarned == 1)
		log_failure(LOG_WARN, &server->unwarned_why, "closed the connection from %s", server->unwarned_peer);
	else if (server->unwarned > 1)
		log_failure(LOG_WARN, &server->unwarned_why, "closed %zu more connections; the last from %s",
			    server->unwarned, server->unwarned_peer);
	server->unwarned = 0;
}

static void on_warn(struct timer *timer) {
	struct rpc_server *server = CONTAINER_OF(timer, struct rpc_server, warn);
	if (server->unwarned > 0)
		timer_start(server->loop, timer, WARN_EVERY_MS);
	warn(server);
}

static void destroy_if_done(struct rpc_server *server) {
	if (!server->closing || server->connection_count > 0)
		return;
	timer_stop(server->loop, &server->drained);
	timer_stop(server->loop, &server->sweep);
	timer_stop(server->loop, &server->warn);
	warn(server);
	tls_config_unref(server->options.tls);
	for (size_t cursor = 0;;) {
		struct route *route = map_next(&server->routes, &cursor);
		if (route == NULL)
			break;
		free(route);
	}
	map_deinit(&server->routes);
	free(server);
}

/* Whoever broke a rule or passed a limit is named, once; of many at a time all are counted, and the last named. */
static void tell_why(struct rpc_server *server, const char *peer, const struct error *why) {
	if (why->code == CODE_UNAVAILABLE || why->code == CODE_CANCELLED) {
		log_failure(LOG_DEBUG, why, "a connection from %s ended", peer);
		return;
	}
	server->unwarned++;
	server->unwarned_why = *why;
	snprintf(server->unwarned_peer, sizeof server->unwarned_peer, "%s", peer);
	if (timer_is_running(&server->warn))
		return;
	warn(server);
	timer_start(server->loop, &server->warn, WARN_EVERY_MS);
}

static void forget(struct server_connection *connection) {
	struct rpc_server *server = connection->server;
	list_remove(&connection->link);
	free(connection);
	server->connection_count--;
	server->full = false;
	if (server->on_drained != NULL && server->connection_count == 0)
		timer_start(server->loop, &server->drained, 0);
	destroy_if_done(server);
}

static void on_connection_closed(struct http_connection *http, const struct error *why) {
	struct server_connection *connection = http->owner;
	if (why != NULL)
		tell_why(connection->server, http->peer, why);
	forget(connection);
}

static void on_nothing(struct http_connection *http UNUSED) {
}

static const struct http_connection_events connection_events = {
	.ready = on_nothing,
	.new_stream = on_new_stream,
	.request = on_request,
	.going_away = on_nothing,
	.closed = on_connection_closed,
};

static void on_entered(void *owner, struct transport *transport, unsigned version, struct str first) {
	struct server_connection *connection = owner;
	struct rpc_server *server = connection->server;
	bool refused = server->options.tls_only && !connection->trusted && transport->tls == NULL;
	connection->sniffer = NULL;
	connection->http = (version == 2 ? h2_accept : h1_accept)(transport, &server->options.http, &connection_events,
								  connection);
	if (refused) {
		struct error err;
		error_set(&err, CODE_UNAUTHENTICATED, "it speaks in clear text, and only TLS is taken here");
		http_connection_close(connection->http, &err);
		return;
	}
	if (server->on_drained != NULL)
		http_connection_shutdown(connection->http);
	http_connection_receive(connection->http, first);
}

static void on_left(void *owner, const char *peer, const struct error *why) {
	struct server_connection *connection = owner;
	if (why != NULL)
		tell_why(connection->server, peer, why);
	forget(connection);
}

static const struct sniffer_events sniffer_events = {.entered = on_entered, .left = on_left};

void rpc_server_accept(struct rpc_server *server, int fd, bool trusted) {
	bool full = server->connection_count >= server->options.connections_max;
	if (full && !server->full)
		log_warn("refusing connections: there are %zu, and max-connections is %zu", server->connection_count,
			 server->options.connections_max);
	server->full |= full;
	if (full || server->closing || server->on_drained != NULL) {
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

/* --- peers that are too slow -------------------------------------------------------------------------------------- */

static bool is_over(uint64_t now, uint64_t since, uint32_t limit) {
	return limit != HTTP_NEVER && now > since && now - since > limit;
}

static int too_slow(struct error *err, const char *what, const char *limit, uint32_t ms) {
	return error_set(err, CODE_DEADLINE_EXCEEDED, "%s; %s is %u ms", what, limit, ms);
}

static bool is_within_message(const struct rpc_stream *stream) {
	if (stream->http.received_end || rpc_has_ended(stream))
		return false;
	return stream->codec == &plain_codec || stream->message_left > 0 || stream->prefix.len > 0 ||
	       (stream->transcoder != NULL && transcode_is_within_message(stream->transcoder));
}

/* Whether a stream waits for its peer for too long. What waits for us is not the peer's fault. */
static int check_stream(const struct rpc_server *server, const struct rpc_stream *stream, uint64_t now,
			struct error *err) {
	const struct http_limits *limits = &server->options.http;
	const struct http_stream *http = &stream->http;
	if (!http->in_trailers && is_over(now, http->progress_ms, limits->header_ms))
		return too_slow(err, "it did not complete the headers of a request", "header-timeout",
				limits->header_ms);
	if (!is_over(now, http->progress_ms, limits->stall_ms))
		return 0;
	if (is_within_message(stream) && http->lent < limits->window)
		return too_slow(err, "it stopped in the middle of a message", "stall-timeout", limits->stall_ms);
	if (buf_len(&http->unsent) > 0 && stream->state != RPC_OPEN)
		return too_slow(err, "it does not read its answer", "stall-timeout", limits->stall_ms);
	return 0;
}

static int check_connection(const struct rpc_server *server, const struct server_connection *connection, uint64_t now,
			    struct error *err) {
	const struct http_limits *limits = &server->options.http;
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
		if (check_stream(server, LIST_ENTRY(link, struct rpc_stream, http.link), now, err) < 0)
			return -1;
	return 0;
}

/* Again each time that it is looked at, until it is gone. */
static void dismiss(struct server_connection *connection, uint32_t idle_ms) {
	if (!connection->dismissed)
		log_debug("closing the connection from %s, which had no request; idle-timeout is %u ms",
			  connection->http->peer, idle_ms);
	connection->dismissed = true;
	http_connection_shutdown(connection->http);
}

static void on_sweep(struct timer *timer) {
	struct rpc_server *server = CONTAINER_OF(timer, struct rpc_server, sweep);
	uint64_t now = loop_now_ms(server->loop);
	uint32_t idle_ms = server->on_drained != NULL ? MIN(DRAIN_IDLE_MS, server->options.http.idle_ms)
						      : server->options.http.idle_ms;
	LIST_FOREACH(link, &server->connections) {
		struct server_connection *connection = LIST_ENTRY(link, struct server_connection, link);
		struct error err;
		if (check_connection(server, connection, now, &err) < 0) {
			if (connection->http != NULL)
				http_connection_close(connection->http, &err);
			else
				sniffer_close(connection->sniffer, &err);
		} else if (connection->http != NULL && connection->http->stream_count == 0 &&
			   is_over(now, connection->http->progress_ms, idle_ms)) {
			dismiss(connection, idle_ms);
		}
	}
	if (server->connection_count > 0)
		timer_start(server->loop, timer, server->sweep_ms);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void report_drained(struct timer *timer) {
	struct rpc_server *server = CONTAINER_OF(timer, struct rpc_server, drained);
	server->on_drained(server->drain_data);
}

struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options) {
	struct rpc_server *server = mem_alloc(sizeof *server);
	*server = (struct rpc_server){.loop = loop,
				      .options = *options,
				      .drained.fire = report_drained,
				      .sweep.fire = on_sweep,
				      .warn.fire = on_warn};
	struct http_limits *limits = &server->options.http;
	limits->header_ms = limits->header_ms ? limits->header_ms : http_limits_default.header_ms;
	limits->stall_ms = limits->stall_ms ? limits->stall_ms : http_limits_default.stall_ms;
	limits->idle_ms = limits->idle_ms ? limits->idle_ms : http_limits_default.idle_ms;
	if (options->held_max > 0)
		loop->held.max = options->held_max;
	ASSERT(limits->header_bytes <= RPC_HEADER_BYTES_MAX);
	uint32_t shortest = MIN(MIN(limits->header_ms, limits->stall_ms), limits->idle_ms);
	server->sweep_ms = MIN(MAX(shortest / 4, 20U), 2500U);
	tls_config_ref(server->options.tls);
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

bool rpc_server_has_method(const struct rpc_server *server, struct str path) {
	return server->fallback != NULL || map_get(&server->routes, path) != NULL;
}

void rpc_server_drain(struct rpc_server *server, void (*done)(void *data), void *data) {
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

void rpc_server_refuse(struct rpc_server *server, bool refuse) {
	server->refusing = refuse;
}

void rpc_server_close(struct rpc_server *server) {
	if (server == NULL)
		return;
	server->closing = true;
	LIST_FOREACH(link, &server->connections) {
		struct server_connection *connection = LIST_ENTRY(link, struct server_connection, link);
		if (connection->http != NULL)
			http_connection_close(connection->http, NULL);
		else
			sniffer_close(connection->sniffer, NULL);
	}
	destroy_if_done(server);
}

size_t rpc_server_calls(const struct rpc_server *server) {
	size_t calls = 0;
	LIST_FOREACH(link, &server->connections)
		if (LIST_ENTRY(link, struct server_connection, link)->http != NULL)
			calls += LIST_ENTRY(link, struct server_connection, link)->http->stream_count;
	return calls;
}

size_t rpc_server_busy(const struct rpc_server *server) {
	size_t busy = 0;
	LIST_FOREACH(link, &server->connections) {
		const struct http_connection *http = LIST_ENTRY(link, struct server_connection, link)->http;
		if (http == NULL)
			continue;
		LIST_FOREACH(stream, &http->streams)
			busy += !LIST_ENTRY(stream, struct rpc_stream, http.link)->open_ended;
	}
	return busy;
}

void rpc_server_end_open(struct rpc_server *server, const struct error *why) {
	LIST_FOREACH(link, &server->connections) {
		struct http_connection *http = LIST_ENTRY(link, struct server_connection, link)->http;
		if (http == NULL)
			continue;
		LIST_FOREACH(item, &http->streams) {
			struct rpc_stream *stream = LIST_ENTRY(item, struct rpc_stream, http.link);
			if (stream->open_ended && !rpc_has_ended(stream))
				rpc_fail(stream, why);
		}
	}
}
