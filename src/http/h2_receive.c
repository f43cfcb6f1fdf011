/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: the connection's window is given back at once, the stream's when its owner has consumed the bytes. So a
 * stream whose owner waits holds up no other stream of its connection.
 */
#include "http/h2_receive.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/reasons.h"
#include "http/h2_limits.h"
#include "http/h2_send.h"

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* Frames of unknown types are ignored (RFC 9113 section 5.5). The callback exists so that on_begin_frame counts them:
 * nghttp2 shows only the types that have one. */
static int on_unpack_extension(nghttp2_session *session UNUSED, void **payload UNUSED,
			       const nghttp2_frame_hd *header UNUSED, void *data UNUSED) {
	return NGHTTP2_ERR_CANCEL;
}

/* Called before the payload is parsed. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *data) {
	struct h2 *h2 = data;
	switch (header->type) {
	case NGHTTP2_DATA:
	case NGHTTP2_CONTINUATION:
		if (header->length > 0 || (header->flags & NGHTTP2_FLAG_END_STREAM))
			return 0;
		break;
	case NGHTTP2_HEADERS:
		/* A lower number opens no stream (RFC 9113 section 5.1.1); nghttp2 does not check that. */
		if (h2->http.is_server && header->stream_id < h2->last_id &&
		    nghttp2_session_find_stream(session, header->stream_id) == NULL)
			h2_terminate(h2, NGHTTP2_PROTOCOL_ERROR, CODE_INVALID_ARGUMENT,
				     "it opened a stream with a lower number than the last");
		if (h2->http.is_server)
			h2_pay_control_frames(h2, H2_PAID_BY_REQUEST);
		return 0;
	case NGHTTP2_RST_STREAM:
		h2_charge_peer_reset(h2, h2_find_stream(h2, header->stream_id));
		return 0;
	default:
		break;
	}
	h2_charge_control_frame(h2);
	return 0;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

static void end_block(struct h2 *h2) {
	h2->block.kind = H2_BLOCK_NONE;
	h2->block.stream = NULL;
	h2->http.head_ms = 0;
}

static void begin_request_block(struct h2 *h2, int32_t id) {
	if (h2->state >= H2_GOAWAY_SENT) {
		/* nghttp2 takes requests until the GOAWAY has left. The peer will read in it that this one was not
		 * taken, and send it again elsewhere, so it must not run here. */
		h2_refuse_stream(h2, id);
		return;
	}
	h2->last_id = id;
	h2->block.kind = H2_BLOCK_REQUEST;
	h2->http.head_ms = loop_now_ms(h2->loop);
	if (h2->block.request.header_bytes > 0) /* left by a block that was malformed */
		http_request_head_deinit(&h2->block.request);
}

static int on_begin_headers(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	end_block(h2);
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		begin_request_block(h2, frame->hd.stream_id);
		return 0;
	}
	struct http_stream *stream = h2->block.stream = h2_find_stream(h2, frame->hd.stream_id);
	if (stream != NULL)
		h2->block.kind = h2->http.is_server || stream->status >= 200 ? H2_BLOCK_TRAILERS : H2_BLOCK_RESPONSE;
	h2->block.bytes = 0;
	return 0;
}

struct copied_header {
	struct str name, value;
};

/* One allocation for both, each with a terminating zero, which nghttp2's own have too. */
static struct copied_header copy_header(struct arena *arena, struct str name, struct str value) {
	char *copy = arena_alloc(arena, name.len + value.len + 2);
	memcpy(copy, name.ptr, name.len + 1);
	memcpy(copy + name.len + 1, value.ptr, value.len + 1);
	return (struct copied_header){str_new(copy, name.len), str_new(copy + name.len + 1, value.len)};
}

static void set_pseudo_header(struct http_request_head *head, const struct copied_header *header) {
	if (str_eq(header->name, STR(":method")))
		head->method = header->value;
	else if (str_eq(header->name, STR(":path")))
		head->path = header->value;
	else if (str_eq(header->name, STR(":authority")))
		head->authority = header->value;
}

