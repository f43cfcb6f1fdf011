/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For methods that want each message as a whole and read it themselves: of any kind of stream, without descriptors.
 */
#pragma once

#include "rpc/rpc.h"

/* Embedded in the owner of a server's stream. */
struct message_reader {
	struct rpc_stream *stream;
	struct buf incoming;
	/* The bytes are valid within the call. The stream may be finished in it. */
	void (*message)(struct message_reader *reader, struct str bytes);
	void (*end)(struct message_reader *reader); /* no more messages come */
	void (*closed)(struct message_reader *reader); /* the stream is gone; frees the owner */
};

/* Takes over the stream's events. Messages are limited to max bytes. */
void message_reader_start(struct message_reader *reader, struct rpc_stream *stream, size_t max);
