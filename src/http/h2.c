/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nghttp2 reads and writes the frames; this file moves bytes between it and the transport, and turns its callbacks
 * into the events of http.h.
 *
 * Output is pulled once a turn (flush): as many frames as fit one buffer are laid one after the other and leave in
 * one write. While the kernel does not take them nothing more is produced, so a slow peer costs one buffer.
 *
 * A peer has a budget of frames that cost us more than it: see `charge`.
 *
 * Windows: the connection's window is given back at once, the stream's when its owner has consumed the bytes. So a
 * stream that stands still holds up nobody else on its connection.
 */
#include "http/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/pool.h"

enum {
	OUTPUT_SIZE = 64 << 10,
	FRAME_HEADER_SIZE = 9,
	CONNECTION_WINDOW = 16 << 20,
	FIELDS_ROOM = 128, /* more headers than usual go by the heap */
	HEADERS_FAR_OVER = 4, /* a block of this many times the limit is no mistake any more */
};

struct budget {
	uint64_t since_ms;
	unsigned spent;
};

/* A block of headers; those of one connection never interleave (RFC 9113 section 4.3). */
enum block { BLOCK_NONE, BLOCK_REQUEST, BLOCK_RESPONSE, BLOCK_TRAILERS };

struct h2 {
	struct http_connection http;
	struct loop *loop;
	struct flushable flushable;
	struct http_limits limits;
	nghttp2_session *session;
	char *output; /* lent by the flush in progress, else NULL */
	size_t output_len;
	struct budget resets, control_frames;
	int32_t last_id; /* the highest of the peer's streams */
	struct {
		enum block kind; /* of the block that is being read */
		struct http_request_head request; /* BLOCK_REQUEST */
		struct http_stream *stream; /* the others; NULL once it is closed */
		size_t bytes; /* so far; the others */
	} block;
	bool closing;
	bool shutting_down;
	bool proven; /* client: the peer's SETTINGS have come */
	bool goaway_sent; /* the number of the last stream that it takes */
	struct timer attached; /* reports a socket that was connected already, in its own turn */
	bool terminated; /* closes when the peer has been told */
	struct error why; /* of the close; CODE_OK: in order */
	char invalid[128]; /* what was wrong with a frame, last */
};

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
static void h2_close(struct http_connection *connection, const struct error *why);

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

static struct h2 *h2_of(struct http_connection *connection) {
	return CONTAINER_OF(connection, struct h2, http);
}

static struct h2 *h2_of_stream(struct http_stream *stream) {
	return h2_of(stream->connection);
}

static void mark_dirty(struct h2 *h2) {
	if (!h2->closing)
		loop_mark_dirty(h2->loop, &h2->flushable);
}

/* --- peers that mean harm ----------------------------------------------------------------------------------------- */

/* To a client, a server that does not speak HTTP/2 is as good as none. */
static enum code code_of_breach(const struct h2 *h2) {
	return h2->http.is_server ? CODE_INVALID_ARGUMENT : CODE_UNAVAILABLE;
}

/* Tells the peer to go away and why, and closes. */
static void terminate_connection(struct h2 *h2, uint32_t number, enum code code, const char *text) {
	if (h2->terminated || h2->closing)
		return;
	h2->terminated = true;
	error_set(&h2->why, code, "%s", text);
	nghttp2_session_terminate_session(h2->session, number);
	mark_dirty(h2);
}

/* One frame on the account of what is cheap to send and dear to handle. */
static void charge(struct h2 *h2, struct budget *budget, uint32_t max, const char *limit, const char *what) {
	uint64_t now = loop_now_ms(h2->loop);
	if (now - budget->since_ms >= 1000)
		*budget = (struct budget){.since_ms = now};
	if (max == HTTP_NEVER || ++budget->spent <= max)
		return;
	char text[160];
	snprintf(text, sizeof text, "it sent more than %u %s in a second; %s is %u", max, what, limit, max);
	terminate_connection(h2, NGHTTP2_ENHANCE_YOUR_CALM, CODE_RESOURCE_EXHAUSTED, text);
}

static void charge_reset(struct h2 *h2) {
	if (h2->http.is_server)
		charge(h2, &h2->resets, h2->limits.resets, "max-resets", "streams that were reset");
}

static void charge_control_frame(struct h2 *h2) {
	charge(h2, &h2->control_frames, h2->limits.control_frames, "max-control-frames", "frames that carry nothing");
}

