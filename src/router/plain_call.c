/* SPDX-License-Identifier: Apache-2.0 */
#include "router/plain_call.h"

#include <jansson.h>
#include <stdlib.h>

#include "ftl.pb-c.h"
#include "pb/wire.h"
#include "router/call.h"
#include "rpc/connect.h"
#include "rpc/content.h"
#include "rpc/transcode.h"

#define PREFIX "/call"

/* The method of one call, in the stream's arena. */
struct plain_call {
	struct rpc_method method;
	struct str module, verb;
};

static bool is_post(const struct rpc_stream *stream) {
	return str_eq(stream->http.method, STR("POST"));
}

static const struct plain_call *plain_of(const struct rpc_stream *stream) {
	return CONTAINER_OF(stream->method, struct plain_call, method);
}

/* --- a body is a CallRequest, a CallResponse is a body ------------------------------------------------------------- */

static int put_ref(struct buf *message, const struct plain_call *plain) {
	struct buf ref = BUF_INIT(plain->module.len + plain->verb.len + 32);
	int over = wire_put_bytes(&ref, 2, plain->verb) | wire_put_bytes(&ref, 3, plain->module);
	if (over == 0)
		over = wire_put_bytes(message, 2, buf_view(&ref));
	buf_deinit(&ref);
	return over;
}

/* The verb comes first, so that it is found in the first bytes. */
static int read_body(struct rpc_stream *stream, struct str body, struct buf *message, struct error *err) {
	if (put_ref(message, plain_of(stream)) < 0 || wire_put_bytes(message, 3, body) < 0)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the request has %zu bytes; max-message is %zu",
				 body.len, message->max);
	return 0;
}

/* Sets the error of a verb that failed. */
static int set_failure(struct str failure, struct error *err) {
	struct str text = STR("");
	for (struct wire_field field; wire_take(&failure, &field);)
		if (field.type == WIRE_BYTES && field.number == 1)
			text = field.bytes;
	return error_set(err, CODE_UNKNOWN, "%.*s", STR_ARG(text));
}

static int write_body(struct rpc_stream *stream UNUSED, struct str message, struct buf *body, struct error *err) {
	struct str found = {0};
	for (struct wire_field field; wire_take(&message, &field);) {
		if (field.type == WIRE_BYTES && field.number == FTL__CALL_RESPONSE__RESPONSE_ERROR)
			return set_failure(field.bytes, err);
		if (field.type == WIRE_BYTES && field.number == FTL__CALL_RESPONSE__RESPONSE_BODY)
			found = field.bytes;
	}
	if (message.len > 0 || found.ptr == NULL)
		return error_set(err, CODE_INTERNAL, "the module's answer holds neither a response nor an error");
	if (buf_append(body, found) < 0)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the response has %zu bytes; there is room for %zu",
				 found.len, buf_room(body));
	return 0;
}

static const struct transcode_shape shape = {.read = read_body, .write = write_body};

/* --- the answer --------------------------------------------------------------------------------------------------- */

static json_t *error_to_json(const struct rpc_stream *stream) {
	struct error err;
	rpc_get_error(stream, &err);
	json_t *object = json_pack("{s:s}", "code", content_code_word(stream->status));
	json_t *text = json_stringn(stream->status_text.ptr, stream->status_text.len);
	if (text != NULL)
		json_object_set_new(object, "message", text);
	if (err.reason[0] != '\0')
		json_object_set_new(object, "reason", json_string(err.reason));
	return object;
}

/* Does nothing: the HTTP status depends on the outcome, so finish sends the headers. */
static void respond(struct rpc_stream *stream UNUSED) {
}

static void finish(struct rpc_stream *stream) {
	struct http_headers headers = {0};
	struct arena *arena = &stream->http.arena;
	bool gzip = false;
	char *error = NULL;
	struct str body;
	if (stream->status != CODE_OK) {
		json_t *object = error_to_json(stream);
		error = json_dumps(object, JSON_COMPACT);
		body = str_from(error);
		json_decref(object);
	} else {
		body = transcode_plain_message(stream->transcoder, &gzip);
	}
	http_headers_add(&headers, arena, STR("content-type"), STR("application/json"));
	if (!is_post(stream))
		http_headers_add(&headers, arena, STR("allow"), STR("POST"));
	if (gzip)
		http_headers_add(&headers, arena, STR("content-encoding"), STR("gzip"));
	for (size_t i = 0; i < stream->response_headers.count; i++)
		http_headers_pass(&headers, arena, &stream->response_headers.items[i]);
	stream->http.send_trailers.count = 0; /* a client of plain HTTP expects none */
	http_respond(&stream->http, is_post(stream) ? content_http_status(stream->status) : 405, &headers);
	http_stream_write(&stream->http, body);
	http_stream_finish(&stream->http);
	free(error);
}

