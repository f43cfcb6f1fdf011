/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_connection.h"

#define TO(state) (1u << (state))

void h2_state_move(enum h2_state *state, enum h2_state next) {
	static const unsigned allowed[H2_STATE_COUNT] = {
		[H2_CONNECTING] = TO(H2_OPEN) | TO(H2_CLOSING),
		[H2_OPEN] = TO(H2_SHUTTING_DOWN) | TO(H2_GOAWAY_SENT) | TO(H2_TERMINATED) | TO(H2_CLOSING),
		[H2_SHUTTING_DOWN] = TO(H2_GOAWAY_SENT) | TO(H2_TERMINATED) | TO(H2_CLOSING),
		[H2_GOAWAY_SENT] = TO(H2_TERMINATED) | TO(H2_CLOSING),
		[H2_TERMINATED] = TO(H2_CLOSING),
		[H2_CLOSING] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

void h2_attach_stream(struct h2 *h2, struct http_stream *stream) {
	stream->connection = &h2->http;
	stream->progress_ms = loop_now_ms(h2->loop);
	list_append(&h2->http.streams, &stream->link);
	h2->http.stream_count++;
}

void h2_detach_stream(struct h2 *h2, struct http_stream *stream, const struct error *why) {
	list_remove(&stream->link);
	h2->http.stream_count--;
	stream->connection = NULL;
	if (h2->block.stream == stream)
		h2->block.stream = NULL;
	if (h2->recent == stream)
		h2->recent = NULL;
	stream->events->closed(stream, why);
}

enum code h2_breach_code(const struct h2 *h2) {
	return h2->http.is_server ? CODE_INVALID_ARGUMENT : CODE_UNAVAILABLE;
}

void h2_terminate(struct h2 *h2, uint32_t number, enum code code, const char *text) {
	if (h2->state == H2_TERMINATED || h2->state == H2_CLOSING)
		return;
	h2_state_move(&h2->state, H2_TERMINATED);
	error_set(&h2->why, code, "%s", text);
	nghttp2_session_terminate_session(h2->session, number);
	h2_mark_dirty(h2);
}

void h2_send_goaway(struct h2 *h2) {
	h2_state_move(&h2->state, H2_GOAWAY_SENT);
	int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
	h2_mark_dirty(h2);
}

void h2_close(struct http_connection *connection, const struct error *why) {
	struct h2 *h2 = h2_of(connection);
	if (h2->state == H2_CLOSING) {
		transport_close(h2->http.transport); /* it may linger */
		return;
	}
	h2_state_move(&h2->state, H2_CLOSING);
	connection->going_away = true;
	if (why != &h2->why)
		h2->why = why ? *why : (struct error){.code = CODE_OK};
	flushable_deinit(&h2->flushable);
	timer_stop(h2->loop, &h2->attached);
	if (!transport_is_closed(h2->http.transport))
		transport_close(h2->http.transport);
}
