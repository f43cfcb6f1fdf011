/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end on one loop: calls to one endpoint over as many connections as they need.
 *
 * The first call opens a connection. Calls wait for it, and fail with Unavailable, unprocessed, when it cannot be made.
 * The next call tries again once backoff_ms have passed.
 *
 * The channel sends a call again, RPC_RETRIES_MAX times, if the peer certainly did not begin it: it refused the stream,
 * or a GOAWAY excluded it. The request is kept for that up to HTTP_KEEP_MAX bytes. A call that may have run is never
 * sent again.
 */
#pragma once

#include "net/endpoint.h"
#include "rpc/protocol.h"
#include "rpc/rpc.h"

struct rpc_channel;
struct tls_config;

struct rpc_channel_options {
	struct http_limits http;
	size_t message_max;
	uint32_t connect_timeout_ms; /* "connect-timeout": from resolving the name to the peer's SETTINGS, TLS included;
					10 s; 0: none */
	/* A peer that is silent for this long with calls in progress is pinged; the connection is closed after as long
	 * again; 20 s; 0: never. gRPC's own servers close connections that ping more often than every five minutes. */
	uint64_t keepalive_ms;
	/* Returns a connected socket; the endpoint only names the peer then. NULL: the channel connects to the
	 * endpoint. */
	int (*dial)(void *data);
	void *dial_data;
	const struct types *types; /* for JSON and for Connect. Borrowed */
	struct tls_config *tls; /* for https:// endpoints; NULL: trusts the system's authorities. Keeps a reference */
	enum rpc_protocol protocol; /* RPC_GRPC */
	bool json; /* messages are JSON on the wire */
	bool gzip; /* requests are compressed, and responses may be */
	bool get; /* Connect: methods without side effects are called by GET */
	bool base64; /* gRPC-Web's text form */
	bool http1; /* HTTP/1.1: Connect and gRPC-Web only */
	/* After a failed attempt to connect the channel waits this long, then twice as long and so on, ± a fifth; calls
	 * fail at once meanwhile, as the attempt did. 100 ms to 5 s; 0: every call may try. */
	uint32_t backoff_ms, backoff_max_ms;
	size_t connections_max; /* calls past the peer's stream limit on all of them wait */
};

enum { RPC_RETRIES_MAX = 2 };

extern const struct rpc_channel_options rpc_channel_options_default;

/* How long to wait after failures + 1 failed attempts in a row. */
uint64_t rpc_backoff_ms(const struct rpc_channel_options *options, unsigned failures, uint64_t random);

struct rpc_channel *rpc_channel_new(struct loop *loop, const struct endpoint *endpoint,
				    const struct rpc_channel_options *options);

/* Fails the channel's calls and closes its connections. It is freed when the loop has run on. */
void rpc_channel_close(struct rpc_channel *channel);

/* For a peer that takes no more calls: calls that wait for a connection end unprocessed, the others go on. The channel
 * closes after the last of them. */
void rpc_channel_retire(struct rpc_channel *channel);

struct rpc_call_options {
	struct str path;
	const struct http_headers *headers; /* NULL: none. Borrowed during the call of rpc_call only */
	uint64_t timeout_ms; /* 0: none */
	const struct rpc_events *events;
	void *owner;
	size_t message_max; /* 0: the channel's */
	bool no_retry; /* the owner keeps the request and sends it again itself */
};

/* Starts a call. Messages may be written at once. */
struct rpc_stream *rpc_call(struct rpc_channel *channel, const struct rpc_call_options *options);

/*
 * How far a connection of a channel has come. It may close in every state, and is freed then.
 *
 *  CONNECTING ──connected, TLS included──▶ READY ──SETTINGS came──▶ PROVEN
 */
enum rpc_connection_state {
	RPC_CONNECTION_CONNECTING, /* calls wait for it */
	RPC_CONNECTION_READY, /* takes calls; whether the peer speaks this HTTP is not known yet */
	RPC_CONNECTION_PROVEN, /* the peer speaks it */
};
enum { RPC_CONNECTION_STATE_COUNT = RPC_CONNECTION_PROVEN + 1 };

/* Changes the state; asserts that the next one may follow. For channel.c and its test. */
void rpc_connection_state_move(enum rpc_connection_state *state, enum rpc_connection_state next);

size_t rpc_channel_calls(const struct rpc_channel *channel); /* in progress */
const struct endpoint *rpc_channel_endpoint(const struct rpc_channel *channel);
