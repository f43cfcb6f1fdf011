/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1, in these files:
 *
 *  h1.c             operations, the flush at the end of a turn, the transport's events, life
 *  h1_receive.c     requests, headers, bodies, ends
 *  h1_send.c        heads and bodies
 *  h1_head.c        reads the head of a message
 *  h1_half_closed.c the client has ended its side
 *  h1_connection.c  the struct, its states and ends
 *
 * Output is pulled once a turn, as much as fits one buffer; while the kernel takes nothing, nothing more is produced.
 */
#include "http/h1.h"

#include <stdlib.h>

#include "base/memory.h"
#include "http/h1_half_closed.h"
#include "http/h1_receive.h"
#include "http/h1_send.h"

enum { OUTGOING_HEAD_MAX = 256 << 10 };

static void on_transport_connected(struct transport *transport, const struct error *err);
static void on_transport_read(struct transport *transport, struct str bytes);
static void on_transport_end(struct transport *transport, const struct error *err);
static void on_transport_drained(struct transport *transport);
static void on_transport_closed(struct transport *transport);
static void h1_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers);
static void h1_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers);
static void h1_output(struct http_stream *stream);
static void h1_consume(struct http_stream *stream, size_t size);
static void h1_reset(struct http_stream *stream, bool refused);
static void h1_receive(struct http_connection *connection, struct str bytes);
static void h1_shutdown(struct http_connection *connection);

static const struct transport_events transport_events = {
	.on_connected = on_transport_connected,
	.on_read = on_transport_read,
	.on_end = on_transport_end,
	.on_drained = on_transport_drained,
	.on_closed = on_transport_closed,
};

static const struct http_connection_ops h1_ops = {
	.request = h1_request,
	.respond = h1_respond,
	.output = h1_output,
	.consume = h1_consume,
	.reset = h1_reset,
	.receive = h1_receive,
	.shutdown = h1_shutdown,
	.close = h1_close,
};

static void flush(struct flushable *flushable) {
	/* Shared by the connections of a thread: it is empty between two flushes. */
	static _Thread_local char bytes[H1_OUTPUT_SIZE];
	struct h1 *h1 = CONTAINER_OF(flushable, struct h1, flushable);
	while (h1->life != H1_CLOSING && !transport_is_backed_up(h1->http.transport)) {
		struct h1_output output = {.bytes = bytes};
		h1_produce(h1, &output);
		if (output.len == 0)
			break;
		transport_write(h1->http.transport, str_new(bytes, output.len));
	}
	if (h1->life != H1_CLOSING)
		h1_settle(h1);
	if (h1->life != H1_CLOSING)
		h1_take_pending(h1);
	if (h1->life == H1_FINISHING && !transport_is_backed_up(h1->http.transport)) {
		if (h1->http.is_server)
			transport_linger(h1->http.transport);
		h1_close(&h1->http, NULL);
	}
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void h1_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers) {
	struct h1 *h1 = h1_of(connection);
	h1_attach_stream(h1, stream);
	h1_put_request(h1, headers);
	h1->keep_alive = true;
	h1_begin_head(h1);
	h1_mark_dirty(h1);
}

static void h1_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers) {
	struct h1 *h1 = h1_of(stream->connection);
	h1_put_response(h1, status, headers);
	stream->status = status;
	h1_mark_dirty(h1);
}

static void h1_output(struct http_stream *stream) {
	h1_mark_dirty(h1_of(stream->connection));
}

static void h1_consume(struct http_stream *stream, size_t size UNUSED) {
	struct h1 *h1 = h1_of(stream->connection);
	if (stream->lent < h1->limits.window)
		h1_mark_dirty(h1);
}

static void h1_reset(struct http_stream *stream, bool refused) {
	struct h1 *h1 = h1_of(stream->connection);
	struct error why;
	if (refused && h1->http.is_server && h1->sending == H1_NO_HEAD) {
		/* HTTP/1.1 can say it only by the status that asks to try again. */
		struct http_headers none = {0};
		h1_respond(stream, 503, &none);
		if (!stream->finished)
			http_stream_finish(stream);
		return;
	}
	error_set(&why, CODE_CANCELLED, "the call was given up");
	h1_close(&h1->http, &why);
}

static void h1_receive(struct http_connection *connection, struct str bytes) {
	transport_start_reading(connection->transport);
	if (bytes.len > 0)
		h1_receive_bytes(h1_of(connection), bytes);
}

