/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_send.h"

#include <stdio.h>

static const char version[H1_EARLY_MAX + 1] = "HTTP/1.1 ";

static void add_line(struct buf *head, struct str name, struct str value) {
	/* A value with a line break would become a header of its own (response splitting): it is left out. */
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

void h1_put_request(struct h1 *h1, const struct http_headers *headers) {
	const struct http_stream *stream = h1->stream;
	struct buf *head = &h1->outgoing_head;
	int over = buf_append(head, stream->method) | buf_append(head, STR(" ")) | buf_append(head, stream->path) |
		   buf_append(head, STR(" HTTP/1.1\r\n"));
	ASSERT(over == 0);
	add_line(head, STR("host"), stream->authority);
	add_lines(head, headers);
	h1_sending_move(&h1->sending, H1_HEAD_READY);
}

void h1_put_response(struct h1 *h1, unsigned status, const struct http_headers *headers) {
	/* The reason phrase is for people; clients look at the number. */
	int over = buf_printf(&h1->outgoing_head, "%s%u %s\r\n", version, status, status < 400 ? "OK" : "Error");
	ASSERT(over == 0);
	buf_consume(&h1->outgoing_head, h1->half_closed.early);
	add_lines(&h1->outgoing_head, headers);
	h1_sending_move(&h1->sending, H1_HEAD_READY);
}

static bool tells_length(const struct h1 *h1, bool whole, bool is_head) {
	switch (h1->framing) {
	case H1_BY_LENGTH:
		return h1->http.is_server || !str_eq(h1->stream->method, STR("GET"));
	case H1_WITHOUT_BODY:
		return is_head && whole;
	case H1_BY_CHUNKS:
	case H1_UNTIL_CLOSE:
		break;
	}
	return false;
}

/* Adds the header that tells the end of the body: its length, if all of it has been written by now. */
static void complete_head(struct h1 *h1) {
	struct http_stream *stream = h1->stream;
	struct buf *head = &h1->outgoing_head;
	bool is_server = h1->http.is_server;
	bool whole = stream->finished && stream->send_trailers.count == 0;
	bool is_head = is_server && str_eq(stream->method, STR("HEAD")); /* gets the length of the body, and no body */
	bool no_body = is_head || (is_server && (stream->status == 204 || stream->status == 304));
	h1->framing = no_body ? H1_WITHOUT_BODY : whole ? H1_BY_LENGTH : h1->is_http10 ? H1_UNTIL_CLOSE : H1_BY_CHUNKS;
	if (h1->framing == H1_UNTIL_CLOSE)
		h1->keep_alive = false;
	char length[24];
	snprintf(length, sizeof length, "%zu", buf_len(&stream->unsent));
	if (h1->framing == H1_BY_CHUNKS)
		add_line(head, STR("transfer-encoding"), STR("chunked"));
	else if (tells_length(h1, whole, is_head))
		add_line(head, STR("content-length"), str_from(length));
	if (is_server && !h1->keep_alive)
		add_line(head, STR("connection"), STR("close"));
	else if (h1->is_http10)
		add_line(head, STR("connection"), STR("keep-alive"));
	int over = buf_append(head, STR("\r\n"));
	ASSERT(over == 0);
	h1_sending_move(&h1->sending, H1_SENDING_BODY);
}

static bool put(struct h1_output *output, struct str bytes) {
	if (bytes.len > H1_OUTPUT_SIZE - output->len)
		return false;
	memcpy(output->bytes + output->len, bytes.ptr, bytes.len);
	output->len += bytes.len;
	return true;
}

/* Moves as much of a buffer as fits. */
static void put_from(struct h1_output *output, struct buf *from) {
	size_t room = H1_OUTPUT_SIZE - output->len;
	size_t size = MIN(buf_len(from), room);
	put(output, str_new(buf_view(from).ptr, size));
	buf_consume(from, size);
}

static void put_chunk(struct h1_output *output, struct buf *from) {
	enum { AROUND_CHUNK = 16 };
	size_t room = H1_OUTPUT_SIZE - output->len;
	size_t size = MIN(buf_len(from), room > AROUND_CHUNK ? room - AROUND_CHUNK : 0);
	char line[AROUND_CHUNK];
	if (size == 0)
		return;
	put(output, str_new(line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size)));
	put(output, str_new(buf_view(from).ptr, size));
	put(output, STR("\r\n"));
	buf_consume(from, size);
}

/* After the last chunk. Trailers go through the head's buffer, as they may be longer than the output. */
static void end_chunks(struct h1 *h1) {
	int over = buf_append(&h1->outgoing_head, STR("0\r\n"));
	add_lines(&h1->outgoing_head, &h1->stream->send_trailers);
	over |= buf_append(&h1->outgoing_head, STR("\r\n"));
	ASSERT(over == 0);
	h1_sending_move(&h1->sending, H1_SENDING_TRAILERS);
}

static void put_body(struct h1 *h1, struct h1_output *output) {
	struct buf *unsent = &h1->stream->unsent;
	switch (h1->framing) {
	case H1_BY_LENGTH:
	case H1_UNTIL_CLOSE:
		put_from(output, unsent);
		break;
	case H1_BY_CHUNKS:
		put_chunk(output, unsent);
		break;
	case H1_WITHOUT_BODY:
		buf_clear(unsent);
		break;
	}
}

static bool is_between_chunks(const struct h1 *h1) {
	return h1->sending == H1_SENDING_BODY && h1->framing == H1_BY_CHUNKS && buf_len(&h1->outgoing_head) == 0 &&
	       buf_len(&h1->stream->unsent) == 0 && !h1->stream->finished;
}

void h1_send_early(struct h1 *h1) {
	unsigned *early = &h1->half_closed.early;
	if (h1->stream == NULL || *early == H1_EARLY_MAX || transport_is_backed_up(h1->http.transport))
		return;
	if (h1->sending == H1_NO_HEAD)
		transport_write(h1->http.transport, str_new(version + (*early)++, 1));
	else if (is_between_chunks(h1)) {
		transport_write(h1->http.transport, STR("0"));
		(*early)++;
	}
}

void h1_produce(struct h1 *h1, struct h1_output *output) {
	struct http_stream *stream = h1->stream;
	if (stream == NULL || h1->sending == H1_NO_HEAD || h1->sending == H1_SENT)
		return;
	if (h1->sending == H1_HEAD_READY)
		complete_head(h1);
	put_from(output, &h1->outgoing_head);
	bool had_body = buf_len(&stream->unsent) > 0;
	put_body(h1, output);
	stream->progress_ms = loop_now_ms(h1->loop);
	if (had_body && buf_len(&stream->unsent) == 0) {
		http_stream_sent_all(stream);
		if (!stream->finished)
			stream->events->writable(stream);
	}
	if (buf_len(&stream->unsent) > 0 || !stream->finished)
		return;
	if (h1->sending == H1_SENDING_BODY && h1->framing == H1_BY_CHUNKS)
		end_chunks(h1);
	put_from(output, &h1->outgoing_head);
	if (buf_len(&h1->outgoing_head) == 0)
		h1_sending_move(&h1->sending, H1_SENT);
}