/* Frames of unknown types are ignored (RFC 9113 section 5.5); nghttp2 lets us see them if we would read them. */
static int on_unpack_extension(nghttp2_session *session UNUSED, void **payload UNUSED,
			       const nghttp2_frame_hd *header UNUSED, void *data UNUSED) {
	return NGHTTP2_ERR_CANCEL;
}

/* Before its payload is looked at. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *data) {
	struct h2 *h2 = data;
	switch (header->type) {
	case NGHTTP2_DATA:
	case NGHTTP2_CONTINUATION:
		if (header->length > 0 || (header->flags & NGHTTP2_FLAG_END_STREAM))
			return 0;
		break;
	case NGHTTP2_HEADERS:
		/* nghttp2 overlooks these; the stream is none that was ever there (RFC 9113 section 5.1.1). */
		if (h2->http.is_server && header->stream_id < h2->last_id &&
		    nghttp2_session_find_stream(session, header->stream_id) == NULL)
			terminate_connection(h2, NGHTTP2_PROTOCOL_ERROR, CODE_INVALID_ARGUMENT,
					     "it opened a stream with a lower number than the last");
		return 0;
	case NGHTTP2_WINDOW_UPDATE:
		return 0;
	case NGHTTP2_RST_STREAM:
		charge_reset(h2);
		return 0;
	default:
		break;
	}
	charge_control_frame(h2);
	return 0;
}

static void say_last(struct h2 *h2) {
	if (h2->goaway_sent)
		return;
	h2->goaway_sent = true;
	int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
	mark_dirty(h2);
}

/* --- receiving: nghttp2's callbacks ------------------------------------------------------------------------------- */

static struct http_stream *stream_of(nghttp2_session *session, int32_t id) {
	return nghttp2_session_get_stream_user_data(session, id);
}

static void attach(struct h2 *h2, struct http_stream *stream) {
	stream->connection = &h2->http;
	stream->progress_ms = loop_now_ms(h2->loop);
	list_append(&h2->http.streams, &stream->link);
	h2->http.stream_count++;
}

/* Ends the loan of a stream. */
static void detach(struct h2 *h2, struct http_stream *stream, const struct error *why) {
	list_remove(&stream->link);
	h2->http.stream_count--;
	stream->connection = NULL;
	if (h2->block.stream == stream)
		h2->block.stream = NULL;
	stream->events->closed(stream, why);
}

static void end_block(struct h2 *h2) {
	h2->block.kind = BLOCK_NONE;
	h2->block.stream = NULL;
	h2->http.head_ms = 0;
}

static void begin_request_block(struct h2 *h2, int32_t id) {
	if (h2->goaway_sent) {
		/* nghttp2 takes requests until our last word has left. The peer will read in it that this one was not
		 * taken, and send it again elsewhere: it must not run here. */
		nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	h2->last_id = id;
	h2->block.kind = BLOCK_REQUEST;
	h2->http.head_ms = loop_now_ms(h2->loop);
	http_request_head_deinit(&h2->block.request); /* what a block left that came to nothing */
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	end_block(h2);
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		begin_request_block(h2, frame->hd.stream_id);
		return 0;
	}
	struct http_stream *stream = h2->block.stream = stream_of(session, frame->hd.stream_id);
	if (stream != NULL)
		h2->block.kind = h2->http.is_server || stream->status >= 200 ? BLOCK_TRAILERS : BLOCK_RESPONSE;
	h2->block.bytes = 0;
	return 0;
}

struct copied_header {
	struct str name, value;
};

/* Both terminated, in one piece. nghttp2 terminates what it gives. */
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

static void terminate_for_bomb(struct h2 *h2) {
	char text[160];
	snprintf(text, sizeof text, "it sent headers that unfold to more than %d times max-header-bytes, which is %u",
		 HEADERS_FAR_OVER, h2->limits.header_bytes);
	terminate_connection(h2, NGHTTP2_ENHANCE_YOUR_CALM, CODE_RESOURCE_EXHAUSTED, text);
}