static const struct rpc_codec codec = {
	.name = "plain HTTP",
	.is_plain = true,
	.begin = transcode_begin,
	.write = transcode_write,
	.settle = transcode_settle,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.respond = respond,
	.finish = finish,
	.release = transcode_release,
};

/* --- the request -------------------------------------------------------------------------------------------------- */

static int read_verb(struct str path, struct plain_call *plain, struct error *err) {
	struct str rest = str_from_offset(path, strlen(PREFIX)), query;
	struct str name = str_cut(rest, '?', &query);
	name = str_from_offset(name, name.len > 0); /* without the slash */
	plain->module = str_cut(name, '.', &plain->verb);
	bool named = plain->module.len > 0 && plain->verb.ptr != NULL && plain->verb.len > 0 &&
		     memchr(name.ptr, '/', name.len) == NULL;
	if (!named)
		return error_set(err, CODE_NOT_FOUND,
				 "%.*s names no verb; the path of a call is " PREFIX "/MODULE.VERB",
				 STR_ARG(str_new(path.ptr, MIN(path.len, (size_t)200))));
	if (query.ptr != NULL)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "a call takes its request from the body; leave out the query ?%.*s",
				 STR_ARG(str_new(query.ptr, MIN(query.len, (size_t)100))));
	return 0;
}

static int read_headers(struct rpc_stream *stream, struct transcode_options *options, struct error *err) {
	const struct http_headers *received = &stream->http.received;
	struct str encoding = http_headers_get(received, STR("content-encoding"));
	struct str accepted = http_headers_get(received, STR("accept-encoding"));
	struct str type = http_headers_get(received, STR("content-type"));
	struct str timeout = http_headers_get(received, STR("connect-timeout-ms"));
	if (!content_read_encoding(encoding, &options->gzip_receive))
		return error_set(err, CODE_UNIMPLEMENTED, "content-encoding is %.*s; gzip and identity are known here",
				 STR_ARG(str_new(encoding.ptr, MIN(encoding.len, (size_t)60))));
	if (content_is_type(type, STR("multipart/form-data")))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the content type is multipart/form-data; send the request as JSON");
	options->gzip_send = accepted.ptr != NULL && content_accepts_gzip(accepted);
	if (timeout.ptr == NULL)
		return 0;
	if (!connect_parse_timeout(timeout, &stream->deadline.timeout_ms))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the header connect-timeout-ms must be at most ten digits");
	rpc_set_deadline(stream, stream->deadline.timeout_ms);
	return 0;
}

static int prepare(struct rpc_stream *stream, struct error *err) {
	struct plain_call *plain = arena_alloc(&stream->http.arena, sizeof *plain);
	struct transcode_options options = {.shape = &shape};
	*plain = (struct plain_call){.method = {.path = "/xyz.block.ftl.v1.VerbService/Call"}};
	int failed = read_headers(stream, &options, err);
	stream->codec = &codec;
	stream->method = &plain->method;
	transcode_start(stream, &options);
	if (!failed && !is_post(stream))
		return error_set(err, CODE_UNIMPLEMENTED, "call a verb with POST, and its request in the body");
	if (failed || read_verb(stream->http.path, plain, err) < 0)
		return -1;
	/* The call that is made of it, and passed on. */
	stream->http.path = str_from(plain->method.path);
	return 0;
}

static void choose(struct rpc_stream *stream, struct error *err) {
	err->code = CODE_OK;
	prepare(stream, err);
}

const struct rpc_route plain_call_route = {
	.prefix = PREFIX,
	.usage = "a verb is called by POST " PREFIX "/MODULE.VERB",
	.choose = choose,
	.start = call_start,
};
