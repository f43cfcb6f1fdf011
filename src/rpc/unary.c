/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/unary.h"

#include <stdlib.h>

#include "base/memory.h"

/* --- server ------------------------------------------------------------------------------------------------------- */

static void free_unary(struct rpc_unary *unary) {
	unary->loop->held.used -= unary->counted;
	buf_deinit(&unary->received);
	arena_deinit(&unary->arena);
	free(unary);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct rpc_unary *unary = stream->owner;
	if (unary->received.max > 0)
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "this method takes one message, and a second one came");
	else
		unary->received.max = MAX(size, (size_t)1);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct rpc_unary *unary = stream->owner;
	struct error err;
	int over = buf_append(&unary->received, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
	if (rpc_check_held(stream, buf_len(&unary->received), &err) < 0) {
		rpc_break(stream, &err);
		buf_deinit(&unary->received); /* frees the memory for other streams at once */
	}
}

static void on_closed_early(struct rpc_stream *stream) {
	free_unary(stream->owner);
}

static void on_closed_late(struct rpc_stream *stream) {
	struct rpc_unary *unary = stream->owner;
	if (unary != NULL)
		unary->stream = NULL;
}

/* The handler has the request: from here on the unary may outlive its stream. */
static const struct rpc_events answering_events = {
	.closed = on_closed_late,
};

static void call_handler(struct rpc_unary *unary, const ProtobufCMessage *request) {
	struct rpc_stream *stream = unary->stream;
	stream->events = &answering_events;
	if (unary->method->streaming == NULL) {
		unary->method->unary(unary, request);
		return;
	}
	stream->owner = NULL;
	unary->method->streaming(stream, request, &unary->arena);
	free_unary(unary);
}

static void on_end(struct rpc_stream *stream) {
	struct rpc_unary *unary = stream->owner;
	struct error err;
	if (unary->received.max == 0) {
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "the request has no message");
		return;
	}
	struct str bytes = buf_view(&unary->received);
	arena_init(&unary->arena, pb_arena_max(bytes.len));
	ProtobufCMessage *request;
	if (pb_unpack(unary->method->request, bytes, &unary->arena, &request, &err) < 0) {
		rpc_fail(stream, &err);
		return;
	}
	buf_deinit(&unary->received);
	unary->counted = unary->arena.used;
	unary->loop->held.used += unary->counted;
	if (rpc_check_held(stream, unary->counted, &err) < 0) {
		rpc_fail(stream, &err);
		return;
	}
	call_handler(unary, request);
}

static const struct rpc_events collecting_events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed_early,
};

void rpc_unary_start(struct rpc_stream *stream) {
	struct rpc_unary *unary = mem_alloc(sizeof *unary);
	*unary = (struct rpc_unary){
		.stream = stream, .loop = stream->loop, .service = stream->service, .method = stream->method};
	buf_init_counted(&unary->received, 0, &stream->loop->held);
	stream->message_max = MIN(stream->message_max, RPC_UNARY_MAX);
	stream->owner = unary;
	stream->events = &collecting_events;
}

/* Separates the stream from the unary. NULL: the client left, or has its status. */
static struct rpc_stream *take_stream(struct rpc_unary *unary) {
	struct rpc_stream *stream = unary->stream;
	if (stream == NULL)
		return NULL;
	stream->owner = NULL;
	return rpc_has_ended(stream) ? NULL : stream; /* ended: by the deadline */
}

void rpc_unary_reply(struct rpc_unary *unary, const ProtobufCMessage *response) {
	struct rpc_stream *stream = take_stream(unary);
	size_t size = stream != NULL ? protobuf_c_message_get_packed_size(response) : 0;
	struct error err;
	if (size > RPC_MESSAGE_MAX_DEFAULT) {
		error_set(&err, CODE_RESOURCE_EXHAUSTED, "the answer has %zu bytes; an answer has at most %zu", size,
			  (size_t)RPC_MESSAGE_MAX_DEFAULT);
		rpc_fail(stream, &err);
	} else if (stream != NULL && rpc_check_held(stream, size, &err) < 0) {
		rpc_fail(stream, &err);
	} else if (stream != NULL) {
		struct arena arena = ARENA_INIT(size + 64);
		rpc_send(stream, pb_pack(response, &arena));
		rpc_finish(stream, CODE_OK, "");
		arena_deinit(&arena);
	}
	free_unary(unary);
}

void rpc_unary_fail(struct rpc_unary *unary, const struct error *err) {
	struct rpc_stream *stream = take_stream(unary);
	if (stream != NULL)
		rpc_fail(stream, err);
	free_unary(unary);
}

/* --- client ------------------------------------------------------------------------------------------------------- */

struct rpc_unary_call {
	struct rpc_stream *stream;
	const ProtobufCMessageDescriptor *response;
	void (*done)(void *owner, const ProtobufCMessage *response, const struct error *err);
	void *owner;
	struct buf received;
	bool has_message;
};

static void on_response_message(struct rpc_stream *stream, size_t size) {
	struct rpc_unary_call *call = stream->owner;
	if (call->has_message) {
		rpc_cancel(stream, CODE_INTERNAL, "the peer answered with more than one message");
		return;
	}
	call->has_message = true;
	call->received.max = size;
}

static void on_response_data(struct rpc_stream *stream, struct str bytes) {
	struct rpc_unary_call *call = stream->owner;
	int over = buf_append(&call->received, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
}

static int read_response(struct rpc_unary_call *call, const struct rpc_stream *stream, struct arena *arena,
			 ProtobufCMessage **ret_response, struct error *err) {
	if (stream->status != CODE_OK)
		return rpc_get_error(stream, err);
	if (!call->has_message)
		return error_set(err, CODE_INTERNAL, "the peer answered OK without a message");
	return pb_unpack(call->response, buf_view(&call->received), arena, ret_response, err);
}

static void on_call_closed(struct rpc_stream *stream) {
	struct rpc_unary_call *call = stream->owner;
	struct arena arena = ARENA_INIT(pb_arena_max(buf_len(&call->received)));
	ProtobufCMessage *response;
	struct error err;
	bool failed = read_response(call, stream, &arena, &response, &err) < 0;
	call->done(call->owner, failed ? NULL : response, failed ? &err : NULL);
	arena_deinit(&arena);
	buf_deinit(&call->received);
	free(call);
}

static const struct rpc_events call_events = {
	.message = on_response_message,
	.data = on_response_data,
	.closed = on_call_closed,
};

struct rpc_unary_call *rpc_unary_call(struct rpc_channel *channel, const struct rpc_unary_options *options,
				      const ProtobufCMessage *request) {
	struct rpc_unary_call *call = mem_alloc(sizeof *call);
	*call = (struct rpc_unary_call){.response = options->response, .done = options->done, .owner = options->owner};
	call->stream = rpc_call(channel, &(struct rpc_call_options){.path = str_from(options->path),
								    .headers = options->headers,
								    .timeout_ms = options->timeout_ms,
								    .events = &call_events,
								    .owner = call});
	struct arena arena = ARENA_INIT(protobuf_c_message_get_packed_size(request) + 64);
	rpc_send(call->stream, pb_pack(request, &arena));
	rpc_half_close(call->stream);
	arena_deinit(&arena);
	return call;
}

void rpc_unary_call_cancel(struct rpc_unary_call *call) {
	rpc_cancel(call->stream, CODE_CANCELLED, "the call was given up");
}
