/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects each message of a server's stream, for methods that parse the bytes themselves.
 */
#pragma once

#include "rpc/rpc.h"

/* Embedded in the owner of a server's stream. */
struct message_reader {
	struct rpc_stream *stream;
	struct buf incoming;
	/* The bytes are valid within the call. It may end the stream. */
	void (*message)(struct message_reader *reader, struct str bytes);
	void (*end)(struct message_reader *reader); /* the client sends no more messages */
	void (*closed)(struct message_reader *reader); /* the stream is over; frees the owner */
};

/* Takes over the stream's events. Messages are limited to max bytes. */
void message_reader_start(struct message_reader *reader, struct rpc_stream *stream, size_t max);
