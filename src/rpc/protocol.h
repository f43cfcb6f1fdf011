/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the codec of a call: a server by the headers of the request, a client by its options.
 */
#pragma once

#include "pb/types.h"
#include "rpc/rpc.h"

/* Server: sets the stream's codec and its transcoding. Returns 0, or the HTTP status of a plain answer, with its text
 * in err. A request whose protocol is known but which is invalid returns 0 with the error in err; otherwise err->code
 * is CODE_OK. */
unsigned protocol_choose(struct rpc_stream *stream, const struct types *types, struct error *err);

/* Server: cuts off the query, which is no part of a method's name; false: there is none. Called where no method has the
 * whole path as its name, so that a call without a query costs nothing by it. */
bool protocol_drop_query(struct rpc_stream *stream);

enum rpc_protocol { RPC_GRPC, RPC_GRPC_WEB, RPC_CONNECT };

struct protocol_options {
	enum rpc_protocol protocol;
	const struct types *types; /* for JSON, and for Connect */
	bool json;
	bool gzip;
	bool get; /* Connect: methods without side effects are called by GET */
	bool base64; /* gRPC-Web's text form */
};

/* Client: sets the codec and transcoding of a call to stream->http.path. */
void protocol_start(struct rpc_stream *stream, const struct protocol_options *options);