/* A request over the limit is still answered with 431, so its block is read to the end, without keeping it. */
static int take_request_header(struct h2 *h2, struct str name, struct str value, uint8_t flags) {
	struct http_request_head *head = &h2->block.request;
	head->header_bytes += name.len + value.len + HTTP_HEADER_COST;
	if (head->header_bytes > h2->limits.header_bytes) {
		head->is_too_large = true;
		if (head->header_bytes / HEADERS_FAR_OVER > h2->limits.header_bytes)
			terminate_for_bomb(h2);
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

static int take_header(struct h2 *h2, struct http_stream *stream, struct str name, struct str value, uint8_t flags) {
	h2->block.bytes += name.len + value.len + HTTP_HEADER_COST;
	if (h2->block.bytes > h2->limits.header_bytes) {
		stream->headers_over = true;
		if (h2->http.is_server && h2->block.bytes / HEADERS_FAR_OVER > h2->limits.header_bytes)
			terminate_for_bomb(h2);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
	}
	if (str_eq(name, STR(":status"))) {
		stream->status = (unsigned)strtoul(value.ptr, NULL, 10);
		return 0;
	}
	if (!h2->http.is_server && stream->status < 200)
		return 0; /* of interim answers, of any number, nothing is kept */
	struct copied_header header = copy_header(&stream->arena, name, value);
	http_headers_add(h2->block.kind == BLOCK_TRAILERS ? &stream->trailers : &stream->received, &stream->arena,
			 header.name, header.value)
		->never_indexed = flags & NGHTTP2_NV_FLAG_NO_INDEX;
	return 0;
}

static int on_header(nghttp2_session *session UNUSED, const nghttp2_frame *frame UNUSED, const uint8_t *name_bytes,
		     size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *data) {
	struct h2 *h2 = data;
	struct str name = str_new(name_bytes, name_len), value = str_new(value_bytes, value_len);
	if (h2->block.kind == BLOCK_REQUEST)
		return take_request_header(h2, name, value, flags);
	return h2->block.stream == NULL ? 0 : take_header(h2, h2->block.stream, name, value, flags);
}

static void deliver_request(struct h2 *h2, int32_t id) {
	struct http_stream *stream = h2->http.events->new_stream(&h2->http, &h2->block.request);
	if (stream == NULL) {
		http_request_head_deinit(&h2->block.request);
		nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	stream->id = id;
	http_stream_take_head(stream, &h2->block.request);
	attach(h2, stream);
	nghttp2_session_set_stream_user_data(h2->session, id, stream);
	h2->http.events->request(&h2->http, stream);
}

static void deliver_headers(struct h2 *h2, int32_t id) {
	enum block kind = h2->block.kind;
	struct http_stream *stream = h2->block.stream;
	end_block(h2);
	if (kind == BLOCK_REQUEST)
		deliver_request(h2, id);
	else if (kind == BLOCK_RESPONSE && stream != NULL && stream->status >= 200)
		stream->events->headers(stream);
}

/* If the frame is the last, and no event before has closed its stream. */
static void deliver_end(nghttp2_session *session, const nghttp2_frame *frame) {
	bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct http_stream *stream = is_last ? stream_of(session, frame->hd.stream_id) : NULL;
	if (stream == NULL)
		return;
	stream->received_end = true;
	stream->events->end(stream);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		deliver_headers(h2, frame->hd.stream_id);
		deliver_end(session, frame);
		return 0;
	case NGHTTP2_DATA:
		if (frame->data.padlen > 0 && frame->hd.length == frame->data.padlen &&
		    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			charge_control_frame(h2); /* nothing but padding */
		deliver_end(session, frame);
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
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && h2->http.is_server && h2->shutting_down)
			say_last(h2);
		return 0;
	case NGHTTP2_GOAWAY:
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
	struct http_stream *stream = stream_of(session, id);
	if (stream == NULL || len == 0)
		return 0;
	stream->lent += len;
	stream->progress_ms = h2->http.progress_ms;
	stream->events->data(stream, str_new(bytes, len));
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *data) {
	struct h2 *h2 = data;
	struct http_stream *stream = stream_of(session, id);
	if (h2->block.kind == BLOCK_REQUEST && id == h2->last_id)
		end_block(h2);
	if (stream == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	bool unsent = !h2->http.is_server && !stream->sent;
	stream->unprocessed = unsent || code == NGHTTP2_REFUSED_STREAM;
	struct error why;
	bool in_order = code == NGHTTP2_NO_ERROR && (stream->received_end || stream->finished);
	if (unsent && code != NGHTTP2_CANCEL)
		error_set(&why, CODE_UNAVAILABLE, "the peer takes no more requests on this connection");
	else if (!h2->http.is_server && stream->headers_over)
		error_set(&why, CODE_RESOURCE_EXHAUSTED,
			  "the peer's headers have more than %u bytes, which is max-header-bytes",
			  h2->limits.header_bytes);
	else if (!in_order)
		error_set(&why, code == NGHTTP2_CANCEL ? CODE_CANCELLED : CODE_UNAVAILABLE,
			  "the peer reset the stream (%s)", nghttp2_http2_strerror(code));
	detach(h2, stream, in_order && !unsent ? NULL : &why);
	return 0;
}

/* A response that ends before its request has: what the client would still send is of no use any more
 * (RFC 9113 section 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
	struct h2 *h2 = data;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !h2->terminated) {
		h2->terminated = true;
		error_set(&h2->why, code_of_breach(h2), "it broke the rules of HTTP/2 (%s)%s%s",
			  nghttp2_http2_strerror(frame->goaway.error_code), h2->invalid[0] ? ": " : "", h2->invalid);
	}
	/* What the peer brings about by frames that are wrong for their stream costs the same as its own resets. */
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	    frame->rst_stream.error_code != NGHTTP2_CANCEL)
		charge_reset(h2);
	bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
		    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
	if (h2->http.is_server ? !ends : frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	struct http_stream *stream = stream_of(session, frame->hd.stream_id);
	if (stream != NULL && !h2->http.is_server)
		stream->sent = true;
	else if (stream != NULL && !stream->received_end)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_invalid_frame(nghttp2_session *session UNUSED, const nghttp2_frame *frame, int code, void *data) {
	struct h2 *h2 = data;
	if (h2->block.kind == BLOCK_REQUEST && frame->hd.stream_id == h2->last_id)
		end_block(h2); /* the stream is reset, and nothing of the request is delivered */
	if (code == NGHTTP2_ERR_PROTO && frame->hd.type == NGHTTP2_HEADERS &&
	    h2->http.stream_count >= h2->limits.streams)
		snprintf(h2->invalid, sizeof h2->invalid, "one stream more at a time than max-streams, which is %u",
			 h2->limits.streams);
	else
		snprintf(h2->invalid, sizeof h2->invalid, "a frame of type %u on stream %d: %s", frame->hd.type,
			 frame->hd.stream_id, nghttp2_strerror(code));
	return 0;
}

/* --- sending: nghttp2 asks for the body, frame by frame ----------------------------------------------------------- */

static nghttp2_nv field(struct str name, struct str value) {
	return (nghttp2_nv){(uint8_t *)name.ptr, (uint8_t *)value.ptr, name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv header_field(const struct http_header *header) {
	nghttp2_nv made = field(header->name, header->value);
	made.flags = header->never_indexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
	return made;
}

/* What nghttp2 is given, and copies: as many headers as the arena of their stream holds. */
struct fields {
	nghttp2_nv room[FIELDS_ROOM]; /* most of it is never touched */
	nghttp2_nv *items;
	size_t count;
};

/* So many pseudo-headers are to be set by the caller. */
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

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *bytes UNUSED, size_t len, uint32_t *flags,
			 nghttp2_data_source *source, void *data UNUSED) {
	struct http_stream *stream = source->ptr;
	size_t ready = buf_len(&stream->unsent);
	if (ready == 0 && !stream->finished) {
		stream->deferred = true;
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
	if (h2->output_len + FRAME_HEADER_SIZE + len > OUTPUT_SIZE)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(h2->output + h2->output_len, frame_header, FRAME_HEADER_SIZE);
	if (len > 0)
		memcpy(h2->output + h2->output_len + FRAME_HEADER_SIZE, buf_view(&stream->unsent).ptr, len);
	h2->output_len += FRAME_HEADER_SIZE + len;
	stream->progress_ms = loop_now_ms(h2->loop);
	buf_consume(&stream->unsent, len);
	if (buf_len(&stream->unsent) == 0) {
		http_stream_sent_all(stream);
		stream->events->writable(stream);
	}
	return 0;
}

static ssize_t send_frame(nghttp2_session *session UNUSED, const uint8_t *bytes, size_t len, int flags UNUSED,
			  void *data) {
	struct h2 *h2 = data;
	size_t room = OUTPUT_SIZE - h2->output_len;
	if (room == 0)
		return NGHTTP2_ERR_WOULDBLOCK;
	size_t take = MIN(room, len);
	memcpy(h2->output + h2->output_len, bytes, take);
	h2->output_len += take;
	return (ssize_t)take;
}

static bool is_finished(const struct h2 *h2) {
	return nghttp2_session_want_read(h2->session) == 0 && nghttp2_session_want_write(h2->session) == 0;
}

/* Closes after our last word. */
static void end(struct h2 *h2, const struct error *why) {
	if (h2->http.is_server)
		transport_linger(h2->http.transport);
	h2_close(&h2->http, why);
}

static void flush(struct flushable *flushable) {
	/* Shared by the connections of a thread: it is empty between two flushes. */
	static _Thread_local char output[OUTPUT_SIZE];
	struct h2 *h2 = CONTAINER_OF(flushable, struct h2, flushable);
	int failed = 0;
	while (!h2->closing && !transport_is_backed_up(h2->http.transport)) {
		h2->output = output;
		h2->output_len = 0;
		failed = nghttp2_session_send(h2->session);
		h2->output = NULL;
		if (h2->output_len == 0 || failed != 0)
			break;
		transport_write(h2->http.transport, str_new(output, h2->output_len));
	}
	if (h2->closing)
		return;
	struct error err;
	if (failed != 0)
		error_set(&err, CODE_INTERNAL, "HTTP/2: %s", nghttp2_strerror(failed));
	if (failed != 0)
		h2_close(&h2->http, &err);
	else if (is_finished(h2) && !transport_is_backed_up(h2->http.transport))
		end(h2, h2->terminated ? &h2->why : NULL);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void h2_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers) {
	struct h2 *h2 = h2_of(connection);
	struct fields fields;
	fields_init(&fields, 4, headers);
	fields.items[0] = field(STR(":method"), stream->method);
	fields.items[1] = field(STR(":scheme"), h2->http.is_tls ? STR("https") : STR("http"));
	fields.items[2] = field(STR(":path"), stream->path);
	fields.items[3] = field(STR(":authority"), stream->authority);
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
	attach(h2, stream);
	int32_t id = nghttp2_submit_request(h2->session, NULL, fields.items, fields.count, &body, stream);
	fields_deinit(&fields);
	/* It fails only for a connection that is out of stream ids, and such a one takes no requests. */
	ASSERT(id > 0);
	stream->id = id;
	mark_dirty(h2);
	if ((uint32_t)id / 2 + 1 >= h2->limits.requests) {
		connection->going_away = true;
		h2_shutdown(connection);
	}
}

static void h2_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers) {
	struct h2 *h2 = h2_of_stream(stream);
	char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
			  0};
	struct fields fields;
	fields_init(&fields, 1, headers);
	fields.items[0] = field(STR(":status"), str_new(digits, 3));
	bool has_body = !stream->finished || buf_len(&stream->unsent) > 0;
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
	nghttp2_submit_response(h2->session, stream->id, fields.items, fields.count, has_body ? &body : NULL);
	fields_deinit(&fields);
	stream->status = status;
	mark_dirty(h2);
}

static void h2_output(struct http_stream *stream) {
	struct h2 *h2 = h2_of_stream(stream);
	if (stream->deferred) {
		stream->deferred = false;
		nghttp2_session_resume_data(h2->session, stream->id);
	}
	mark_dirty(h2);
}

static void h2_consume(struct http_stream *stream, size_t size) {
	struct h2 *h2 = h2_of_stream(stream);
	nghttp2_session_consume_stream(h2->session, stream->id, size);
	mark_dirty(h2);
}

static void h2_reset(struct http_stream *stream, bool refused) {
	struct h2 *h2 = h2_of_stream(stream);
	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
				  refused ? NGHTTP2_REFUSED_STREAM : NGHTTP2_CANCEL);
	mark_dirty(h2);
}

static void h2_ping(struct http_connection *connection) {
	struct h2 *h2 = h2_of(connection);
	nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	mark_dirty(h2);
}

static void h2_shutdown(struct http_connection *connection) {
	struct h2 *h2 = h2_of(connection);
	bool again = h2->shutting_down;
	if (h2->closing || h2->goaway_sent)
		return;
	h2->shutting_down = true;
	if (h2->session == NULL) {
		h2_close(connection, NULL);
		return;
	}
	if (h2->http.is_server && !again) {
		/* Requests may be on their way. What was sent before the peer knew has come when it answers this ping
		 * (RFC 9113 section 6.8). */
		nghttp2_submit_shutdown_notice(h2->session);
		nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
		mark_dirty(h2);
		return;
	}
	say_last(h2);
	if (!h2->http.is_server && connection->stream_count == 0)
		h2_close(connection, NULL);
}

static void h2_close(struct http_connection *connection, const struct error *why) {
	struct h2 *h2 = h2_of(connection);
	if (h2->closing) {
		transport_close(h2->http.transport); /* it may linger */
		return;
	}
	h2->closing = connection->going_away = true;
	if (why != &h2->why)
		h2->why = why ? *why : (struct error){.code = CODE_OK};
	flushable_deinit(&h2->flushable);
	timer_stop(h2->loop, &h2->attached);
	if (!h2->http.transport->lingering)
		transport_close(h2->http.transport);
}

/* --- the transport's events --------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *make_callbacks(void) {
	nghttp2_session_callbacks *callbacks;
	int failed = nghttp2_session_callbacks_new(&callbacks);
	ASSERT(failed == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unpack_extension);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_send_callback(callbacks, send_frame);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
	return callbacks;
}

static void *pool_malloc(size_t size, void *unused UNUSED) {
	return pool_alloc(size);
}

static void *pool_calloc(size_t count, size_t size, void *unused UNUSED) {
	return memset(pool_alloc(count * size), 0, count * size); /* its counts are its own, and small */
}

static void *pool_resize(void *memory, size_t size, void *unused UNUSED) {
	return pool_realloc(memory, size);
}

static void pool_release(void *memory, void *unused UNUSED) {
	pool_free(memory);
}

static nghttp2_mem from_pool = {
	.malloc = pool_malloc, .calloc = pool_calloc, .realloc = pool_resize, .free = pool_release};

static void start_session(struct h2 *h2) {
	nghttp2_option *option;
	int failed = nghttp2_option_new(&option);
	ASSERT(failed == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	/* A server remembers the streams that ended, to know what comes late for them from what is wrong. */
	nghttp2_option_set_no_closed_streams(option, !h2->http.is_server);
	/* Resets are counted here; nghttp2 would end a connection of 33 a second, such as a Backplane's whose clients
	 * leave. */
	nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_session_callbacks *callbacks = make_callbacks();
	failed = h2->http.is_server ? nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &from_pool)
			       : nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &from_pool);
	ASSERT(failed == 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->limits.streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->limits.window},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->limits.header_bytes},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};
	/* A server has no push to refuse. */
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				ARRAY_LEN(settings) - (h2->http.is_server ? 1 : 0));
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
	transport_start_reading(h2->http.transport);
	mark_dirty(h2);
}

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
	start_session(h2);
	h2->http.events->ready(&h2->http);
}

