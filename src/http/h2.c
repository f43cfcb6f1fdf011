/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nghttp2 reads and writes the frames; the files h2_*.c move bytes between it and the transport, and turn its callbacks
 * into the events of http.h:
 *
 *  h2.c             operations, the transport's events, life
 *  h2_session.c     the nghttp2 session
 *  h2_receive.c     requests, headers, bodies, ends
 *  h2_send.c        headers, bodies, the flush at the end of a turn
 *  h2_limits.c      budgets of frames
 *  h2_connection.c  the struct, its states and ends
 */
#include "http/h2.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/reasons.h"
#include "http/h2_send.h"
#include "http/h2_session.h"

static void on_transport_connected(struct transport *transport, const struct error *err);
static void on_transport_read(struct transport *transport, struct str bytes);
static void on_transport_end(struct transport *transport, const struct error *err);
static void on_transport_drained(struct transport *transport);
static void on_transport_closed(struct transport *transport);
static void h2_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers);
static void h2_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers);
static void h2_output(struct http_stream *stream);
static void h2_consume(struct http_stream *stream, size_t size);
static void h2_reset(struct http_stream *stream, bool refused);
static void h2_ping(struct http_connection *connection);
static void h2_receive(struct http_connection *connection, struct str bytes);
static void h2_shutdown(struct http_connection *connection);

static const struct transport_events transport_events = {
	.on_connected = on_transport_connected,
	.on_read = on_transport_read,
	.on_end = on_transport_end,
	.on_drained = on_transport_drained,
	.on_closed = on_transport_closed,
};

static const struct http_connection_ops h2_ops = {
	.request = h2_request,
	.respond = h2_respond,
	.output = h2_output,
	.consume = h2_consume,
	.reset = h2_reset,
	.ping = h2_ping,
	.receive = h2_receive,
	.shutdown = h2_shutdown,
	.close = h2_close,
};

/* --- operations --------------------------------------------------------------------------------------------------- */

static void h2_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers) {
	struct h2 *h2 = h2_of(connection);
	h2_attach_stream(h2, stream);
	stream->id = h2_submit_request(h2, stream, headers);
	h2_mark_dirty(h2);
	if ((uint32_t)stream->id / 2 + 1 >= h2->limits.requests) {
		connection->going_away = true;
		h2_shutdown(connection);
	}
}

static void h2_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers) {
	struct h2 *h2 = h2_of_stream(stream);
	h2_submit_response(h2, stream, status, headers);
	stream->status = status;
	h2_mark_dirty(h2);
}

static void h2_output(struct http_stream *stream) {
	struct h2 *h2 = h2_of_stream(stream);
	if (stream->h2.deferred) {
		stream->h2.deferred = false;
		nghttp2_session_resume_data(h2->session, stream->id);
	}
	h2_mark_dirty(h2);
}

static void h2_consume(struct http_stream *stream, size_t size) {
	struct h2 *h2 = h2_of_stream(stream);
	nghttp2_session_consume_stream(h2->session, stream->id, size);
	h2_mark_dirty(h2);
}

static void h2_reset(struct http_stream *stream, bool refused) {
	struct h2 *h2 = h2_of_stream(stream);
	if (refused)
		h2_refuse_stream(h2, stream->id);
	else
		nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	h2_mark_dirty(h2);
}

static void h2_ping(struct http_connection *connection) {
	struct h2 *h2 = h2_of(connection);
	nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	h2_mark_dirty(h2);
}

static void h2_receive(struct http_connection *connection, struct str bytes) {
	if (bytes.len > 0)
		on_transport_read(connection->transport, bytes);
}

static void announce_goaway(struct h2 *h2) {
	h2_state_move(&h2->state, H2_SHUTTING_DOWN);
	nghttp2_submit_shutdown_notice(h2->session);
	nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	h2_mark_dirty(h2);
}

static void h2_shutdown(struct http_connection *connection) {
	struct h2 *h2 = h2_of(connection);
	switch (h2->state) {
	case H2_CONNECTING:
		h2_close(connection, NULL);
		return;
	case H2_OPEN:
		if (connection->is_server)
			announce_goaway(h2);
		else
			h2_send_goaway(h2);
		break;
	case H2_SHUTTING_DOWN:
		h2_send_goaway(h2);
		break;
	case H2_GOAWAY_SENT:
	case H2_TERMINATED:
	case H2_CLOSING:
		return;
	}
	if (!connection->is_server && connection->stream_count == 0)
		h2_close(connection, NULL);
}

/* --- the transport's events --------------------------------------------------------------------------------------- */

static void on_transport_connected(struct transport *transport, const struct error *err) {
	struct h2 *h2 = transport->owner;
	struct error other;
	if (err == NULL && transport->tls != NULL && !str_eq(transport_protocol(transport), STR("h2"))) {
		error_set(&other, CODE_UNAVAILABLE,
			  "the peer does not speak HTTP/2 over TLS (it chose \"%.*s\" by ALPN)",
			  STR_ARG(transport_protocol(transport)));
		err = &other;
	}
	if (err != NULL) {
		h2_close(&h2->http, err);
		return;
	}
	h2_start_session(h2);
	h2->http.events->ready(&h2->http);
}

static void on_attached(struct timer *timer) {
	on_transport_connected(CONTAINER_OF(timer, struct h2, attached)->http.transport, NULL);
}

