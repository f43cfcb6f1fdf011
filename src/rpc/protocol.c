/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/protocol.h"

#include <stdio.h>

#include "rpc/connect.h"
#include "rpc/connect_query.h"
#include "rpc/content.h"
#include "rpc/grpc.h"
#include "rpc/grpc_web.h"
#include "rpc/transcode.h"

/* --- server ------------------------------------------------------------------------------------------------------- */

struct form {
	struct str type;
	const struct rpc_codec *codec;
	bool json, base64, transcodes;
};

/* Longer types first, as some are prefixes of others. */
static const struct form forms[] = {
	{STR_INIT("application/grpc-web-text"), &grpc_web_codec, .base64 = true, .transcodes = true},
	{STR_INIT("application/grpc-web+json"), &grpc_web_codec, .json = true, .transcodes = true},
	{STR_INIT("application/grpc-web"), &grpc_web_codec, .transcodes = true},
	{STR_INIT("application/grpc+json"), &grpc_codec, .json = true, .transcodes = true},
	{STR_INIT("application/grpc"), &grpc_codec},
	{STR_INIT("application/connect+json"), &connect_codec, .json = true, .transcodes = true},
	{STR_INIT("application/connect+proto"), &connect_codec, .transcodes = true},
	{STR_INIT("application/json"), &connect_plain_codec, .json = true, .transcodes = true},
	{STR_INIT("application/proto"), &connect_plain_codec, .transcodes = true},
};

static const struct form *find_form(struct str type) {
	/* By far the most frequent type. */
	static const struct form grpc = {STR_INIT("application/grpc"), &grpc_codec};
	if (str_eq(type, grpc.type))
		return &grpc;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (content_is_type(type, forms[i].type))
			return &forms[i];
	return NULL;
}

/* Server: reads the encoding of the request. */
static int read_encoding(struct str name, const char *header, bool *ret_gzip, struct error *err) {
	*ret_gzip = false;
	if (content_read_encoding(name, ret_gzip))
		return 0;
	return error_set(err, CODE_UNIMPLEMENTED, "%s is %.*s; gzip and identity are known here", header,
			 STR_ARG(str_new(name.ptr, MIN(name.len, (size_t)60))));
}

static void start_transcoding(struct rpc_stream *stream, const struct transcode_options *options) {
	transcode_start(stream, options);
	if (stream->codec == &grpc_codec)
		stream->codec = &grpc_transcoded_codec;
}

static const char *encoding_header(const struct rpc_codec *codec) {
	if (codec == &connect_plain_codec)
		return "content-encoding";
	return codec == &connect_codec ? "connect-content-encoding" : "grpc-encoding";
}

static const char *accept_header(const struct rpc_codec *codec) {
	if (codec == &connect_plain_codec)
		return "accept-encoding";
	return codec == &connect_codec ? "connect-accept-encoding" : "grpc-accept-encoding";
}

/* A response is compressed if the request was, and the client accepts it. */
static bool may_answer_gzip(const struct rpc_stream *stream, const struct rpc_codec *codec) {
	struct str accepted = http_headers_get(&stream->http.received, str_from(accept_header(codec)));
	return accepted.ptr == NULL || content_accepts_gzip(accepted);
}

static int read_timeout(struct rpc_stream *stream, struct error *err) {
	bool is_connect = stream->codec == &connect_codec || stream->codec == &connect_plain_codec;
	struct str name = is_connect ? STR("connect-timeout-ms") : STR("grpc-timeout");
	struct str text = http_headers_get(&stream->http.received, name);
	if (text.ptr == NULL)
		return 0;
	if (!(is_connect ? connect_parse_timeout : grpc_parse_timeout)(text, &stream->deadline.timeout_ms))
		return error_set(err, CODE_INVALID_ARGUMENT, "the header %.*s must be %s", STR_ARG(name),
				 is_connect ? "at most ten digits"
					    : "at most eight digits and one of H, M, S, m, u, n");
	rpc_set_deadline(stream, stream->deadline.timeout_ms);
	return 0;
}

static int start_request_transcoding(struct rpc_stream *stream, const struct form *form, const struct types *types,
				     struct str encoding, struct error *err) {
	bool gzip;
	int failed = read_encoding(encoding, encoding_header(form->codec), &gzip, err);
	if (!form->transcodes && !gzip && !failed)
		return 0;
	struct transcode_options options = {.types = types, .base64 = form->base64, .gzip_receive = gzip && !failed};
	options.gzip_send = options.gzip_receive && may_answer_gzip(stream, form->codec);
	if (form->json && stream->type != NULL) {
		options.receive = stream->type->request;
		options.send = stream->type->response;
	}
	start_transcoding(stream, &options);
	return failed;
}

