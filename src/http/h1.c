/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving:  HEAD ──▶ BODY ──▶ END ──(the response is done too)──▶ HEAD …
 *
 * What cannot be looked at yet waits in `pending`, and while anything waits nothing more is read: a peer that sends
 * faster than its requests are worked on costs one read. Bodies end their loan as in HTTP/2: at most a window is lent.
 *
 * Sending goes as in h2.c: pulled once a turn, as much as fits one buffer, and nothing while the kernel takes nothing.
 */
#include "http/h1.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "http/h1_head.h"

enum {
	OUTPUT_SIZE = 64 << 10,
	OUTGOING_HEAD_MAX = 256 << 10,
	CHUNK_LINE_MAX = 18, /* sixteen digits and CR LF */
	INTERIM_DIGIT = 9, /* where the status begins, in "HTTP/1.1 103 …" */
	DRAIN_MAX = 1 << 20, /* of a body that nobody wants, to keep the connection */
};

enum h1_state {
	H1_HEAD,
	H1_BODY,
	H1_CHUNK_SIZE,
	H1_CHUNK_END, /* the CR LF after its bytes */
	H1_TRAILERS,
	H1_END,
};

struct h1 {
	struct http_connection http;
	struct loop *loop;
	struct flushable flushable;
	struct http_limits limits;
	struct http_stream *stream; /* in progress, or NULL */

	enum h1_state state;
	bool chunked, until_close;
	uint64_t left; /* of the body or chunk; UINT64_MAX: until the connection ends */
	uint64_t drained; /* of a body that nobody wants */
	struct buf pending;
	struct arena scratch; /* for what is parsed without a stream */

	struct buf outgoing_head; /* without the lines that tell the length */
	bool head_ready, head_sent, send_chunked, send_nothing;
	bool sent_all; /* this side of the stream in progress */
	bool keep_alive;

	bool closing, shutting_down;
	bool finishing; /* closes when all that was written has left */
	struct error why; /* of the close; CODE_OK: in order */
};

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
static void h1_close(struct http_connection *connection, const struct error *why);

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

static struct h1 *h1_of(struct http_connection *connection) {
	return CONTAINER_OF(connection, struct h1, http);
}

