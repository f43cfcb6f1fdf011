/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC-Web, by gRPC's PROTOCOL-WEB document: gRPC for clients that cannot read HTTP trailers, such as browsers. The
 * trailers are the last frame of the body, formatted like headers of HTTP/1.1. In the text form the body is base64.
 */
#include "rpc/grpc_web.h"

#include <stdio.h>

#include "rpc/grpc.h"
#include "rpc/transcode.h"

enum { FLAG_TRAILERS = 0x80, TRAILERS_MAX = KIB(128) };

static enum rpc_frame web_frame(struct rpc_stream *stream, unsigned char flags) {
	if (flags == FLAG_TRAILERS && stream->is_client)
		return RPC_FRAME_END;
	return flags == 0 && stream->http.trailers.count == 0 ? RPC_FRAME_MESSAGE : RPC_FRAME_WRONG;
}

/* Reads the trailers. */
static void web_receive_last(struct rpc_stream *stream, struct str bytes) {
	while (bytes.len > 0) {
		struct str value, line = str_trim(str_cut(bytes, '\n', &bytes));
		struct str name = str_cut(line, ':', &value);
		if (value.ptr != NULL && !rpc_add_trailer(stream, str_trim(name), str_trim(value)))
			return;
	}
}

static struct str content_type(const struct rpc_stream *stream) {
	const struct transcode_options *options = transcode_options(stream->transcoder);
	if (options->base64)
		return STR("application/grpc-web-text+proto");
	return options->send ? STR("application/grpc-web+json") : STR("application/grpc-web+proto");
}

static void web_receive_headers(struct rpc_stream *stream) {
	const struct transcode_options *options = transcode_options(stream->transcoder);
	struct str wanted = options->base64 ? STR("application/grpc-web-text")
			    : options->send ? STR("application/grpc-web+json")
					    : STR("application/grpc-web");
	if (grpc_check_headers(stream, wanted) && stream->events->headers != NULL)
		stream->events->headers(stream);
}

static void web_respond(struct rpc_stream *stream) {
	grpc_send_headers(stream, content_type(stream));
}

static void web_finish(struct rpc_stream *stream) {
	struct http_headers *trailers = &stream->http.send_trailers;
	struct buf text = BUF_INIT(TRAILERS_MAX);
	if (stream->state == RPC_OPEN)
		web_respond(stream);
	grpc_add_status(stream, trailers);
	for (size_t i = 0; i < trailers->count; i++) {
		const struct http_header *trailer = &trailers->items[i];
		/* Drops a trailer that does not fit, or would break the line. */
		if (memchr(trailer->value.ptr, '\n', trailer->value.len) == NULL)
			(void)!buf_printf(&text, "%.*s: %.*s\r\n", STR_ARG(trailer->name), STR_ARG(trailer->value));
	}
	trailers->count = 0;
	transcode_send_frame(stream->transcoder, FLAG_TRAILERS, buf_view(&text));
	buf_deinit(&text);
	http_stream_finish(&stream->http);
}

static void web_request_headers(struct rpc_stream *stream, struct http_headers *headers) {
	struct arena *arena = &stream->http.arena;
	grpc_add_request_headers(stream, headers, content_type(stream));
	http_headers_add(headers, arena, STR("accept"), content_type(stream));
	http_headers_add(headers, arena, STR("x-grpc-web"), STR("1"));
}

const struct rpc_codec grpc_web_codec = {
	.name = "gRPC-Web",
	.begin = transcode_begin,
	.write = transcode_write,
	.settle = transcode_settle,
	.receive = transcode_receive,
	.receive_end = transcode_receive_end,
	.consume = transcode_consume,
	.frame = web_frame,
	.receive_last = web_receive_last,
	.respond = web_respond,
	.finish = web_finish,
	.request_headers = web_request_headers,
	.receive_headers = web_receive_headers,
	.read_status = grpc_read_status,
	.release = transcode_release,
};
