/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with one request and one response, as protobuf messages; and methods that answer one request by a stream.
 */
#pragma once

#include "pb/pb.h"
#include "rpc/channel.h"
#include "rpc/server.h"

/* --- server ------------------------------------------------------------------------------------------------------- */

/* "max-control-message": a request of a unary method, which is held whole. */
#define RPC_UNARY_MAX MIB(4)

/* A request that waits for its answer. Valid until it is answered, even after the client left. It belongs to the loop
 * that it came from. */
struct rpc_unary {
	struct rpc_stream *stream; /* NULL: the client left; the answer will be dropped */
	struct loop *loop;
	void *service;
	const struct rpc_method *method;
	struct arena arena; /* the request, and all that lives until the answer */
	size_t counted; /* bytes of the arena that are counted in loop->held */
	struct buf received;
};

/* For the start of a struct rpc_method that has a request descriptor, and a function unary or streaming. */
void rpc_unary_start(struct rpc_stream *stream);

/* Exactly one of these is called, on the unary's loop; it frees the unary. */
void rpc_unary_reply(struct rpc_unary *unary, const ProtobufCMessage *response);
void rpc_unary_fail(struct rpc_unary *unary, const struct error *err);

#define RPC_UNARY_METHOD(method_path, handler, descriptor) \
	{.path = (method_path), .start = rpc_unary_start, .unary = (handler), .request = &(descriptor)}

/* The handler gets the stream with its whole request and sets events and owner; only `writable` and `closed` follow.
 * The request is freed when it returns, unless the handler takes the arena and leaves a zeroed one. */
#define RPC_STREAMING_METHOD(method_path, handler, descriptor) \
	{.path = (method_path), .start = rpc_unary_start, .streaming = (handler), .request = &(descriptor)}

/* --- client ------------------------------------------------------------------------------------------------------- */

struct rpc_unary_options {
	const char *path;
	const struct http_headers *headers;
	uint64_t timeout_ms; /* 0: none */
	const ProtobufCMessageDescriptor *response;
	/* Exactly once, never from inside rpc_unary_call. response is NULL when err is set; both are freed afterwards.
	 */
	void (*done)(void *owner, const ProtobufCMessage *response, const struct error *err);
	void *owner;
};

struct rpc_unary_call;

/* Valid until done. */
struct rpc_unary_call *rpc_unary_call(struct rpc_channel *channel, const struct rpc_unary_options *options,
				      const ProtobufCMessage *request);

/* `done` follows with Cancelled. */
void rpc_unary_call_cancel(struct rpc_unary_call *call);

