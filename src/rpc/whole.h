/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For methods that want each message as a whole and read it themselves: of any kind of stream, without descriptors.
 */
#pragma once

#include "rpc/rpc.h"

/* Embedded in the owner of a server's stream. */
struct rpc_whole {
	struct rpc_stream *stream;
	struct buf incoming;
	/* The bytes are valid within the call. The stream may be finished in it. */
	void (*message)(struct rpc_whole *whole, struct str bytes);
	void (*end)(struct rpc_whole *whole); /* no more messages come */
	void (*closed)(struct rpc_whole *whole); /* the stream is gone; frees the owner */
};

/* Takes over the stream's events. Messages are limited to max bytes. */
void rpc_whole_start(struct rpc_whole *whole, struct rpc_stream *stream, size_t max);
