/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that cannot be looked at yet wait in `pending`, and while any wait nothing more is read: a peer that sends
 * faster than its requests are worked on costs one read. At most a window of a body is lent, as in HTTP/2.
 */
#include "http/h1_receive.h"

#include <stdio.h>

enum {
	CHUNK_LINE_MAX = 18, /* sixteen digits and CR LF */
	INTERIM_DIGIT = 9, /* where the status begins, in "HTTP/1.1 103 …" */
	DROPPED_MAX = 1 << 20, /* of a request that was answered early, to keep the connection */
};

/* Whether the peer waits for an answer that has not begun: not while the rest of an answered request is dropped. */
static bool can_answer(const struct h1 *h1) {
	bool waits = h1->stream != NULL ? h1->sending <= H1_HEAD_READY : h1->receiving == H1_HEAD;
	return h1->http.is_server && waits && !transport_is_backed_up(h1->http.transport);
}

/* http_status 0: no answer, because the peer does not speak HTTP. */
void h1_refuse(struct h1 *h1, unsigned http_status, const struct error *err) {
	struct error why = *err;
	if (http_status != 0 && can_answer(h1)) {
		char answer[ERROR_TEXT_MAX + 256];
		int len = snprintf(
			answer, sizeof answer,
			"HTTP/1.1 %u Refused\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
			"content-length: %zu\r\n\r\n%s\n",
			http_status, strlen(err->msg) + 1, err->msg);
		transport_write(h1->http.transport, str_new(answer, (size_t)len));
		transport_linger(h1->http.transport);
	}
	h1_close(&h1->http, &why);
}

static void refuse_with(struct h1 *h1, unsigned status, enum code code, const char *text) {
	struct error err;
	error_set(&err, code, "%s", text);
	h1_refuse(h1, status, &err);
}

static bool is_too_large(const struct h1 *h1, struct str head) {
	/* Each line costs as much as a header does in HTTP/2. */
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
	h1_refuse(h1, 431, &err);
}

/* A message without a body stays in H1_HEAD until its events have been called. */
static void begin_body(struct h1 *h1, const struct h1_head *head) {
	h1->body = head->body;
	switch (head->body) {
	case H1_BODY_NONE:
		h1->left = 0;
		break;
	case H1_BODY_LENGTH:
		h1->left = head->length;
		h1_receiving_move(&h1->receiving, H1_BODY);
		break;
	case H1_BODY_CHUNKED:
		h1->left = 0;
		h1_receiving_move(&h1->receiving, H1_CHUNK_SIZE);
		break;
	case H1_BODY_UNTIL_CLOSE:
		h1->left = UINT64_MAX;
		h1_receiving_move(&h1->receiving, H1_BODY);
		break;
	}
}

void h1_end_received(struct h1 *h1) {
	struct http_stream *stream = h1->stream;
	h1_receiving_move(&h1->receiving, H1_END);
	if (stream != NULL) {
		stream->received_end = true;
		stream->events->end(stream);
	}
	if (h1->life != H1_CLOSING)
		h1_settle(h1);
}

