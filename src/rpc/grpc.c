/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over HTTP/2, by gRPC's PROTOCOL-HTTP2 document: a prefix before each message, and the status in the trailers.
 */
#include "rpc/grpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rpc/content.h"
#include "rpc/details.h"
#include "rpc/transcode.h"

/* Of "grpc-message". With the whole text and few other details in "grpc-status-details-bin" the trailers stay below 8
 * KiB, past which gRPC's C core refuses them at random. */
enum { TEXT_HEADER_MAX = 1536, DETAILS_WITH_TEXT_MAX = RPC_STATUS_TEXT_MAX + 512 };

static const struct str hex_digits = STR_INIT("0123456789ABCDEF");

/* --- texts -------------------------------------------------------------------------------------------------------- */

struct str grpc_encode_text(struct arena *arena, struct str text) {
	char *encoded = arena_alloc(arena, text.len * 3 + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		/* A header's value neither begins nor ends with a blank (RFC 9113 section 8.2.1). */
		bool is_outer_blank = c == ' ' && (i == 0 || i == text.len - 1);
		if (c >= 0x20 && c <= 0x7E && c != '%' && !is_outer_blank) {
			encoded[len++] = (char)c;
		} else {
			encoded[len++] = '%';
			encoded[len++] = hex_digits.ptr[c >> 4];
			encoded[len++] = hex_digits.ptr[c & 15];
		}
	}
	return str_new(encoded, len);
}

struct str grpc_encode_short_text(struct arena *arena, struct str text, size_t max, bool *ret_cut) {
	static const struct str mark = STR_INIT("%E2%80%A6"); /* "…" */
	struct str encoded = grpc_encode_text(arena, text);
	*ret_cut = encoded.len > max;
	if (!*ret_cut)
		return encoded;
	/* Neither an escape nor a character is cut: "%xx" of which xx is from 80 to BF continues a character. */
	size_t at = max - mark.len;
	while (at > 0 && (encoded.ptr[at - 1] == '%' || (at > 1 && encoded.ptr[at - 2] == '%')))
		at--;
	while (at > 0 && encoded.ptr[at] == '%' && (text_hex_value(encoded.ptr[at + 1]) & 0xC) == 0x8)
		at -= 3;
	memcpy((char *)encoded.ptr + at, mark.ptr, mark.len);
	return str_new(encoded.ptr, at + mark.len);
}

struct str grpc_decode_text(struct arena *arena, struct str text) {
	char *decoded = arena_alloc(arena, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		int high = i + 2 < text.len ? text_hex_value(text.ptr[i + 1]) : -1;
		int low = i + 2 < text.len ? text_hex_value(text.ptr[i + 2]) : -1;
		bool escaped = text.ptr[i] == '%' && high >= 0 && low >= 0;
		decoded[len++] = (char)(escaped ? high << 4 | low : text.ptr[i]);
		i += escaped ? 2 : 0;
	}
	return str_new(decoded, len);
}

bool grpc_parse_timeout(struct str text, uint64_t *ret_ms) {
	uint64_t number;
	if (text.len < 2 || text.len > 9 || !str_to_u64(str_new(text.ptr, text.len - 1), &number))
		return false;
	switch (text.ptr[text.len - 1]) {
	case 'H':
		*ret_ms = number * 3600000;
		return true;
	case 'M':
		*ret_ms = number * 60000;
		return true;
	case 'S':
		*ret_ms = number * 1000;
		return true;
	case 'm':
		*ret_ms = number;
		return true;
	case 'u':
		*ret_ms = (number + 999) / 1000;
		return true;
	case 'n':
		*ret_ms = (number + 999999) / 1000000;
		return true;
	default:
		return false;
	}
}