static void mark_dirty(struct h1 *h1) {
	if (!h1->closing)
		loop_mark_dirty(h1->loop, &h1->flushable);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void attach(struct h1 *h1, struct http_stream *stream) {
	stream->connection = &h1->http;
	stream->progress_ms = loop_now_ms(h1->loop);
	list_append(&h1->http.streams, &stream->link);
	h1->http.stream_count++;
	h1->stream = stream;
	h1->head_ready = h1->head_sent = h1->sent_all = h1->send_chunked = h1->send_nothing = false;
	buf_clear(&h1->outgoing_head);
}

static void detach(struct h1 *h1, const struct error *why) {
	struct http_stream *stream = h1->stream;
	h1->stream = NULL;
	list_remove(&stream->link);
	h1->http.stream_count--;
	stream->connection = NULL;
	stream->events->closed(stream, why);
}

static void finish_connection(struct h1 *h1) {
	h1->finishing = true;
	mark_dirty(h1);
}

static void begin_head(struct h1 *h1) {
	h1->state = H1_HEAD;
	h1->drained = 0;
}

/* Both sides of the exchange may be over. A server's stream ends with the response: of a request that nobody wants any
 * more the rest is read and dropped, within DRAIN_MAX. */
static void settle(struct h1 *h1) {
	bool received = h1->state == H1_END, is_server = h1->http.is_server;
	if (h1->stream != NULL && h1->sent_all && (is_server || received))
		detach(h1, NULL);
	if (h1->closing || h1->stream != NULL)
		return;
	if (received)
		begin_head(h1);
	if (!h1->keep_alive)
		h1->http.going_away = true;
	if (is_server ? !h1->keep_alive : received && !h1->keep_alive)
		finish_connection(h1);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

/* Ends the connection over what the peer sent. A server answers, if it can still be understood. */
static void refuse(struct h1 *h1, unsigned status, const struct error *err) {
	struct error why = *err;
	if (status != 0 && h1->http.is_server && !h1->head_sent && !transport_is_backed_up(h1->http.transport)) {
		char answer[ERROR_TEXT_MAX + 256];
		int len = snprintf(
			answer, sizeof answer,
			"HTTP/1.1 %u Refused\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
			"content-length: %zu\r\n\r\n%s\n",
			status, strlen(err->msg) + 1, err->msg);
		transport_write(h1->http.transport, str_new(answer, (size_t)len));
		transport_linger(h1->http.transport);
	}
	h1_close(&h1->http, &why);
}

static void refuse_with(struct h1 *h1, unsigned status, enum code code, const char *text) {
	struct error err;
	error_set(&err, code, "%s", text);
	refuse(h1, status, &err);
}

static bool is_too_large(const struct h1 *h1, struct str head) {
	/* Counted as in HTTP/2, for each line that there is. */
	size_t size = head.len;
	for (size_t i = 0; i < head.len; i++)
		size += head.ptr[i] == '\n' ? HTTP_HEADER_COST : 0;
	return size > h1->limits.header_bytes;
}

static void refuse_too_large(struct h1 *h1) {
	struct error err;
	error_set(&err, CODE_RESOURCE_EXHAUSTED,
		  "the headers are too large; max-header-bytes is %u, with %d for each line", h1->limits.header_bytes,
		  HTTP_HEADER_COST);
	refuse(h1, 431, &err);
}

static void begin_body(struct h1 *h1, const struct h1_head *head) {
	h1->until_close = head->body == H1_BODY_UNTIL_CLOSE;
	h1->chunked = head->body == H1_BODY_CHUNKED;
	h1->left = head->body == H1_BODY_LENGTH ? head->length : h1->until_close ? UINT64_MAX : 0;
	h1->state = head->body == H1_BODY_NONE ? H1_END : h1->chunked ? H1_CHUNK_SIZE : H1_BODY;
}

static void end_received(struct h1 *h1) {
	struct http_stream *stream = h1->stream;
	h1->state = H1_END;
	if (stream != NULL) {
		stream->received_end = true;
		stream->events->end(stream);
	}
	if (!h1->closing)
		settle(h1);
}

static int read_request(struct h1 *h1, struct str bytes, struct h1_head *ret_head,
			struct http_request_head *ret_request) {
	struct error err;
	unsigned status;
	struct http_request_head request;
	http_request_head_init(&request);
	if (h1_read_request(bytes, &request.arena, ret_head, &status, &err) < 0) {
		http_request_head_deinit(&request);
		refuse(h1, status, &err);
		return -1;
	}
	request.method = ret_head->method;
	request.path = ret_head->target;
	request.authority = ret_head->host;
	request.headers = ret_head->headers;
	request.header_bytes = bytes.len;
	*ret_request = request;
	return 0;
}

static void take_request(struct h1 *h1, struct str bytes) {
	struct h1_head head;
	struct http_request_head request;
	if (read_request(h1, bytes, &head, &request) < 0)
		return;
	struct http_stream *stream = h1->http.events->new_stream(&h1->http, &request);
	if (stream == NULL) {
		http_request_head_deinit(&request);
		refuse_with(h1, 503, CODE_UNAVAILABLE, "the request was refused before it began; send it again");
		return;
	}
	http_stream_take_head(stream, &request);
	attach(h1, stream);
	h1->keep_alive = !head.close && !h1->shutting_down;
	begin_body(h1, &head);
	if (head.expects_continue && head.body != H1_BODY_NONE && !transport_is_backed_up(h1->http.transport))
		transport_write(h1->http.transport, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	h1->http.events->request(&h1->http, stream);
	if (!h1->closing && h1->state == H1_END)
		end_received(h1);
}

static void take_response(struct h1 *h1, struct str bytes) {
	struct h1_head head;
	struct error err;
	struct http_stream *stream = h1->stream;
	if (stream == NULL) {
		refuse_with(h1, 0, CODE_UNAVAILABLE, "the peer sent what nobody asked for");
		return;
	}
	/* Of interim answers there may be any number: nothing of them is kept. */
	bool interim = bytes.len > INTERIM_DIGIT && bytes.ptr[INTERIM_DIGIT] == '1';
	int failed = h1_read_response(bytes, interim ? &h1->scratch : &stream->arena, &head, &err);
	arena_deinit(&h1->scratch);
	if (failed) {
		refuse(h1, 0, &err);
		return;
	}
	if (interim)
		return; /* passed over; the next head is of the same request */
	stream->status = head.status;
	stream->received = head.headers;
	h1->keep_alive = !head.close;
	begin_body(h1, &head);
	stream->events->headers(stream);
	if (!h1->closing && h1->state == H1_END)
		end_received(h1);
}

static size_t take_head(struct h1 *h1, struct str bytes) {
	size_t skipped = 0;
	/* An empty line before a request is overlooked (RFC 9112 section 2.2). */
	while (h1->http.is_server && skipped < 2 && skipped < bytes.len && bytes.ptr[skipped] == "\r\n"[skipped])
		skipped++;
	struct str rest = str_from_offset(bytes, skipped);
	size_t size = h1_head_size(rest);
	if (is_too_large(h1, str_new(rest.ptr, size ? size : rest.len))) {
		refuse_too_large(h1);
		return 0;
	}
	if (size == 0) {
		if (rest.len > 0 && h1->http.head_ms == 0)
			h1->http.head_ms = loop_now_ms(h1->loop);
		return 0;
	}
	h1->http.head_ms = 0;
	if (h1->http.is_server)
		take_request(h1, str_new(rest.ptr, size));
	else
		take_response(h1, str_new(rest.ptr, size));
	return skipped + size;
}

static size_t take_body(struct h1 *h1, struct str bytes) {
	size_t take = (size_t)MIN(h1->left, (uint64_t)bytes.len);
	struct http_stream *stream = h1->stream;
	if (!h1->until_close)
		h1->left -= take;
	if (h1->left == 0 && h1->chunked)
		h1->state = H1_CHUNK_END;
	if (stream != NULL) {
		stream->lent += take;
		stream->progress_ms = h1->http.progress_ms;
		stream->events->data(stream, str_new(bytes.ptr, take));
	} else if ((h1->drained += take) > DRAIN_MAX) {
		/* The answer is long gone, and nobody wants the rest. */
		h1_close(&h1->http, NULL);
		return take;
	}
	if (!h1->closing && h1->left == 0 && !h1->chunked)
		end_received(h1);
	return take;
}

static size_t take_chunk_size(struct h1 *h1, struct str bytes) {
	const char *end = memchr(bytes.ptr, '\n', MIN(bytes.len, (size_t)CHUNK_LINE_MAX));
	if (end == NULL && bytes.len < CHUNK_LINE_MAX)
		return 0;
	size_t len = end ? (size_t)(end - bytes.ptr) : 0;
	if (len < 2 || end[-1] != '\r' || !h1_read_chunk_size(str_new(bytes.ptr, len - 1), &h1->left)) {
		refuse_with(h1, 400, CODE_INVALID_ARGUMENT, "the size of a chunk is not hexadecimal digits and CR LF");
		return 0;
	}
	h1->state = h1->left > 0 ? H1_BODY : H1_TRAILERS;
	return len + 1;
}

static size_t take_chunk_end(struct h1 *h1, struct str bytes) {
	if (bytes.len < 2)
		return 0;
	if (memcmp(bytes.ptr, "\r\n", 2) != 0)
		refuse_with(h1, 400, CODE_INVALID_ARGUMENT, "a chunk does not end in CR LF");
	else
		h1->state = H1_CHUNK_SIZE;
	return 2;
}

static size_t take_trailers(struct h1 *h1, struct str bytes) {
	bool none = bytes.len >= 2 && memcmp(bytes.ptr, "\r\n", 2) == 0;
	size_t size = none ? 2 : h1_head_size(bytes);
	struct error err;
	if (is_too_large(h1, str_new(bytes.ptr, size ? size : bytes.len))) {
		refuse_too_large(h1);
		return 0;
	}
	if (size == 0)
		return 0;
	struct http_headers ignored = {0};
	struct arena *arena = h1->stream ? &h1->stream->arena : &h1->scratch;
	struct http_headers *into = h1->stream ? &h1->stream->trailers : &ignored;
	int failed = h1_read_trailers(str_new(bytes.ptr, size), arena, into, &err);
	arena_deinit(&h1->scratch);
	if (failed)
		refuse(h1, 400, &err);
	else
		end_received(h1);
	return size;
}

static bool can_take(const struct h1 *h1) {
	if (h1->closing || h1->finishing)
		return false;
	if (h1->state == H1_END || (h1->state == H1_HEAD && h1->http.is_server && h1->stream != NULL))
		return false; /* the next request waits for this response */
	return h1->stream == NULL || h1->stream->lent < h1->limits.window;
}

static size_t take(struct h1 *h1, struct str bytes) {
	switch (h1->state) {
	case H1_HEAD:
		return take_head(h1, bytes);
	case H1_BODY:
		return take_body(h1, bytes);
	case H1_CHUNK_SIZE:
		return take_chunk_size(h1, bytes);
	case H1_CHUNK_END:
		return take_chunk_end(h1, bytes);
	case H1_TRAILERS:
		return take_trailers(h1, bytes);
	case H1_END:
		break;
	}
	return 0;
}

/* Takes what can be taken off the front; returns how much. */
static size_t take_all(struct h1 *h1, struct str bytes) {
	size_t done = 0;
	while (done < bytes.len && can_take(h1)) {
		size_t taken = take(h1, str_from_offset(bytes, done));
		if (taken == 0)
			break;
		done += taken;
	}
	return done;
}

static void adjust_reading(struct h1 *h1) {
	if (h1->closing)
		return;
	/* A part of a head or line waits for the rest; a whole window waits for its owner. */
	bool wants_more = can_take(h1) || buf_len(&h1->pending) == 0;
	if (h1->stream != NULL && h1->stream->lent >= h1->limits.window)
		wants_more = false;
	if (wants_more)
		transport_start_reading(h1->http.transport);
	else
		transport_stop_reading(h1->http.transport);
}

static void take_pending(struct h1 *h1) {
	if (buf_len(&h1->pending) > 0 && can_take(h1))
		buf_consume(&h1->pending, take_all(h1, buf_view(&h1->pending)));
	if (!h1->closing)
		buf_trim(&h1->pending);
	adjust_reading(h1);
}

static void on_transport_read(struct transport *transport, struct str bytes) {
	struct h1 *h1 = transport->owner;
	h1->http.progress_ms = loop_now_ms(h1->loop);
	if (buf_len(&h1->pending) == 0)
		bytes = str_from_offset(bytes, take_all(h1, bytes));
	if (h1->closing || h1->finishing)
		return;
	int over = buf_append(&h1->pending, bytes);
	ASSERT(over == 0);
	take_pending(h1);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void add_line(struct buf *head, struct str name, struct str value) {
	/* What we are told to send stays one line. */
	if (memchr(value.ptr ? value.ptr : "", '\n', value.len) != NULL ||
	    memchr(value.ptr ? value.ptr : "", '\r', value.len) != NULL)
		return;
	int over = buf_append(head, name) | buf_append(head, STR(": ")) | buf_append(head, value) |
		   buf_append(head, STR("\r\n"));
	ASSERT(over == 0);
}

static void add_lines(struct buf *head, const struct http_headers *headers) {
	for (size_t i = 0; i < headers->count; i++)
		add_line(head, headers->items[i].name, headers->items[i].value);
}

/* Adds what tells the length of the body, which is known if all of it is there. */
static void complete_head(struct h1 *h1) {
	struct http_stream *stream = h1->stream;
	struct buf *head = &h1->outgoing_head;
	bool is_server = h1->http.is_server;
	bool whole = stream->finished && stream->send_trailers.count == 0;
	h1->send_nothing = is_server && (stream->status == 204 || stream->status == 304);
	h1->send_chunked = !whole && !h1->send_nothing;
	char length[24];
	snprintf(length, sizeof length, "%zu", buf_len(&stream->unsent));
	if (h1->send_chunked)
		add_line(head, STR("transfer-encoding"), STR("chunked"));
	else if (!h1->send_nothing && (is_server || !str_eq(stream->method, STR("GET"))))
		add_line(head, STR("content-length"), str_from(length));
	if (is_server && !h1->keep_alive)
		add_line(head, STR("connection"), STR("close"));
	int over = buf_append(head, STR("\r\n"));
	ASSERT(over == 0);
	h1->head_sent = true;
}

struct output {
	char *bytes;
	size_t len;
};

static bool put(struct output *output, struct str bytes) {
	if (bytes.len > OUTPUT_SIZE - output->len)
		return false;
	memcpy(output->bytes + output->len, bytes.ptr, bytes.len);
	output->len += bytes.len;
	return true;
}

/* A piece of a buffer, as much as fits. */
static void put_from(struct output *output, struct buf *from, size_t spare) {
	size_t room = OUTPUT_SIZE - output->len;
	size_t size = MIN(buf_len(from), room > spare ? room - spare : 0);
	put(output, str_new(buf_view(from).ptr, size));
	buf_consume(from, size);
}

static void put_chunk(struct output *output, struct buf *from) {
	enum { AROUND_CHUNK = 16 };
	size_t room = OUTPUT_SIZE - output->len;
	size_t size = MIN(buf_len(from), room > AROUND_CHUNK ? room - AROUND_CHUNK : 0);
	char line[AROUND_CHUNK];
	if (size == 0)
		return;
	put(output, str_new(line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size)));
	put(output, str_new(buf_view(from).ptr, size));
	put(output, STR("\r\n"));
	buf_consume(from, size);
}

/* After the last chunk. Trailers go by the way of the head's buffer, as they may be long. */
static void end_chunks(struct h1 *h1) {
	int over = buf_append(&h1->outgoing_head, STR("0\r\n"));
	add_lines(&h1->outgoing_head, &h1->stream->send_trailers);
	over |= buf_append(&h1->outgoing_head, STR("\r\n"));
	ASSERT(over == 0);
	h1->send_chunked = false;
}

static void produce(struct h1 *h1, struct output *output) {
	struct http_stream *stream = h1->stream;
	if (stream == NULL || !h1->head_ready || h1->sent_all)
		return;
	if (!h1->head_sent)
		complete_head(h1);
	put_from(output, &h1->outgoing_head, 0);
	bool had_body = buf_len(&stream->unsent) > 0;
	if (h1->send_nothing)
		buf_clear(&stream->unsent);
	else if (h1->send_chunked)
		put_chunk(output, &stream->unsent);
	else
		put_from(output, &stream->unsent, 0);
	stream->progress_ms = loop_now_ms(h1->loop);
	if (had_body && buf_len(&stream->unsent) == 0) {
		http_stream_sent_all(stream);
		if (!stream->finished)
			stream->events->writable(stream);
	}
	if (buf_len(&stream->unsent) > 0 || !stream->finished)
		return;
	if (h1->send_chunked)
		end_chunks(h1);
	put_from(output, &h1->outgoing_head, 0);
	h1->sent_all = buf_len(&h1->outgoing_head) == 0;
}

static void flush(struct flushable *flushable) {
	/* Shared by the connections of a thread: it is empty between two flushes. */
	static _Thread_local char bytes[OUTPUT_SIZE];
	struct h1 *h1 = CONTAINER_OF(flushable, struct h1, flushable);
	while (!h1->closing && !transport_is_backed_up(h1->http.transport)) {
		struct output output = {.bytes = bytes};
		produce(h1, &output);
		if (output.len == 0)
			break;
		transport_write(h1->http.transport, str_new(bytes, output.len));
	}
	if (!h1->closing)
		settle(h1);
	if (!h1->closing)
		take_pending(h1);
	if (!h1->closing && h1->finishing && !transport_is_backed_up(h1->http.transport)) {
		if (h1->http.is_server)
			transport_linger(h1->http.transport);
		h1_close(&h1->http, NULL);
	}
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void h1_request(struct http_connection *connection, struct http_stream *stream,
		       const struct http_headers *headers) {
	struct h1 *h1 = h1_of(connection);
	struct buf *head = &h1->outgoing_head;
	attach(h1, stream);
	int over = buf_append(head, stream->method) | buf_append(head, STR(" ")) | buf_append(head, stream->path) |
		   buf_append(head, STR(" HTTP/1.1\r\n"));
	ASSERT(over == 0);
	add_line(head, STR("host"), stream->authority);
	add_lines(head, headers);
	h1->keep_alive = true;
	h1->head_ready = true;
	begin_head(h1);
	mark_dirty(h1);
}

static void h1_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers) {
	struct h1 *h1 = h1_of(stream->connection);
	/* The reason is for people; clients look at the number. */
	int over = buf_printf(&h1->outgoing_head, "HTTP/1.1 %u %s\r\n", status, status < 400 ? "OK" : "Error");
	ASSERT(over == 0);
	add_lines(&h1->outgoing_head, headers);
	stream->status = status;
	h1->head_ready = true;
	mark_dirty(h1);
}

static void h1_output(struct http_stream *stream) {
	mark_dirty(h1_of(stream->connection));
}

static void h1_consume(struct http_stream *stream, size_t size UNUSED) {
	struct h1 *h1 = h1_of(stream->connection);
	if (stream->lent < h1->limits.window)
		mark_dirty(h1);
}

static void h1_reset(struct http_stream *stream, bool refused) {
	struct h1 *h1 = h1_of(stream->connection);
	struct error why;
	if (refused && h1->http.is_server && !h1->head_ready) {
		/* There is no word for this in HTTP/1.1 but the status that asks to try again. */
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
		on_transport_read(connection->transport, bytes);
}

static void h1_shutdown(struct http_connection *connection) {
	struct h1 *h1 = h1_of(connection);
	bool again = h1->shutting_down;
	h1->shutting_down = true;
	h1->keep_alive = false;
	connection->going_away = true;
	/* A request may be on its way to a server: its answer says that the connection closes. */
	if (h1->stream == NULL && (again || !connection->is_server))
		finish_connection(h1);
}

static void h1_close(struct http_connection *connection, const struct error *why) {
	struct h1 *h1 = h1_of(connection);
	if (h1->closing) {
		transport_close(connection->transport); /* it may linger */
		return;
	}
	h1->closing = connection->going_away = true;
	h1->why = why ? *why : (struct error){.code = CODE_OK};
	flushable_deinit(&h1->flushable);
	if (!connection->transport->lingering)
		transport_close(connection->transport);
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
	if (!h1->closing)
		h1->http.events->proven(&h1->http);
}

static void on_transport_end(struct transport *transport, const struct error *err) {
	struct h1 *h1 = transport->owner;
	struct error lost;
	if (err == NULL && h1->until_close && h1->state == H1_BODY && h1->stream != NULL) {
		end_received(h1);
		h1_close(&h1->http, NULL);
		return;
	}
	if (err == NULL && (h1->stream != NULL || h1->http.head_ms != 0))
		error_set(&lost, CODE_UNAVAILABLE, "the peer closed the connection");
	h1_close(&h1->http, err ? err : h1->stream ? &lost : NULL);
}

static void on_transport_drained(struct transport *transport) {
	struct h1 *h1 = transport->owner;
	h1->http.progress_ms = loop_now_ms(h1->loop);
	mark_dirty(h1);
}

static void on_transport_closed(struct transport *transport) {
	struct h1 *h1 = transport->owner;
	const struct error *why = h1->why.code == CODE_OK ? NULL : &h1->why;
	if (h1->stream != NULL) {
		struct error ended;
		error_set(&ended, CODE_UNAVAILABLE, "the connection was closed");
		bool in_order = why == NULL && h1->sent_all && h1->stream->received_end;
		h1->stream->unprocessed = !h1->http.is_server && !h1->head_sent;
		detach(h1, why ? why : in_order ? NULL : &ended);
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
	/* What waits is at most a head that is not whole, and the read that came after it. */
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