static void on_attached(struct timer *timer) {
	on_transport_connected(CONTAINER_OF(timer, struct h2, attached)->http.transport, NULL);
}

static void on_transport_read(struct transport *transport, struct str bytes) {
	struct h2 *h2 = transport->owner;
	h2->http.progress_ms = loop_now_ms(h2->loop);
	ssize_t taken = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
	if (h2->closing)
		return;
	if (taken < 0) {
		struct error err;
		error_set(&err, taken == NGHTTP2_ERR_FLOODED ? CODE_RESOURCE_EXHAUSTED : code_of_breach(h2),
			  "it sent what HTTP/2 does not bear: %s", nghttp2_strerror((int)taken));
		h2_close(&h2->http, &err);
		return;
	}
	mark_dirty(h2);
}

static void on_transport_end(struct transport *transport, const struct error *err) {
	struct h2 *h2 = transport->owner;
	struct error lost;
	if (h2->terminated)
		err = &h2->why;
	else if (err == NULL && h2->http.stream_count > 0)
		error_set(&lost, CODE_UNAVAILABLE, "the peer closed the connection");
	h2_close(&h2->http, err ? err : h2->http.stream_count > 0 ? &lost : NULL);
}

static void on_transport_drained(struct transport *transport) {
	struct h2 *h2 = transport->owner;
	h2->http.progress_ms = loop_now_ms(h2->loop);
	mark_dirty(h2);
}

static void on_transport_closed(struct transport *transport) {
	struct h2 *h2 = transport->owner;
	const struct error *why = h2->why.code == CODE_OK ? NULL : &h2->why;
	while (!list_is_empty(&h2->http.streams)) {
		struct http_stream *stream = LIST_ENTRY(h2->http.streams.next, struct http_stream, link);
		struct error ended;
		if (why == NULL)
			error_set(&ended, CODE_UNAVAILABLE, "the connection was closed");
		stream->unprocessed = !h2->http.is_server && !stream->sent;
		detach(h2, stream, why ? why : &ended);
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
	flushable_init(&h2->flushable, flush);
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
	start_session(h2);
	return &h2->http;
}

static void h2_receive(struct http_connection *connection, struct str bytes) {
	if (bytes.len > 0)
		on_transport_read(connection->transport, bytes);
}