/* A request over the limit is still answered with 431, so its block is read to the end, without keeping it. */
static int take_request_header(struct h2 *h2, struct str name, struct str value, uint8_t flags) {
	struct http_request_head *head = &h2->block.request;
	head->header_bytes += name.len + value.len + HTTP_HEADER_COST;
	if (head->header_bytes > h2->limits.header_bytes) {
		head->is_too_large = true;
		if (h2_is_bomb(h2, head->header_bytes))
			h2_terminate_for_bomb(h2);
		return 0;
	}
	struct copied_header header = copy_header(&head->arena, name, value);
	if (name.len > 0 && name.ptr[0] == ':')
		set_pseudo_header(head, &header);
	else
		http_headers_add(&head->headers, &head->arena, header.name, header.value)->never_indexed =
			flags & NGHTTP2_NV_FLAG_NO_INDEX;
	return 0;
}

/* Client: keeps the beginning of the header that passed the limit, in the room that is left: of a status it is the
 * text, which says more than the limit does. */
static void keep_part(struct h2 *h2, struct http_stream *stream, struct str name, struct str value, size_t room) {
	bool is_trailer = h2->block.kind == H2_BLOCK_TRAILERS;
	if (room < name.len + HTTP_HEADER_COST || name.ptr[0] == ':' || (!is_trailer && stream->status < 200))
		return;
	struct str part = str_new(value.ptr, MIN(value.len, room - name.len - HTTP_HEADER_COST));
	http_headers_add(is_trailer ? &stream->trailers : &stream->received, &stream->arena,
			 arena_copy(&stream->arena, name), arena_copy(&stream->arena, part));
}

static int take_header(struct h2 *h2, struct http_stream *stream, struct str name, struct str value, uint8_t flags) {
	size_t before = h2->block.bytes;
	h2->block.bytes += name.len + value.len + HTTP_HEADER_COST;
	if (h2->block.bytes > h2->limits.header_bytes) {
		if (!h2->http.is_server && before < h2->limits.header_bytes)
			keep_part(h2, stream, name, value, h2->limits.header_bytes - before);
		stream->h2.headers_over = true;
		if (h2->http.is_server && h2_is_bomb(h2, h2->block.bytes))
			h2_terminate_for_bomb(h2);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
	}
	if (str_eq(name, STR(":status"))) {
		stream->status = (unsigned)strtoul(value.ptr, NULL, 10);
		return 0;
	}
	if (!h2->http.is_server && stream->status < 200)
		return 0; /* a peer may send any number of interim responses, so nothing of them is kept */
	struct copied_header header = copy_header(&stream->arena, name, value);
	http_headers_add(h2->block.kind == H2_BLOCK_TRAILERS ? &stream->trailers : &stream->received, &stream->arena,
			 header.name, header.value)
		->never_indexed = flags & NGHTTP2_NV_FLAG_NO_INDEX;
	return 0;
}

static int on_header(nghttp2_session *session UNUSED, const nghttp2_frame *frame UNUSED, const uint8_t *name_bytes,
		     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *data) {
	struct h2 *h2 = data;
	struct str name = str_new(name_bytes, name_len), value = str_new(value_bytes, value_len);
	if (h2->block.kind == H2_BLOCK_REQUEST)
		return take_request_header(h2, name, value, flags);
	return h2->block.stream == NULL ? 0 : take_header(h2, h2->block.stream, name, value, flags);
}

/* The headers to which the block at hand adds, or NULL. */
static struct http_headers *block_headers(struct h2 *h2) {
	struct http_stream *stream = h2->block.stream;
	if (h2->block.kind == H2_BLOCK_REQUEST)
		return &h2->block.request.headers;
	if (stream == NULL)
		return NULL;
	return h2->block.kind == H2_BLOCK_TRAILERS ? &stream->trailers : &stream->received;
}