static void h1_shutdown(struct http_connection *connection) {
	struct h1 *h1 = h1_of(connection);
	bool is_first = h1->life == H1_OPEN;
	if (h1->life == H1_CLOSING)
		return;
	if (is_first)
		h1_life_move(&h1->life, H1_SHUTTING_DOWN);
	h1->keep_alive = false;
	connection->going_away = true;
	/* A request may be on its way to a server: its answer says that the connection closes. */
	if (h1->stream == NULL && (!is_first || !connection->is_server))
		h1_finish(h1);
}

/* --- the transport's events --------------------------------------------------------------------------------------- */

static void on_transport_connected(struct transport *transport, const struct error *err) {
	struct h1 *h1 = transport->owner;
	if (err != NULL) {
		h1_close(&h1->http, err);
		return;
	}
	h1->http.version = 1;
	h1->http.going_away = false;
	transport_start_reading(transport);
	h1->http.events->ready(&h1->http);
	if (h1->life != H1_CLOSING)
		h1->http.events->proven(&h1->http);
}

static void on_transport_read(struct transport *transport, struct str bytes) {
	h1_receive_bytes(transport->owner, bytes);
}

static void on_transport_end(struct transport *transport, const struct error *err) {
	struct h1 *h1 = transport->owner;
	struct error lost;
	if (err == NULL && h1->http.is_server) {
		h1_take_end(h1);
		return;
	}
	if (err == NULL && h1->body == H1_BODY_UNTIL_CLOSE && h1->receiving == H1_BODY && h1->stream != NULL) {
		h1_end_received(h1);
		h1_close(&h1->http, NULL);
		return;
	}
	if (err == NULL && h1->stream != NULL)
		error_set(&lost, CODE_UNAVAILABLE, "the peer closed the connection");
	h1_close(&h1->http, err ? err : h1->stream ? &lost : NULL);
}

static void on_transport_drained(struct transport *transport) {
	struct h1 *h1 = transport->owner;
	h1->http.progress_ms = loop_now_ms(h1->loop);
	h1_mark_dirty(h1);
}

static void on_transport_closed(struct transport *transport) {
	struct h1 *h1 = transport->owner;
	const struct error *why = h1->why.code == CODE_OK ? NULL : &h1->why;
	if (h1->stream != NULL) {
		struct error ended;
		error_set(&ended, CODE_UNAVAILABLE, "the connection was closed");
		bool in_order = why == NULL && h1->sending == H1_SENT && h1->stream->received_end;
		h1->stream->unprocessed = !h1->http.is_server && h1->sending <= H1_HEAD_READY;
		h1_detach_stream(h1, why ? why : in_order ? NULL : &ended);
	}
	h1->http.events->closed(&h1->http, why);
	buf_deinit(&h1->pending);
	buf_deinit(&h1->outgoing_head);
	arena_deinit(&h1->scratch);
	free(h1);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static struct h1 *h1_new(struct loop *loop, const struct http_limits *limits,
			 const struct http_connection_events *events, void *owner) {
	struct h1 *h1 = mem_zalloc(sizeof *h1);
	h1->http = (struct http_connection){.ops = &h1_ops,
					    .version = 1,
					    .stream_limit = 1,
					    .events = events,
					    .owner = owner};
	h1->http.progress_ms = loop_now_ms(loop);
	h1->loop = loop;
	h1->limits = *limits;
	h1->keep_alive = true;
	list_init(&h1->http.streams);
	flushable_init(&h1->flushable, flush);
	h1_half_closed_init(h1);
	/* At most an incomplete head waits, and the read that came after it. */
	buf_init(&h1->pending, LOOP_READ_SIZE * 2 + limits->header_bytes);
	buf_init(&h1->outgoing_head, OUTGOING_HEAD_MAX);
	arena_init(&h1->scratch, KIB(256));
	return h1;
}

struct http_connection *h1_connect(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
				   const struct http_limits *limits, const struct http_connection_events *events,
				   void *owner) {
	struct h1 *h1 = h1_new(loop, limits, events, owner);
	h1->http.is_tls = tls != NULL;
	h1->http.transport = transport_connect(loop, endpoint, tls, &transport_events, h1);
	return &h1->http;
}

struct http_connection *h1_accept(struct transport *transport, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner) {
	struct h1 *h1 = h1_new(transport->loop, limits, events, owner);
	h1->http.is_server = true;
	h1->http.is_tls = transport->tls != NULL;
	h1->http.transport = transport;
	transport_hand_over(transport, &transport_events, h1);
	transport_peer_name(transport, h1->http.peer);
	return &h1->http;
}
