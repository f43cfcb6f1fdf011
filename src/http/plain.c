/* SPDX-License-Identifier: Apache-2.0 */
#include "http/plain.h"

#include "base/pool.h"
#include "http/cors.h"

struct plain_stream {
	struct http_stream http;
	struct http_plain_answer answer;
};

static void send_answer(struct http_stream *stream) {
	const struct http_plain_answer *answer = stream->plain;
	struct http_headers headers = {0};
	if (answer->status != 204)
		http_headers_add(&headers, &stream->arena, STR("content-type"), STR("text/plain; charset=utf-8"));
	for (size_t i = 0; i < answer->header_count; i++)
		http_headers_pass(&headers, &stream->arena, &answer->headers[i]);
	if (stream->has_origin && !answer->no_cors)
		cors_add_headers(stream, &headers);
	http_respond(stream, answer->status, &headers);
	http_stream_write(stream, str_from(answer->text));
	http_stream_finish(stream);
}

static void drop_body(struct http_stream *stream, struct str bytes) {
	http_stream_consume(stream, bytes.len);
}

static void ignore(struct http_stream *stream UNUSED) {
}

static void on_closed(struct http_stream *stream, const struct error *why) {
	stream->plain->closed(stream, why);
}

static const struct http_stream_events plain_events = {
	.headers = ignore,
	.data = drop_body,
	.end = send_answer,
	.writable = ignore,
	.closed = on_closed,
};

static void free_stream(struct http_stream *stream, const struct error *why UNUSED) {
	http_stream_deinit(stream);
	pool_free(CONTAINER_OF(stream, struct plain_stream, http));
}

struct http_stream *http_plain_new(const struct http_plain_answer *answer) {
	struct plain_stream *plain = pool_alloc(sizeof *plain);
	http_stream_init(&plain->http, &plain_events, HTTP_HEAD_ARENA_MAX);
	plain->answer = *answer;
	plain->answer.closed = free_stream;
	plain->http.plain = &plain->answer;
	return &plain->http;
}

void http_plain_take(struct http_stream *stream, const struct http_plain_answer *answer) {
	struct http_plain_answer *copy = arena_alloc(&stream->arena, sizeof *copy);
	*copy = *answer;
	copy->closed = stream->events->closed;
	stream->plain = copy;
	stream->events = &plain_events;
	if (stream->received_end)
		send_answer(stream);
}