static struct str without_blanks(struct str text) {
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = str_from_offset(text, 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* The library drops headers whose values are wrong, and those with blanks around them, which no peer may send (RFC 9113
 * section 8.2.1). But gRPC's servers send them, as the text of an error may end in a blank: takes those without. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_bytes,
			     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *data) {
	struct h2 *h2 = data;
	struct str name = str_new(name_bytes, name_len), value = str_new(value_bytes, value_len);
	struct http_headers *headers = block_headers(h2);
	struct str trimmed = without_blanks(value);
	/* These decide where a message ends, and whose it is. */
	bool is_framing = str_eq(name, STR("content-length")) || str_eq(name, STR("host")) || name.ptr[0] == ':';
	if (headers == NULL || is_framing || trimmed.len == value.len ||
	    !nghttp2_check_header_name(name_bytes, name_len) ||
	    !nghttp2_check_header_value((const uint8_t *)trimmed.ptr, trimmed.len))
		return 0;
	size_t count = headers->count;
	int result =
		on_header(session, frame, name_bytes, name_len, (const uint8_t *)trimmed.ptr, trimmed.len, flags, data);
	if (headers->count > count) {
		struct http_header *last = &headers->items[headers->count - 1];
		((char *)last->value.ptr)[last->value.len] = '\0'; /* what was copied there is a blank */
		last->blanks_before = (uint16_t)MIN((size_t)(trimmed.ptr - value.ptr), (size_t)UINT16_MAX);
		last->blanks_after = (uint16_t)MIN(value.len - trimmed.len - last->blanks_before, (size_t)UINT16_MAX);
	}
	return result;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void deliver_request(struct h2 *h2, int32_t id) {
	struct http_stream *stream = h2->http.events->new_stream(&h2->http, &h2->block.request);
	if (stream == NULL) {
		http_request_head_deinit(&h2->block.request);
		h2_refuse_stream(h2, id);
		return;
	}
	stream->id = id;
	http_stream_take_head(stream, &h2->block.request);
	h2_attach_stream(h2, stream);
	nghttp2_session_set_stream_user_data(h2->session, id, stream);
	h2->http.events->request(&h2->http, stream);
}

static void deliver_headers(struct h2 *h2, int32_t id) {
	enum h2_block kind = h2->block.kind;
	struct http_stream *stream = h2->block.stream;
	end_block(h2);
	if (kind == H2_BLOCK_REQUEST)
		deliver_request(h2, id);
	else if (kind == H2_BLOCK_RESPONSE && stream != NULL && stream->status >= 200)
		stream->events->headers(stream);
}

/* Reports the end of the peer's side, unless an event before has closed the stream. */
static void deliver_end(struct h2 *h2, const nghttp2_frame *frame) {
	bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct http_stream *stream = is_last ? h2_find_stream(h2, frame->hd.stream_id) : NULL;
	if (stream == NULL)
		return;
	stream->received_end = true;
	stream->events->end(stream);
}

/* A GOAWAY with an error number: what becomes of the streams that the peer does not take is told with its reason. */
static void keep_why(struct h2 *h2, const nghttp2_goaway *goaway) {
	enum { TEXT_MAX = 120 };
	size_t len = MIN(goaway->opaque_data_len, (size_t)TEXT_MAX);
	error_set(&h2->why, CODE_UNAVAILABLE, "the peer ended the connection (%s)%s%.*s",
		  nghttp2_http2_strerror(goaway->error_code), len > 0 ? ": " : "", (int)len,
		  len > 0 ? (const char *)goaway->opaque_data : "");
	if (goaway->error_code == NGHTTP2_INADEQUATE_SECURITY)
		error_set_reason(&h2->why, REASON_TLS_WANTED);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		deliver_headers(h2, frame->hd.stream_id);
		deliver_end(h2, frame);
		return 0;
	case NGHTTP2_DATA:
		if (frame->data.padlen > 0 && frame->hd.length == frame->data.padlen &&
		    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			h2_charge_control_frame(h2); /* nothing but padding */
		deliver_end(h2, frame);
		return 0;
	case NGHTTP2_SETTINGS:
		h2->http.stream_limit =
			nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
		if (!h2->http.is_server && !h2->proven) {
			h2->proven = true;
			h2->http.events->proven(&h2->http);
		}
		return 0;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && h2->state == H2_SHUTTING_DOWN)
			h2_send_goaway(h2);
		return 0;
	case NGHTTP2_GOAWAY:
		if (!h2->http.is_server && frame->goaway.error_code != NGHTTP2_NO_ERROR)
			keep_why(h2, &frame->goaway);
		h2->http.going_away = true;
		h2->http.events->going_away(&h2->http);
		return 0;
	default:
		return 0;
	}
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t id, const uint8_t *bytes, size_t len,
			 void *data) {
	struct h2 *h2 = data;
	nghttp2_session_consume_connection(session, len);
	struct http_stream *stream = h2_find_stream(h2, id);
	if (stream == NULL || len == 0)
		return 0;
	stream->lent += len;
	stream->progress_ms = h2->http.progress_ms;
	stream->events->data(stream, str_new(bytes, len));
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *data) {
	struct h2 *h2 = data;
	struct http_stream *stream = h2_find_stream(h2, id);
	if (h2->block.kind == H2_BLOCK_REQUEST && id == h2->last_id)
		end_block(h2);
	if (stream == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	bool unsent = !h2->http.is_server && !stream->h2.sent;
	stream->unprocessed = unsent || code == NGHTTP2_REFUSED_STREAM;
	stream->ended_alone = !h2->http.is_server && h2->state == H2_OPEN && h2->why.code == CODE_OK;
	struct error why;
	bool in_order = code == NGHTTP2_NO_ERROR && (stream->received_end || stream->finished);
	if (code == NGHTTP2_REFUSED_STREAM && !h2->http.is_server && h2->why.code != CODE_OK)
		why = h2->why; /* of the GOAWAY that closed it */
	else if (unsent && code != NGHTTP2_CANCEL)
		error_set(&why, CODE_UNAVAILABLE, "the peer takes no more requests on this connection");
	else if (!h2->http.is_server && stream->h2.headers_over)
		error_set(&why, CODE_RESOURCE_EXHAUSTED,
			  "the peer's headers have more than %u bytes, which is max-header-bytes",
			  h2->limits.header_bytes);
	else if (!in_order)
		error_set(&why, code == NGHTTP2_CANCEL ? CODE_CANCELLED : CODE_UNAVAILABLE,
			  "the peer reset the stream (%s)", nghttp2_http2_strerror(code));
	h2_detach_stream(h2, stream, in_order && !unsent ? NULL : &why);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session UNUSED, const nghttp2_frame *frame, int code, void *data) {
	struct h2 *h2 = data;
	if (h2->block.kind == H2_BLOCK_REQUEST && frame->hd.stream_id == h2->last_id)
		end_block(h2); /* nghttp2 resets the stream; the request is not delivered */
	if (code == NGHTTP2_ERR_PROTO && frame->hd.type == NGHTTP2_HEADERS &&
	    h2->http.stream_count >= h2->limits.streams)
		snprintf(h2->invalid, sizeof h2->invalid, "one stream more at a time than max-streams, which is %u",
			 h2->limits.streams);
	else
		snprintf(h2->invalid, sizeof h2->invalid, "a frame of type %u on stream %d: %s", frame->hd.type,
			 frame->hd.stream_id, nghttp2_strerror(code));
	return 0;
}

void h2_receive_register(nghttp2_session_callbacks *callbacks) {
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unpack_extension);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
}
