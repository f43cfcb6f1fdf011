/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end on one loop: calls to one endpoint over as many connections as they need.
 *
 * A connection is made when a call wants one. Calls wait for it as long as it takes to connect, and fail with
 * Unavailable, untouched, when it cannot be made; the next call tries again.
 */
#pragma once

#include "rpc/endpoint.h"
#include "rpc/rpc.h"

struct rpc_channel;

struct rpc_channel_options {
	struct http_limits http;
	size_t message_max;
	uint64_t keepalive_ms; /* a peer that is silent for this long with calls in progress is pinged, and given up
				  after as long again; 0: never */
	/* Makes the connections instead of the endpoint, which is then a name only: returns a connected socket. NULL: the
	 * endpoint is connected to. */
	int (*dial)(void *data);
	void *dial_data;
	size_t connections_max; /* calls past the peer's stream limit on all of them wait in line */
};

extern const struct rpc_channel_options rpc_channel_options_default;

struct rpc_channel *rpc_channel_new(struct loop *loop, const struct endpoint *endpoint,
				    const struct rpc_channel_options *options);

/* Cancels its calls and ends its connections. Gone when the loop has run on. */
void rpc_channel_close(struct rpc_channel *channel);

struct rpc_call_options {
	struct str path;
	const struct http_headers *headers; /* NULL: none. Borrowed during the call of rpc_call only */
	uint64_t timeout_ms; /* 0: none */
	const struct rpc_events *events;
	void *owner;
};

/* Starts a call; messages may be written at once. */
struct rpc_stream *rpc_call(struct rpc_channel *channel, const struct rpc_call_options *options);

size_t rpc_channel_calls(const struct rpc_channel *channel); /* in progress */
const struct endpoint *rpc_channel_endpoint(const struct rpc_channel *channel);