static int read_request(struct h1 *h1, struct str bytes, struct h1_head *ret_head,
			struct http_request_head *ret_request) {
	struct error err;
	unsigned status;
	struct http_request_head request;
	http_request_head_init(&request);
	if (h1_read_request(bytes, &request.arena, ret_head, &status, &err) < 0) {
		http_request_head_deinit(&request);
		h1_refuse(h1, status, &err);
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
	h1_attach_stream(h1, stream);
	h1->keep_alive = !head.close && h1->life == H1_OPEN;
	h1->is_http10 = head.is_http10;
	begin_body(h1, &head);
	if (head.expects_continue && head.body != H1_BODY_NONE && !transport_is_backed_up(h1->http.transport))
		transport_write(h1->http.transport, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	h1->http.events->request(&h1->http, stream);
	if (h1->life != H1_CLOSING && h1->body == H1_BODY_NONE)
		h1_end_received(h1);
}

static void take_response(struct h1 *h1, struct str bytes) {
	struct h1_head head;
	struct error err;
	struct http_stream *stream = h1->stream;
	if (stream == NULL) {
		refuse_with(h1, 0, CODE_UNAVAILABLE, "the peer sent a response without a request");
		return;
	}
	/* A peer may send any number of interim responses, so nothing of them is kept. */
	bool interim = bytes.len > INTERIM_DIGIT && bytes.ptr[INTERIM_DIGIT] == '1';
	int failed = h1_read_response(bytes, interim ? &h1->scratch : &stream->arena, &head, &err);
	arena_deinit(&h1->scratch);
	if (failed) {
		h1_refuse(h1, 0, &err);
		return;
	}
	if (interim)
		return; /* the next head belongs to the same request */
	stream->status = head.status;
	stream->received = head.headers;
	h1->keep_alive = !head.close;
	begin_body(h1, &head);
	stream->events->headers(stream);
	if (h1->life != H1_CLOSING && h1->body == H1_BODY_NONE)
		h1_end_received(h1);
}

static size_t take_head(struct h1 *h1, struct str bytes) {
	size_t skipped = 0;
	/* A server ignores an empty line before a request (RFC 9112 section 2.2). */
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
	if (h1->body != H1_BODY_UNTIL_CLOSE)
		h1->left -= take;
	if (h1->left == 0 && h1->body == H1_BODY_CHUNKED)
		h1_receiving_move(&h1->receiving, H1_CHUNK_END);
	if (stream != NULL) {
		stream->lent += take;
		stream->progress_ms = h1->http.progress_ms;
		stream->events->data(stream, str_new(bytes.ptr, take));
	} else if ((h1->dropped += take) > DROPPED_MAX) {
		/* The response has been sent, and dropping the rest would cost more than a new connection. */
		h1_close(&h1->http, NULL);
		return take;
	}
	if (h1->life != H1_CLOSING && h1->left == 0 && h1->body != H1_BODY_CHUNKED)
		h1_end_received(h1);
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
	h1_receiving_move(&h1->receiving, h1->left > 0 ? H1_BODY : H1_TRAILERS);
	return len + 1;
}

static size_t take_chunk_end(struct h1 *h1, struct str bytes) {
	if (bytes.len < 2)
		return 0;
	if (memcmp(bytes.ptr, "\r\n", 2) != 0)
		refuse_with(h1, 400, CODE_INVALID_ARGUMENT, "a chunk does not end in CR LF");
	else
		h1_receiving_move(&h1->receiving, H1_CHUNK_SIZE);
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
		h1_refuse(h1, 400, &err);
	else
		h1_end_received(h1);
	return size;
}

static bool can_take(const struct h1 *h1) {
	if (h1->life == H1_CLOSING || h1->life == H1_FINISHING)
		return false;
	if (h1->receiving == H1_END || (h1->receiving == H1_HEAD && h1->http.is_server && h1->stream != NULL))
		return false; /* the next request waits for this response */
	return h1->stream == NULL || h1->stream->lent < h1->limits.window;
}

static size_t take(struct h1 *h1, struct str bytes) {
	switch (h1->receiving) {
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

/* Parses as much of bytes as it can; returns how much. */
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
	if (h1->life == H1_CLOSING)
		return;
	/* An incomplete head or line needs more bytes; a full window waits until its owner consumes some. */
	bool wants_more = can_take(h1) || buf_len(&h1->pending) == 0;
	if (h1->stream != NULL && h1->stream->lent >= h1->limits.window)
		wants_more = false;
	if (wants_more)
		transport_start_reading(h1->http.transport);
	else
		transport_stop_reading(h1->http.transport);
}

void h1_take_pending(struct h1 *h1) {
	if (buf_len(&h1->pending) > 0 && can_take(h1))
		buf_consume(&h1->pending, take_all(h1, buf_view(&h1->pending)));
	if (h1->life != H1_CLOSING)
		buf_trim(&h1->pending);
	adjust_reading(h1);
}

void h1_receive_bytes(struct h1 *h1, struct str bytes) {
	h1->http.progress_ms = loop_now_ms(h1->loop);
	if (buf_len(&h1->pending) == 0)
		bytes = str_from_offset(bytes, take_all(h1, bytes));
	if (h1->life == H1_CLOSING || h1->life == H1_FINISHING)
		return;
	int over = buf_append(&h1->pending, bytes);
	ASSERT(over == 0);
	h1_take_pending(h1);
}
