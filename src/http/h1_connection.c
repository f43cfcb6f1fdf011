/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_connection.h"

#define TO(state) (1u << (state))

void h1_receiving_move(enum h1_receiving *state, enum h1_receiving next) {
	static const unsigned allowed[H1_RECEIVING_COUNT] = {
		[H1_HEAD] = TO(H1_BODY) | TO(H1_CHUNK_SIZE) | TO(H1_END),
		[H1_BODY] = TO(H1_CHUNK_END) | TO(H1_END),
		[H1_CHUNK_SIZE] = TO(H1_BODY) | TO(H1_TRAILERS),
		[H1_CHUNK_END] = TO(H1_CHUNK_SIZE),
		[H1_TRAILERS] = TO(H1_END),
		[H1_END] = TO(H1_HEAD),
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

void h1_sending_move(enum h1_sending *state, enum h1_sending next) {
	static const unsigned allowed[H1_SENDING_COUNT] = {
		[H1_NO_HEAD] = TO(H1_HEAD_READY),
		[H1_HEAD_READY] = TO(H1_SENDING_BODY),
		[H1_SENDING_BODY] = TO(H1_SENDING_TRAILERS) | TO(H1_SENT),
		[H1_SENDING_TRAILERS] = TO(H1_SENT),
		[H1_SENT] = TO(H1_NO_HEAD),
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

void h1_life_move(enum h1_life *state, enum h1_life next) {
	static const unsigned allowed[H1_LIFE_COUNT] = {
		[H1_OPEN] = TO(H1_SHUTTING_DOWN) | TO(H1_FINISHING) | TO(H1_CLOSING),
		[H1_SHUTTING_DOWN] = TO(H1_FINISHING) | TO(H1_CLOSING),
		[H1_FINISHING] = TO(H1_CLOSING),
		[H1_CLOSING] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

void h1_attach_stream(struct h1 *h1, struct http_stream *stream) {
	stream->connection = &h1->http;
	stream->progress_ms = loop_now_ms(h1->loop);
	list_append(&h1->http.streams, &stream->link);
	h1->http.stream_count++;
	h1->stream = stream;
	ASSERT(h1->sending == H1_NO_HEAD);
	buf_clear(&h1->outgoing_head);
}

void h1_detach_stream(struct h1 *h1, const struct error *why) {
	struct http_stream *stream = h1->stream;
	h1->stream = NULL;
	if (h1->sending == H1_SENT)
		h1_sending_move(&h1->sending, H1_NO_HEAD);
	list_remove(&stream->link);
	h1->http.stream_count--;
	stream->connection = NULL;
	stream->events->closed(stream, why);
}

void h1_begin_head(struct h1 *h1) {
	if (h1->receiving != H1_HEAD)
		h1_receiving_move(&h1->receiving, H1_HEAD);
	h1->dropped = 0;
}

void h1_finish(struct h1 *h1) {
	/* When its last bytes leave it is marked dirty again. A flush that did so would be repeated within the turn. */
	if (h1->life == H1_FINISHING)
		return;
	h1_life_move(&h1->life, H1_FINISHING);
	h1_mark_dirty(h1);
}

/* A server's stream ends with its response. The rest of a request that was answered early is read and dropped. */
void h1_settle(struct h1 *h1) {
	bool received = h1->receiving == H1_END, is_server = h1->http.is_server;
	if (h1->stream != NULL && h1->sending == H1_SENT && (is_server || received))
		h1_detach_stream(h1, NULL);
	if (h1->life == H1_CLOSING || h1->stream != NULL)
		return;
	if (received)
		h1_begin_head(h1);
	if (!h1->keep_alive)
		h1->http.going_away = true;
	if (is_server ? !h1->keep_alive : received && !h1->keep_alive)
		h1_finish(h1);
}

void h1_close(struct http_connection *connection, const struct error *why) {
	struct h1 *h1 = h1_of(connection);
	if (h1->life == H1_CLOSING) {
		transport_close(connection->transport); /* it may linger */
		return;
	}
	h1_life_move(&h1->life, H1_CLOSING);
	connection->going_away = true;
	h1->why = why ? *why : (struct error){.code = CODE_OK};
	flushable_deinit(&h1->flushable);
	timer_stop(h1->loop, &h1->half_closed.look);
	if (!transport_is_closed(connection->transport))
		transport_close(connection->transport);
}
