/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with one request and one response, as protobuf messages; and methods that answer one request by a stream.
 */
#pragma once

#include "pb/pb.h"
#include "rpc/channel.h"
#include "rpc/server.h"

/* --- server ------------------------------------------------------------------------------------------------------- */

/* "max-control-message": requests of unary methods, which are held as a whole. */
#define RPC_UNARY_MAX MIB(4)

/* A request that waits for its answer. It stays valid until it is answered, also when its client is long gone. It
 * belongs to the loop that it came from. */
struct rpc_unary {
	struct rpc_stream *stream; /* NULL: the client is gone; the answer will be dropped */
	struct loop *loop;
	void *service;
	const struct rpc_method *method;
	struct arena arena; /* holds the request, and what else lives until the answer */
	size_t counted; /* of the arena, in loop->held */
	struct buf received;
};

/* The start of a struct rpc_method whose request is set, and unary or streaming. */
void rpc_unary_start(struct rpc_stream *stream);

/* Exactly one of these, from the unary's loop; the unary is gone then. */
void rpc_unary_reply(struct rpc_unary *unary, const ProtobufCMessage *response);
void rpc_unary_fail(struct rpc_unary *unary, const struct error *err);

#define RPC_UNARY_METHOD(method_path, handler, descriptor) \
	{.path = (method_path), .start = rpc_unary_start, .unary = (handler), .request = &(descriptor)}

/* The handler gets the stream with its whole request, and sets events and owner: `writable` and `closed` are all that
 * comes. The request is gone when it returns, unless it takes the arena: keeps it and leaves a zeroed one. */
#define RPC_STREAMING_METHOD(method_path, handler, descriptor) \
	{.path = (method_path), .start = rpc_unary_start, .streaming = (handler), .request = &(descriptor)}

/* --- client ------------------------------------------------------------------------------------------------------- */

struct rpc_unary_options {
	const char *path;
	const struct http_headers *headers;
	uint64_t timeout_ms; /* 0: none */
	const ProtobufCMessageDescriptor *response;
	/* Exactly once, never from inside. response is NULL when err is set; both are gone afterwards. */
	void (*done)(void *owner, const ProtobufCMessage *response, const struct error *err);
	void *owner;
};

struct rpc_unary_call;

/* Valid until done. */
struct rpc_unary_call *rpc_unary_call(struct rpc_channel *channel, const struct rpc_unary_options *options,
				      const ProtobufCMessage *request);

/* done follows with Cancelled. */
void rpc_unary_call_cancel(struct rpc_unary_call *call);

