/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect, by its protocol reference. Unary calls are plain HTTP: the body is the message, an error is an HTTP status
 * and JSON, trailers are headers that begin with "trailer-". Streams are messages with prefixes as in gRPC, and a last
 * frame of JSON with the error and the trailers.
 */
#include "rpc/connect.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "rpc/connect_query.h"
#include "rpc/content.h"
#include "rpc/gzip.h"
#include "rpc/transcode.h"

enum { FLAG_END_STREAM = 2, CONNECT_GET_MAX = KIB(4) /* bytes of a message that goes into a query */ };

/* --- errors in JSON ----------------------------------------------------------------------------------------------- */

static json_t *details_to_json(struct rpc_stream *stream) {
	json_t *details = json_array();
	for (size_t i = 0; i < stream->details.count; i++) {
		const struct rpc_detail *detail = &stream->details.items[i];
		struct str value = base64_encode_in(&stream->http.arena, detail->value, BASE64_UNPADDED);
		json_t *object = json_object();
		json_object_set_new(object, "type", json_stringn(detail->type.ptr, detail->type.len));
		json_object_set_new(object, "value", json_stringn(value.ptr, value.len));
		json_array_append_new(details, object);
	}
	return details;
}

static json_t *error_to_json(struct rpc_stream *stream) {
	json_t *error = json_object();
	json_object_set_new(error, "code", json_string(content_code_word(stream->status)));
	json_t *text = json_stringn(stream->status_text.ptr, stream->status_text.len);
	if (stream->status_text.len > 0 && text != NULL)
		json_object_set(error, "message", text);
	json_decref(text);
	if (stream->details.count > 0)
		json_object_set_new(error, "details", details_to_json(stream));
	return error;
}

static void details_from_json(struct rpc_stream *stream, const json_t *details) {
	size_t index;
	json_t *detail;
	stream->details.count = 0;
	json_array_foreach(details, index, detail) {
		const json_t *type = json_object_get(detail, "type"), *value = json_object_get(detail, "value");
		struct str bytes;
		if (json_is_string(type) && json_is_string(value) &&
		    base64_decode_in(&stream->http.arena, str_new(json_string_value(value), json_string_length(value)),
				     &bytes))
			rpc_add_detail(stream, str_new(json_string_value(type), json_string_length(type)), bytes);
	}
}

static void error_from_json(struct rpc_stream *stream, const json_t *error, enum code otherwise) {
	const json_t *text = json_object_get(error, "message");
	enum code code = content_code_from_word(json_string_value(json_object_get(error, "code")), otherwise);
	char generic[64];
	snprintf(generic, sizeof generic, "the peer answered with HTTP status %u", stream->http.status);
	if (json_is_string(text))
		rpc_set_status(stream, code, str_new(json_string_value(text), json_string_length(text)));
	else
		rpc_set_status(stream, code, json_is_object(error) ? STR("") : str_from(generic));
	details_from_json(stream, json_object_get(error, "details"));
}

/* --- metadata ----------------------------------------------------------------------------------------------------- */

static void add_all(struct http_headers *to, struct arena *arena, const char *prefix, const struct http_headers *from) {
	for (size_t i = 0; i < from->count; i++) {
		const struct http_header *header = &from->items[i];
		struct str name = prefix[0] ? str_from(arena_printf(arena, "%s%.*s", prefix, STR_ARG(header->name)))
					    : header->name;
		http_headers_add(to, arena, name, header->value);
	}
}

bool connect_parse_timeout(struct str text, uint64_t *ret_ms) {
	return text.len <= 10 && str_to_u64(text, ret_ms);
}

static void add_timeout(struct rpc_stream *stream, struct http_headers *headers) {
	struct arena *arena = &stream->http.arena;
	http_headers_add(headers, arena, STR("connect-protocol-version"), STR("1"));
	if (stream->deadline.at_ms != 0)
		http_headers_add(headers, arena, STR("connect-timeout-ms"),
				 str_from(arena_printf(arena, "%llu",
						       (unsigned long long)MIN(rpc_time_left_ms(stream),
									       (uint64_t)9999999999))));
}