struct str grpc_format_timeout(struct arena *arena, uint64_t ms) {
	/* The protocol allows eight digits. */
	bool coarse = ms > 99999999;
	uint64_t number = coarse ? MIN(ms / 1000, (uint64_t)99999999) : ms;
	return str_from(arena_printf(arena, "%llu%c", (unsigned long long)number, coarse ? 'S' : 'm'));
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

/* Collects the prefix of a message; returns the rest of bytes. */
static struct str take_prefix(struct rpc_stream *stream, struct str bytes) {
	size_t take = prefix_take(&stream->prefix, bytes);
	http_stream_consume(&stream->http, take);
	return str_from_offset(bytes, take);
}

static void begin_received(struct rpc_stream *stream) {
	unsigned char flags = stream->prefix.bytes[0];
	struct error err;
	stream->prefix.len = 0;
	if (flags == 0) {
		rpc_deliver_begin(stream, prefix_message_size(&stream->prefix));
		return;
	}
	if (flags == PREFIX_COMPRESSED)
		error_set(&err, CODE_INTERNAL, "the message is marked as compressed, and the headers name no encoding");
	else
		error_set(&err, CODE_INTERNAL, "the message has the flags %u; gRPC knows 0 and 1", flags);
	rpc_break(stream, &err);
}

static enum rpc_frame grpc_frame(struct rpc_stream *stream UNUSED, unsigned char flags) {
	return flags == 0 ? RPC_FRAME_MESSAGE : RPC_FRAME_WRONG;
}

static void grpc_receive(struct rpc_stream *stream, struct str bytes) {
	while (bytes.len > 0 && !rpc_has_ended(stream)) {
		if (stream->message_left == 0) {
			bytes = take_prefix(stream, bytes);
			if (prefix_is_complete(&stream->prefix))
				begin_received(stream);
			continue;
		}
		struct str piece = str_new(bytes.ptr, MIN(bytes.len, stream->message_left));
		bytes = str_from_offset(bytes, piece.len);
		rpc_deliver(stream, piece);
	}
	if (bytes.len > 0)
		http_stream_consume(&stream->http, bytes.len);
}

static void grpc_receive_end(struct rpc_stream *stream) {
	if (stream->message_left > 0 || stream->prefix.len > 0) {
		/* The peer's own error says more. */
		if (stream->is_client && stream->codec->read_status(stream) && stream->status != CODE_OK)
			return;
		struct error err;
		enum code code = stream->is_client ? CODE_INTERNAL : CODE_INVALID_ARGUMENT;
		if (stream->prefix.len > 0)
			error_set(&err, code, "the message was cut short: %zu of the %d bytes before it came",
				  stream->prefix.len, PREFIX_SIZE);
		else
			error_set(&err, code, "the message was cut short: its last %zu bytes did not come",
				  stream->message_left);
		rpc_break(stream, &err);
	} else if (!stream->is_client) {
		stream->events->end(stream);
	}
}

/* Starts decompression if the response's headers name gzip. */
static int start_decoding(struct rpc_stream *stream, struct error *err) {
	bool gzip;
	struct transcode_options options =
		stream->transcoder ? *transcode_options(stream->transcoder) : (struct transcode_options){0};
	if (content_read_response_encoding(stream, STR("grpc-encoding"), &gzip, err) < 0)
		return -1;
	if (!gzip)
		return 0;
	options.gzip_receive = true;
	transcode_start(stream, &options);
	if (stream->codec == &grpc_codec)
		stream->codec = &grpc_decoded_codec;
	return 0;
}

bool grpc_check_headers(struct rpc_stream *stream, struct str type) {
	struct error err;
	if (content_check_response(stream, type, STR("application/grpc"), &err) < 0 ||
	    start_decoding(stream, &err) < 0) {
		rpc_break(stream, &err);
		return false;
	}
	return true;
}

static struct str content_type(const struct rpc_stream *stream) {
	return transcode_is_json(stream) ? STR("application/grpc+json") : STR("application/grpc");
}

static void grpc_receive_headers(struct rpc_stream *stream) {
	if (grpc_check_headers(stream, content_type(stream)) && stream->events->headers != NULL)
		stream->events->headers(stream);
}

/* An encoded text without the beginning of an escape at its end. */
static struct str without_part(struct str text) {
	for (size_t i = 1; i <= 2 && i <= text.len; i++)
		if (text.ptr[text.len - i] == '%')
			return str_new(text.ptr, text.len - i);
	return text;
}

/* The text of the status, with the blanks around it; "…" marks one that passed max-header-bytes. */
static struct str read_text(struct rpc_stream *stream, const struct http_headers *headers) {
	static const struct str mark = STR_INIT("\xE2\x80\xA6"); /* "…" */
	const struct http_header *header = http_headers_find(headers, STR("grpc-message"));
	struct arena *arena = &stream->http.arena;
	if (header == NULL)
		return STR("");
	bool is_part = stream->http.h2.headers_over && header == &headers->items[headers->count - 1];
	struct str text = grpc_decode_text(arena, is_part ? without_part(header->value) : header->value);
	if (is_part && text.len > 0)
		text = text_cut(text, text.len - 1); /* the last character, or what has come of it */
	if (header->blanks_before == 0 && header->blanks_after == 0 && !is_part)
		return text;
	size_t size = header->blanks_before + text.len + (is_part ? mark.len : header->blanks_after);
	char *all = arena_alloc(arena, size);
	memset(all, ' ', size);
	memcpy(all + header->blanks_before, text.ptr, text.len);
	if (is_part)
		memcpy(all + size - mark.len, mark.ptr, mark.len);
	return str_new(all, size);
}

static bool take_status(struct rpc_stream *stream, const struct http_headers *headers) {
	const struct http_header *status = http_headers_find(headers, STR("grpc-status"));
	if (status == NULL)
		return false;
	uint64_t number;
	enum code code =
		str_to_u64(status->value, &number) ? code_from_number((long)MIN(number, (uint64_t)99)) : CODE_UNKNOWN;
	rpc_set_status(stream, code, read_text(stream, headers));
	struct str details = http_headers_get(headers, STR("grpc-status-details-bin"));
	if (details.ptr != NULL)
		details_from_grpc(stream, details);
	return true;
}

bool grpc_read_status(struct rpc_stream *stream) {
	/* A response without messages may have the status in its headers. */
	return take_status(stream, &stream->http.trailers) ||
	       (!stream->has_body && take_status(stream, &stream->http.received));
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

void grpc_send_headers(struct rpc_stream *stream, struct str type) {
	struct http_header room[HTTP_HEADERS_ROOM];
	struct http_headers headers = HTTP_HEADERS_IN(room);
	struct arena *arena = &stream->http.arena;
	http_headers_add(&headers, arena, STR("content-type"), type);
	if (stream->transcoder != NULL) {
		http_headers_add(&headers, arena, STR("grpc-accept-encoding"), STR("identity,gzip"));
		if (transcode_options(stream->transcoder)->gzip_send)
			http_headers_add(&headers, arena, STR("grpc-encoding"), STR("gzip"));
	}
	for (size_t i = 0; i < stream->response_headers.count; i++)
		http_headers_pass(&headers, arena, &stream->response_headers.items[i]);
	http_respond(&stream->http, 200, &headers);
}

static void grpc_respond(struct rpc_stream *stream) {
	grpc_send_headers(stream, content_type(stream));
}

static void grpc_begin(struct rpc_stream *stream, size_t size) {
	unsigned char prefix[PREFIX_SIZE];
	prefix_write(prefix, 0, size);
	http_stream_expect(&stream->http, sizeof prefix + size);
	http_stream_write(&stream->http, str_new(prefix, sizeof prefix));
}

/* The whole text, if the other details leave room for it. */
static struct str text_for_details(struct rpc_stream *stream, struct str header, bool is_cut) {
	size_t size = stream->status_text.len;
	for (size_t i = 0; i < stream->details.count; i++)
		size += stream->details.items[i].type.len + stream->details.items[i].value.len;
	return is_cut && size > DETAILS_WITH_TEXT_MAX ? grpc_decode_text(&stream->http.arena, header)
						      : stream->status_text;
}

void grpc_add_status(struct rpc_stream *stream, struct http_headers *headers) {
	struct arena *arena = &stream->http.arena;
	http_headers_add(headers, arena, STR("grpc-status"),
			 stream->status == CODE_OK ? STR("0") : str_from(arena_printf(arena, "%d", stream->status)));
	bool is_cut = false;
	struct str header = STR("");
	if (stream->status_text.len > 0) {
		header = grpc_encode_short_text(arena, stream->status_text, TEXT_HEADER_MAX, &is_cut);
		http_headers_add(headers, arena, STR("grpc-message"), header);
	}
	if (stream->details.count > 0 || is_cut)
		http_headers_add(headers, arena, STR("grpc-status-details-bin"),
				 details_to_grpc(stream, text_for_details(stream, header, is_cut)));
}

static void grpc_finish(struct rpc_stream *stream) {
	if (stream->state == RPC_RESPONDING) {
		grpc_add_status(stream, &stream->http.send_trailers);
		http_stream_finish(&stream->http);
		return;
	}
	/* A response of headers only: they hold the status and the trailers. */
	grpc_add_status(stream, &stream->response_headers);
	for (size_t i = 0; i < stream->http.send_trailers.count; i++)
		http_headers_pass(&stream->response_headers, &stream->http.arena, &stream->http.send_trailers.items[i]);
	stream->http.send_trailers.count = 0;
	stream->http.finished = true;
	grpc_respond(stream);
}

void grpc_add_request_headers(struct rpc_stream *stream, struct http_headers *headers, struct str type) {
	struct arena *arena = &stream->http.arena;
	http_headers_add(headers, arena, STR("te"), STR("trailers"));
	http_headers_add(headers, arena, STR("content-type"), type);
	if (stream->transcoder != NULL && transcode_options(stream->transcoder)->gzip_send)
		http_headers_add(headers, arena, STR("grpc-encoding"), STR("gzip"));
	if (stream->transcoder != NULL)
		http_headers_add(headers, arena, STR("grpc-accept-encoding"), STR("identity,gzip"));
	if (stream->deadline.at_ms != 0)
		http_headers_add(headers, arena, STR("grpc-timeout"),
				 grpc_format_timeout(arena, rpc_time_left_ms(stream)))
			->never_indexed = true;
}

static void grpc_request_headers(struct rpc_stream *stream, struct http_headers *headers) {
	grpc_add_request_headers(stream, headers, content_type(stream));
}

const struct rpc_codec grpc_codec = {
	.name = "gRPC",
	.begin = grpc_begin,
	.receive = grpc_receive,
	.receive_end = grpc_receive_end,
	.respond = grpc_respond,
	.finish = grpc_finish,
	.request_headers = grpc_request_headers,
	.receive_headers = grpc_receive_headers,
	.read_status = grpc_read_status,
};

const struct rpc_codec grpc_transcoded_codec = {
	.name = "gRPC",
	.begin = transcode_begin,
	.write = transcode_write,
	.settle = transcode_settle,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.frame = grpc_frame,
	.respond = grpc_respond,
	.finish = grpc_finish,
	.request_headers = grpc_request_headers,
	.receive_headers = grpc_receive_headers,
	.read_status = grpc_read_status,
	.release = transcode_release,
};

const struct rpc_codec grpc_decoded_codec = {
	.name = "gRPC",
	.begin = grpc_begin,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.frame = grpc_frame,
	.request_headers = grpc_request_headers,
	.receive_headers = grpc_receive_headers,
	.read_status = grpc_read_status,
	.release = transcode_release,
};
