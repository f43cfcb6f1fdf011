/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol a call speaks. For a server the headers of the request tell; a client chooses.
 */
#pragma once

#include "pb/types.h"
#include "rpc/rpc.h"

/* Server: sets the stream's codec and how its messages are recoded. Returns 0, or the HTTP status to answer in plain
 * HTTP, with a text in err. A request that can be understood and is still wrong has its error in err->code with 0
 * returned; otherwise err->code is CODE_OK. */
unsigned protocol_choose(struct rpc_stream *stream, const struct types *types, struct error *err);

enum rpc_protocol { RPC_GRPC, RPC_GRPC_WEB, RPC_CONNECT };

struct protocol_options {
	enum rpc_protocol protocol;
	const struct types *types; /* for JSON, and for Connect */
	bool json;
	bool gzip;
	bool get; /* Connect: calls without side effects by GET */
	bool base64; /* gRPC-Web's text form */
};

/* Client: the same, for a call to stream->http.path. */
void protocol_start(struct rpc_stream *stream, const struct protocol_options *options);
