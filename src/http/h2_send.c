/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output is pulled once a turn: as many frames as fit one buffer are laid one after the other and leave in one write.
 * While the kernel takes nothing, nothing more is produced, so a slow peer costs one buffer.
 */
#include "http/h2_send.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "http/h2_limits.h"

enum {
	FRAME_HEADER_SIZE = 9,
	FIELDS_ROOM = 128, /* more headers than usual go by the heap */
};

/* --- headers ------------------------------------------------------------------------------------------------------ */

static nghttp2_nv field(struct str name, struct str value) {
	return (nghttp2_nv){(uint8_t *)name.ptr, (uint8_t *)value.ptr, name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv header_field(const struct http_header *header) {
	nghttp2_nv made = field(header->name, header->value);
	made.flags = header->never_indexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
	return made;
}

/* Headers in nghttp2's form, which copies them; as many as the arena of their stream holds. */
struct fields {
	nghttp2_nv room[FIELDS_ROOM];
	nghttp2_nv *items;
	size_t count;
};

/* The caller sets the first `pseudo` fields. */
static void fields_init(struct fields *fields, size_t pseudo, const struct http_headers *headers) {
	fields->count = pseudo + headers->count;
	fields->items = fields->count <= FIELDS_ROOM ? fields->room : mem_alloc(fields->count * sizeof *fields->items);
	for (size_t i = 0; i < headers->count; i++)
		fields->items[pseudo + i] = header_field(&headers->items[i]);
}

static void fields_deinit(struct fields *fields) {
	if (fields->items != fields->room)
		free(fields->items);
}

/* --- bodies: nghttp2 asks for them, frame by frame ---------------------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *bytes UNUSED, size_t len, uint32_t *flags,
			 nghttp2_data_source *source, void *data UNUSED) {
	struct http_stream *stream = source->ptr;
	size_t ready = buf_len(&stream->unsent);
	if (ready == 0 && !stream->finished) {
		stream->h2.deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	size_t take = MIN(ready, len);
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (take == ready && stream->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (stream->send_trailers.count > 0) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			struct fields trailers;
			fields_init(&trailers, 0, &stream->send_trailers);
			nghttp2_submit_trailer(session, id, trailers.items, trailers.count);
			fields_deinit(&trailers);
		}
	}
	return (ssize_t)take;
}

static int send_body(nghttp2_session *session UNUSED, nghttp2_frame *frame UNUSED, const uint8_t *frame_header,
		     size_t len, nghttp2_data_source *source, void *data) {
	struct h2 *h2 = data;
	struct http_stream *stream = source->ptr;
	if (h2->output_len + FRAME_HEADER_SIZE + len > H2_OUTPUT_SIZE)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(h2->output + h2->output_len, frame_header, FRAME_HEADER_SIZE);
	if (len > 0)
		memcpy(h2->output + h2->output_len + FRAME_HEADER_SIZE, buf_view(&stream->unsent).ptr, len);
	h2->output_len += FRAME_HEADER_SIZE + len;
	stream->progress_ms = loop_now_ms(h2->loop);
	buf_consume(&stream->unsent, len);
	h2_pay_control_frames(h2, len / H2_PAID_BYTES);
	if (buf_len(&stream->unsent) == 0) {
		h2_pay_control_frames(h2, H2_PAID_BY_DATA);
		http_stream_sent_all(stream);
		stream->events->writable(stream);
	}
	return 0;
}

static ssize_t send_frame(nghttp2_session *session UNUSED, const uint8_t *bytes, size_t len, int flags UNUSED,
			  void *data) {
	struct h2 *h2 = data;
	size_t room = H2_OUTPUT_SIZE - h2->output_len;
	if (room == 0)
		return NGHTTP2_ERR_WOULDBLOCK;
	size_t take = MIN(room, len);
	memcpy(h2->output + h2->output_len, bytes, take);
	h2->output_len += take;
	return (ssize_t)take;
}

/* --- what has been sent ------------------------------------------------------------------------------------------- */

static void on_goaway_sent(struct h2 *h2, uint32_t code) {
	if (code == NGHTTP2_NO_ERROR || h2->state == H2_TERMINATED || h2->state == H2_CLOSING)
		return;
	h2_state_move(&h2->state, H2_TERMINATED);
	error_set(&h2->why, h2_breach_code(h2), "it broke the rules of HTTP/2 (%s)%s%s", nghttp2_http2_strerror(code),
		  h2->invalid[0] ? ": " : "", h2->invalid);
}

/* A peer can also make this side reset streams, by frames that are wrong for them ("MadeYouReset"). A stream that is
 * refused is this side's choice, and no fault of the peer. */
static void on_reset_sent(struct h2 *h2, uint32_t code) {
	if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_REFUSED_STREAM)
		h2_charge_caused_reset(h2);
}

/* A server that has ended its response before the request has ended asks the client to stop sending it
 * (RFC 9113 section 8.1). */
static void on_response_sent(struct h2 *h2, int32_t id) {
	struct http_stream *stream = h2_find_stream(h2, id);
	h2_pay_reset(h2);
	if (stream == NULL)
		return;
	stream->h2.sent = true;
	if (!stream->received_end)
		nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static void on_request_headers_sent(struct h2 *h2, int32_t id) {
	struct http_stream *stream = h2_find_stream(h2, id);
	if (stream != NULL)
		stream->h2.sent = true;
}

static int on_frame_sent(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		h2_pay_control_frames(h2, H2_PAID_BY_HEADERS);
		if (!h2->http.is_server)
			on_request_headers_sent(h2, frame->hd.stream_id);
		break;
	case NGHTTP2_DATA:
		break;
	case NGHTTP2_GOAWAY:
		on_goaway_sent(h2, frame->goaway.error_code);
		return 0;
	case NGHTTP2_RST_STREAM:
		h2_pay_control_frames(h2, 1);
		on_reset_sent(h2, frame->rst_stream.error_code);
		return 0;
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			h2_pay_control_frames(h2, 1);
		return 0;
	default:
		return 0;
	}
	if (h2->http.is_server && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		on_response_sent(h2, frame->hd.stream_id);
	return 0;
}

void h2_send_register(nghttp2_session_callbacks *callbacks) {
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_send_callback(callbacks, send_frame);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
}

int32_t h2_submit_request(struct h2 *h2, struct http_stream *stream, const struct http_headers *headers) {
	struct fields fields;
	fields_init(&fields, 4, headers);
	fields.items[0] = field(STR(":method"), stream->method);
	fields.items[1] = field(STR(":scheme"), h2->http.is_tls ? STR("https") : STR("http"));
	fields.items[2] = field(STR(":path"), stream->path);
	fields.items[3] = field(STR(":authority"), stream->authority);
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
	int32_t id = nghttp2_submit_request(h2->session, NULL, fields.items, fields.count, &body, stream);
	fields_deinit(&fields);
	/* It fails only for a connection that is out of stream ids, and such a one takes no requests. */
	ASSERT(id > 0);
	return id;
}

void h2_submit_response(struct h2 *h2, struct http_stream *stream, unsigned status,
			const struct http_headers *headers) {
	char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
			  0};
	struct fields fields;
	fields_init(&fields, 1, headers);
	fields.items[0] = field(STR(":status"), str_new(digits, 3));
	bool has_body = !str_eq(stream->method, STR("HEAD")) && (!stream->finished || buf_len(&stream->unsent) > 0);
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
	nghttp2_submit_response(h2->session, stream->id, fields.items, fields.count, has_body ? &body : NULL);
	fields_deinit(&fields);
}

void h2_refuse_stream(struct h2 *h2, int32_t id) {
	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
}

/* --- the end of a turn -------------------------------------------------------------------------------------------- */

static bool is_finished(const struct h2 *h2) {
	return nghttp2_session_want_read(h2->session) == 0 && nghttp2_session_want_write(h2->session) == 0;
}

/* Closes once the peer has read the GOAWAY. */
static void end(struct h2 *h2, const struct error *why) {
	if (h2->http.is_server)
		transport_linger(h2->http.transport);
	h2_close(&h2->http, why);
}

void h2_flush(struct flushable *flushable) {
	/* Shared by the connections of a thread: it is empty between two flushes. */
	static _Thread_local char output[H2_OUTPUT_SIZE];
	struct h2 *h2 = CONTAINER_OF(flushable, struct h2, flushable);
	int failed = 0;
	while (h2->state != H2_CLOSING && !transport_is_backed_up(h2->http.transport)) {
		h2->output = output;
		h2->output_len = 0;
		failed = nghttp2_session_send(h2->session);
		h2->output = NULL;
		if (h2->output_len == 0 || failed != 0)
			break;
		transport_write(h2->http.transport, str_new(output, h2->output_len));
	}
	if (h2->state == H2_CLOSING)
		return;
	struct error err;
	if (failed != 0)
		error_set(&err, CODE_INTERNAL, "HTTP/2: %s", nghttp2_strerror(failed));
	if (failed != 0)
		h2_close(&h2->http, &err);
	else if (is_finished(h2) && !transport_is_backed_up(h2->http.transport))
		end(h2, h2->state == H2_TERMINATED ? &h2->why : NULL);
}