/* Client: reads the response's encoding. */
static int start_decoding(struct rpc_stream *stream, struct str header, struct error *err) {
	return content_read_response_encoding(stream, header, &transcode_options(stream->transcoder)->gzip_receive,
					      err);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static struct str stream_type(const struct rpc_stream *stream) {
	return transcode_is_json(stream) ? STR("application/connect+json") : STR("application/connect+proto");
}

static enum rpc_frame stream_frame(struct rpc_stream *stream, unsigned char flags) {
	if (flags == FLAG_END_STREAM && stream->is_client && !stream->has_peer_status)
		return RPC_FRAME_END;
	return flags == 0 && !stream->has_peer_status ? RPC_FRAME_MESSAGE : RPC_FRAME_WRONG;
}

static void metadata_from_json(struct rpc_stream *stream, const json_t *metadata) {
	const char *name;
	json_t *values, *value;
	size_t index;
	json_object_foreach((json_t *)metadata, name, values) {
		json_array_foreach(values, index, value) {
			struct str text = str_new(json_string_value(value), json_string_length(value));
			if (json_is_string(value) && !rpc_add_trailer(stream, str_from(name), text))
				return;
		}
	}
}

static void stream_receive_last(struct rpc_stream *stream, struct str bytes) {
	json_error_t wrong;
	json_t *end = json_loadb(bytes.ptr, bytes.len, JSON_ALLOW_NUL, &wrong);
	const json_t *error = json_object_get(end, "error");
	stream->has_peer_status = true;
	if (!json_is_object(end))
		rpc_set_status(stream, CODE_INTERNAL, STR("the peer's last message is not a JSON object"));
	else if (error != NULL && !json_is_null(error))
		error_from_json(stream, error, CODE_UNKNOWN);
	else
		rpc_set_status(stream, CODE_OK, STR(""));
	metadata_from_json(stream, json_object_get(end, "metadata"));
	json_decref(end);
}

static void stream_receive_headers(struct rpc_stream *stream) {
	struct error err;
	if (content_check_response(stream, stream_type(stream), STR("application/connect+"), &err) < 0 ||
	    start_decoding(stream, STR("connect-content-encoding"), &err) < 0)
		rpc_break(stream, &err);
	else if (stream->events->headers != NULL)
		stream->events->headers(stream);
}

static bool stream_read_status(struct rpc_stream *stream) {
	return stream->has_peer_status;
}

static void stream_respond(struct rpc_stream *stream) {
	struct http_headers headers = {0};
	struct arena *arena = &stream->http.arena;
	http_headers_add(&headers, arena, STR("content-type"), stream_type(stream));
	http_headers_add(&headers, arena, STR("connect-accept-encoding"), STR("gzip"));
	if (transcode_options(stream->transcoder)->gzip_send)
		http_headers_add(&headers, arena, STR("connect-content-encoding"), STR("gzip"));
	add_all(&headers, arena, "", &stream->response_headers);
	http_respond(&stream->http, 200, &headers);
}

static void stream_finish(struct rpc_stream *stream) {
	struct http_headers *trailers = &stream->http.send_trailers;
	json_t *end = json_object(), *metadata = json_object();
	if (stream->state == RPC_OPEN)
		stream_respond(stream);
	if (stream->status != CODE_OK)
		json_object_set_new(end, "error", error_to_json(stream));
	for (size_t i = 0; i < trailers->count; i++) {
		const char *name = arena_strdup(&stream->http.arena, trailers->items[i].name);
		json_t *values = json_object_get(metadata, name);
		if (values == NULL) {
			values = json_array();
			json_object_set_new(metadata, name, values);
		}
		json_array_append_new(values, json_stringn(trailers->items[i].value.ptr, trailers->items[i].value.len));
	}
	if (trailers->count > 0)
		json_object_set(end, "metadata", metadata);
	trailers->count = 0;
	char *text = json_dumps(end, JSON_COMPACT);
	transcode_send_frame(stream->transcoder, FLAG_END_STREAM, str_from(text));
	free(text);
	json_decref(end);
	json_decref(metadata);
	http_stream_finish(&stream->http);
}

static void stream_request_headers(struct rpc_stream *stream, struct http_headers *headers) {
	struct arena *arena = &stream->http.arena;
	http_headers_add(headers, arena, STR("content-type"), stream_type(stream));
	if (transcode_options(stream->transcoder)->gzip_send)
		http_headers_add(headers, arena, STR("connect-content-encoding"), STR("gzip"));
	http_headers_add(headers, arena, STR("connect-accept-encoding"), STR("gzip"));
	add_timeout(stream, headers);
}

const struct rpc_codec connect_codec = {
	.name = "Connect",
	.begin = transcode_begin,
	.write = transcode_write,
	.settle = transcode_settle,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.frame = stream_frame,
	.receive_last = stream_receive_last,
	.respond = stream_respond,
	.finish = stream_finish,
	.request_headers = stream_request_headers,
	.receive_headers = stream_receive_headers,
	.read_status = stream_read_status,
	.release = transcode_release,
};

/* --- unary calls: plain HTTP ---------------------------------------------------------------------------------------- */

static struct str plain_type(const struct rpc_stream *stream) {
	return transcode_is_json(stream) ? STR("application/json") : STR("application/proto");
}

/* Does nothing: the HTTP status depends on the outcome, so plain_finish sends the headers. */
static void plain_respond(struct rpc_stream *stream UNUSED) {
}

static void plain_finish(struct rpc_stream *stream) {
	struct http_headers headers = {0};
	struct arena *arena = &stream->http.arena;
	struct str body = STR("");
	bool gzip = false, failed = stream->status != CODE_OK;
	char *error = NULL;
	if (failed) {
		json_t *object = error_to_json(stream);
		error = json_dumps(object, JSON_COMPACT);
		body = str_from(error);
		json_decref(object);
	} else {
		body = transcode_plain_message(stream->transcoder, &gzip);
	}
	http_headers_add(&headers, arena, STR("content-type"), failed ? STR("application/json") : plain_type(stream));
	http_headers_add(&headers, arena, STR("accept-encoding"), STR("gzip"));
	if (gzip)
		http_headers_add(&headers, arena, STR("content-encoding"), STR("gzip"));
	if (str_eq(stream->http.method, STR("GET")))
		http_headers_add(&headers, arena, STR("vary"), STR("Accept-Encoding"));
	add_all(&headers, arena, "", &stream->response_headers);
	add_all(&headers, arena, "trailer-", &stream->http.send_trailers);
	stream->http.send_trailers.count = 0;
	http_respond(&stream->http, content_http_status(stream->status), &headers);
	http_stream_write(&stream->http, body);
	http_stream_finish(&stream->http);
	free(error);
}

/* Moves headers that begin with "trailer-" to the trailers. */
static void split_trailers(struct rpc_stream *stream) {
	static const struct str prefix = STR_INIT("trailer-");
	struct http_headers *headers = &stream->http.received;
	size_t kept = 0;
	for (size_t i = 0; i < headers->count; i++) {
		struct http_header header = headers->items[i];
		if (str_starts_with(header.name, prefix))
			http_headers_add(&stream->http.trailers, &stream->http.arena,
					 str_from_offset(header.name, prefix.len), header.value);
		else
			headers->items[kept++] = header;
	}
	headers->count = kept;
}

static void plain_receive_headers(struct rpc_stream *stream) {
	struct error err;
	struct str type = http_headers_get(&stream->http.received, STR("content-type"));
	bool is_proto = str_starts_with_nocase(type, STR("application/proto"));
	split_trailers(stream);
	if (stream->http.status != 200) {
		transcode_keep_body(stream->transcoder);
	} else if (content_check_type(stream, plain_type(stream),
				      is_proto ? STR("application/proto") : STR("application/json"), &err) < 0) {
		rpc_break(stream, &err);
		return;
	}
	if (start_decoding(stream, STR("content-encoding"), &err) < 0) {
		rpc_break(stream, &err);
		return;
	}
	if (stream->events->headers != NULL)
		stream->events->headers(stream);
}

static bool plain_read_status(struct rpc_stream *stream) {
	if (stream->http.status == 0 || !stream->http.received_end)
		return false;
	if (stream->http.status == 200) {
		rpc_set_status(stream, CODE_OK, STR(""));
		return true;
	}
	json_error_t wrong;
	struct str body = transcode_collected(stream->transcoder);
	struct buf expanded = BUF_INIT(KIB(256));
	if (transcode_options(stream->transcoder)->gzip_receive && gzip_expand(body, &expanded, NULL) == 0)
		body = buf_view(&expanded);
	struct str type = http_headers_get(&stream->http.received, STR("content-type"));
	json_t *error = content_is_type(type, STR("application/json"))
				? json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, &wrong)
				: NULL;
	error_from_json(stream, error, content_code_from_http(stream->http.status));
	json_decref(error);
	buf_deinit(&expanded);
	return true;
}