/* A server that speaks TLS on this port sends an alert (record 21 of RFC 8446, version 3), one of HTTP/1 an answer in
 * text. Both would be the length of a frame past every limit, so no HTTP/2 begins like this. */
static bool refuse_other_protocol(struct h2 *h2, struct str bytes) {
	struct error err;
	if (str_starts_with(bytes, STR("\x15\x03"))) {
		error_set(&err, CODE_UNAVAILABLE, "the peer speaks TLS, and this side spoke in clear text");
		error_set_reason(&err, REASON_TLS_WANTED);
	} else if (str_starts_with(bytes, STR("HTTP/1."))) {
		error_set(&err, CODE_UNAVAILABLE, "the peer answers in HTTP/1, and HTTP/2 is spoken to it: %.*s",
			  STR_ARG(str_cut(bytes, '\r', &(struct str){0})));
	} else {
		return false;
	}
	h2_close(&h2->http, &err);
	return true;
}

static void on_transport_read(struct transport *transport, struct str bytes) {
	struct h2 *h2 = transport->owner;
	h2->http.progress_ms = loop_now_ms(h2->loop);
	if (!h2->proven && !h2->http.is_server && refuse_other_protocol(h2, bytes))
		return;
	ssize_t taken = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
	if (h2->state == H2_CLOSING)
		return;
	if (taken < 0) {
		struct error err;
		error_set(&err, taken == NGHTTP2_ERR_FLOODED ? CODE_RESOURCE_EXHAUSTED : h2_breach_code(h2),
			  "it broke the rules of HTTP/2: %s", nghttp2_strerror((int)taken));
		h2_close(&h2->http, &err);
		return;
	}
	h2_mark_dirty(h2);
}

static void on_transport_end(struct transport *transport, const struct error *err) {
	struct h2 *h2 = transport->owner;
	struct error lost;
	if (h2->state == H2_TERMINATED)
		err = &h2->why;
	else if (err == NULL && h2->http.stream_count > 0)
		error_set(&lost, CODE_UNAVAILABLE, "the peer closed the connection");
	h2_close(&h2->http, err ? err : h2->http.stream_count > 0 ? &lost : NULL);
}

static void on_transport_drained(struct transport *transport) {
	struct h2 *h2 = transport->owner;
	h2->http.progress_ms = loop_now_ms(h2->loop);
	h2_mark_dirty(h2);
}

static void on_transport_closed(struct transport *transport) {
	struct h2 *h2 = transport->owner;
	const struct error *why = h2->why.code == CODE_OK ? NULL : &h2->why;
	while (!list_is_empty(&h2->http.streams)) {
		struct http_stream *stream = LIST_ENTRY(h2->http.streams.next, struct http_stream, link);
		struct error ended;
		if (why == NULL)
			error_set(&ended, CODE_UNAVAILABLE, "the connection was closed");
		stream->unprocessed = !h2->http.is_server && !stream->h2.sent;
		h2_detach_stream(h2, stream, why ? why : &ended);
	}
	h2->http.events->closed(&h2->http, why);
	nghttp2_session_del(h2->session);
	http_request_head_deinit(&h2->block.request);
	free(h2);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static struct h2 *h2_new(struct loop *loop, const struct http_limits *limits,
			 const struct http_connection_events *events, void *owner) {
	struct h2 *h2 = mem_zalloc(sizeof *h2);
	h2->http = (struct http_connection){.ops = &h2_ops, .version = 2, .events = events, .owner = owner};
	h2->http.progress_ms = loop_now_ms(loop);
	h2->loop = loop;
	h2->limits = *limits;
	h2->limits.resets = limits->resets ? limits->resets : http_limits_default.resets;
	h2->limits.requests = limits->requests ? limits->requests : http_limits_default.requests;
	h2->limits.control_frames =
		limits->control_frames ? limits->control_frames : http_limits_default.control_frames;
	h2->http.stream_limit = 100; /* until the peer's settings are there */
	list_init(&h2->http.streams);
	http_request_head_init(&h2->block.request);
	flushable_init(&h2->flushable, h2_flush);
	return h2;
}

struct http_connection *h2_connect(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
				   const struct http_limits *limits, const struct http_connection_events *events,
				   void *owner) {
	struct h2 *h2 = h2_new(loop, limits, events, owner);
	h2->http.is_tls = tls != NULL;
	h2->http.transport = transport_connect(loop, endpoint, tls, &transport_events, h2);
	return &h2->http;
}

struct http_connection *h2_attach(struct loop *loop, int fd, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner) {
	static const struct endpoint nowhere = {.kind = ENDPOINT_UNIX};
	struct h2 *h2 = h2_new(loop, limits, events, owner);
	h2->http.transport = transport_open(loop, fd, &transport_events, h2);
	if (h2->http.transport == NULL) {
		/* The system refused the socket: fails in its own turn. */
		h2->http.transport = transport_connect(loop, &nowhere, NULL, &transport_events, h2);
		return &h2->http;
	}
	h2->attached.fire = on_attached;
	timer_start(loop, &h2->attached, 0);
	return &h2->http;
}

struct http_connection *h2_accept(struct transport *transport, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner) {
	struct h2 *h2 = h2_new(transport->loop, limits, events, owner);
	h2->http.is_server = true;
	h2->http.is_tls = transport->tls != NULL;
	h2->http.transport = transport;
	transport_hand_over(transport, &transport_events, h2);
	transport_peer_name(transport, h2->http.peer);
	h2_start_session(h2);
	return &h2->http;
}
