/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

enum { EXPECTED_MAX = 16 << 10 };

const struct http_limits http_limits_default = HTTP_LIMITS_DEFAULT;

const struct http_header *http_headers_find(const struct http_headers *headers, struct str name) {
	for (size_t i = 0; i < headers->count; i++)
		if (str_eq(headers->items[i].name, name))
			return &headers->items[i];
	return NULL;
}

struct str http_headers_get(const struct http_headers *headers, struct str name) {
	const struct http_header *header = http_headers_find(headers, name);
	return header ? header->value : (struct str){0};
}

struct http_header *http_headers_add(struct http_headers *headers, struct arena *arena, struct str name,
				     struct str value) {
	if (headers->count == headers->capacity) {
		size_t capacity = headers->capacity ? headers->capacity * 2 : 8;
		struct http_header *items = arena_alloc(arena, capacity * sizeof *items);
		if (headers->count > 0)
			memcpy(items, headers->items, headers->count * sizeof *items);
		headers->items = items;
		headers->capacity = capacity;
	}
	struct http_header *header = &headers->items[headers->count++];
	*header = (struct http_header){.name = name, .value = value};
	return header;
}

void http_headers_pass(struct http_headers *headers, struct arena *arena, const struct http_header *header) {
	*http_headers_add(headers, arena, header->name, header->value) = *header;
}

void http_headers_copy(struct http_headers *headers, struct arena *arena, const struct http_header *header) {
	http_headers_add(headers, arena, arena_copy(arena, header->name), arena_copy(arena, header->value))
		->never_indexed = header->never_indexed;
}

void http_stream_init(struct http_stream *stream, const struct http_stream_events *events, size_t arena_max) {
	*stream = (struct http_stream){.events = events,
				       .arena = ARENA_INIT(arena_max),
				       .unsent = BUF_INIT(HTTP_UNSENT_MAX),
				       .kept = BUF_INIT(HTTP_KEEP_MAX)};
	list_init(&stream->link);
}

void http_request_head_init(struct http_request_head *head) {
	*head = (struct http_request_head){.arena = ARENA_INIT(HTTP_HEAD_ARENA_MAX)};
}

void http_request_head_deinit(struct http_request_head *head) {
	arena_deinit(&head->arena);
	http_request_head_init(head);
}

void http_stream_take_head(struct http_stream *stream, struct http_request_head *head) {
	ASSERT(stream->arena.blocks == NULL && head->arena.used <= stream->arena.max);
	stream->arena.blocks = head->arena.blocks;
	stream->arena.used = head->arena.used;
	stream->method = head->method;
	stream->path = head->path;
	stream->authority = head->authority;
	stream->received = head->headers;
	http_request_head_init(head);
}

void http_stream_deinit(struct http_stream *stream) {
	ASSERT(stream->connection == NULL);
	arena_deinit(&stream->arena);
	buf_deinit(&stream->unsent);
	buf_deinit(&stream->kept);
}

void http_stream_keep(struct http_stream *stream) {
	stream->keeping = true;
}

void http_stream_stop_keeping(struct http_stream *stream) {
	stream->keeping = false;
	buf_deinit(&stream->kept);
}

void http_stream_rewind(struct http_stream *stream) {
	ASSERT(stream->connection == NULL && stream->unprocessed && stream->keeping && stream->status == 0);
	buf_clear(&stream->unsent);
	int over = buf_append(&stream->unsent, buf_view(&stream->kept));
	ASSERT(over == 0);
	stream->unprocessed = stream->h2.sent = stream->h2.deferred = false;
	stream->received = stream->trailers = (struct http_headers){0};
}

void http_stream_write(struct http_stream *stream, struct str bytes) {
	ASSERT(!stream->finished);
	if (bytes.len == 0)
		return;
	int over = buf_append(&stream->unsent, bytes);
	ASSERT(over == 0);
	if (stream->keeping && buf_append(&stream->kept, bytes) < 0)
		http_stream_stop_keeping(stream);
	if (stream->connection != NULL)
		stream->connection->ops->output(stream);
}

void http_stream_expect(struct http_stream *stream, size_t size) {
	if (size <= EXPECTED_MAX)
		(void)!buf_reserve(&stream->unsent, size);
}

void http_stream_finish(struct http_stream *stream) {
	ASSERT(!stream->finished);
	stream->finished = true;
	if (stream->connection != NULL)
		stream->connection->ops->output(stream);
}