/* Sends the message at the end, as no second one can follow. */
static void plain_half_close(struct rpc_stream *stream) {
	bool gzip;
	struct str message = transcode_plain_message(stream->transcoder, &gzip);
	if (str_eq(stream->http.method, STR("GET")) && message.len <= CONNECT_GET_MAX) {
		connect_write_query(stream, message, transcode_is_json(stream), gzip);
		return;
	}
	/* The message is too long for a query. */
	stream->http.method = STR("POST");
	http_stream_write(&stream->http, message);
}

static void plain_request_headers(struct rpc_stream *stream, struct http_headers *headers) {
	struct arena *arena = &stream->http.arena;
	if (str_eq(stream->http.method, STR("GET"))) {
		http_headers_add(headers, arena, STR("accept-encoding"), STR("gzip"));
		if (stream->deadline.at_ms != 0)
			add_timeout(stream, headers);
		return;
	}
	http_headers_add(headers, arena, STR("content-type"), plain_type(stream));
	if (transcode_options(stream->transcoder)->gzip_send)
		http_headers_add(headers, arena, STR("content-encoding"), STR("gzip"));
	http_headers_add(headers, arena, STR("accept-encoding"), STR("gzip"));
	add_timeout(stream, headers);
}

const struct rpc_codec connect_plain_codec = {
	.name = "Connect",
	.is_plain = true,
	.begin = transcode_begin,
	.write = transcode_write,
	.settle = transcode_settle,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.respond = plain_respond,
	.finish = plain_finish,
	.request_headers = plain_request_headers,
	.half_close = plain_half_close,
	.receive_headers = plain_receive_headers,
	.read_status = plain_read_status,
	.release = transcode_release,
};