static unsigned choose_get(struct rpc_stream *stream, const struct types *types, struct error *err) {
	struct connect_query query;
	struct error wrong;
	int failed = connect_read_query(&stream->http, &query, &wrong);
	stream->type = types_method(types, stream->http.path);
	if (failed) {
		*err = wrong;
		return 400;
	}
	if (stream->type == NULL || !stream->type->no_side_effects || !query.has_message) {
		error_set(err, CODE_UNIMPLEMENTED,
			  "call a method with POST; GET is for methods without side effects, with the "
			  "message in the query");
		return 405;
	}
	bool json = str_eq(query.encoding, STR("json"));
	if (!json && !str_eq(query.encoding, STR("proto"))) {
		error_set(err, CODE_INVALID_ARGUMENT, "the encoding in the query must be json or proto");
		return 415;
	}
	struct form form = {.codec = &connect_plain_codec, .json = json, .transcodes = true};
	stream->codec = form.codec;
	if (start_request_transcoding(stream, &form, types, query.compression, err) == 0 &&
	    read_timeout(stream, err) == 0) {
		err->code = CODE_OK;
		transcode_receive_query(stream->transcoder, query.message);
	}
	return 0;
}

bool protocol_drop_query(struct rpc_stream *stream) {
	struct str query;
	stream->http.path = str_cut(stream->http.path, '?', &query);
	return query.ptr != NULL;
}

static const struct type_method *find_method(struct rpc_stream *stream, const struct types *types) {
	const struct type_method *method = types_method(types, stream->http.path);
	if (method == NULL && types != NULL && protocol_drop_query(stream))
		method = types_method(types, stream->http.path);
	return method;
}

unsigned protocol_choose(struct rpc_stream *stream, const struct types *types, struct error *err) {
	if (str_eq(stream->http.method, STR("GET")))
		return choose_get(stream, types, err);
	const struct form *form = find_form(http_headers_get(&stream->http.received, STR("content-type")));
	if (!str_eq(stream->http.method, STR("POST"))) {
		error_set(err, CODE_UNIMPLEMENTED, "call a method with POST");
		return 405;
	}
	if (form == NULL) {
		error_set(err, CODE_INVALID_ARGUMENT,
			  "the content type must be application/grpc, application/grpc-web, "
			  "application/json, application/proto, application/connect+json or "
			  "application/connect+proto");
		return 415;
	}
	/* JSON needs the types. */
	stream->type = find_method(stream, types);
	if (form->json && stream->type == NULL && types == NULL) {
		error_set(err, CODE_UNIMPLEMENTED,
			  "this server knows no JSON; the content type must be one of protobuf");
		return 415;
	}
	if (form->codec == &grpc_codec && stream->http.connection->version == 1) {
		error_set(err, CODE_UNIMPLEMENTED, "gRPC needs HTTP/2; over HTTP/1.1 call with gRPC-Web or Connect");
		return 505;
	}
	/* Connect's streams and unary calls have different content types. A unary call of a streaming method is
	 * accepted all the same. */
	bool streams = stream->type != NULL && (stream->type->client_streaming || stream->type->server_streaming);
	if (form->codec == &connect_codec && stream->type != NULL && !streams) {
		error_set(err, CODE_INVALID_ARGUMENT,
			  "the method is unary: the content type must be application/json or "
			  "application/proto");
		return 415;
	}
	stream->codec = form->codec;
	struct str encoding = http_headers_get(&stream->http.received, str_from(encoding_header(form->codec)));
	err->code = CODE_OK;
	if (start_request_transcoding(stream, form, types, encoding, err) < 0 || read_timeout(stream, err) < 0)
		return 0;
	if (form->json && stream->type == NULL)
		error_set(err, CODE_UNIMPLEMENTED, "there is no method %.*s here",
			  STR_ARG(str_new(stream->http.path.ptr, MIN(stream->http.path.len, (size_t)200))));
	return 0;
}

/* --- client ------------------------------------------------------------------------------------------------------- */

static const struct rpc_codec *codec_of(const struct protocol_options *options, const struct type_method *type) {
	switch (options->protocol) {
	case RPC_GRPC:
		return &grpc_codec;
	case RPC_GRPC_WEB:
		return &grpc_web_codec;
	case RPC_CONNECT:
		return type != NULL && (type->client_streaming || type->server_streaming) ? &connect_codec
											  : &connect_plain_codec;
	}
	return &grpc_codec;
}

void protocol_start(struct rpc_stream *stream, const struct protocol_options *options) {
	stream->type = types_method(options->types, stream->http.path);
	stream->codec = codec_of(options, stream->type);
	if (stream->codec == &grpc_codec && !options->json && !options->gzip)
		return;
	struct transcode_options transcoding = {.types = options->types,
						.gzip_send = options->gzip,
						.base64 = options->base64 && options->protocol == RPC_GRPC_WEB};
	if (options->json && stream->type != NULL) {
		transcoding.send = stream->type->request;
		transcoding.receive = stream->type->response;
	}
	start_transcoding(stream, &transcoding);
	if (stream->codec == &connect_plain_codec && options->get && stream->type != NULL &&
	    stream->type->no_side_effects)
		stream->http.method = STR("GET");
}
