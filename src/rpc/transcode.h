/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcodes messages whose wire form differs from gRPC's, uncompressed protobuf behind prefixes: JSON, gzip,
 * gRPC-Web's and Connect's envelopes, bodies of plain HTTP. A message is collected, converted and passed on whole.
 *
 * A stream holds one message each way, and up to a window of bytes behind it, which wait until the owner of the stream
 * has consumed what it was lent.
 */
#pragma once

#include "pb/types.h"
#include "rpc/rpc.h"

/* For a codec whose messages have another form on the wire, as plain HTTP has. Each function appends to a buffer, whose
 * maximum is what there is room for. An error is the outcome of the call, with its code. */
struct transcode_shape {
	int (*read)(struct rpc_stream *stream, struct str wire, struct buf *message, struct error *err);
	int (*write)(struct rpc_stream *stream, struct str message, struct buf *wire, struct error *err);
};

struct transcode_options {
	const struct transcode_shape *shape; /* NULL: messages stand on the wire as they are, or as JSON */
	const struct types *types;
	const struct type_message *receive, *send; /* messages are JSON of this type; NULL: protobuf */
	bool gzip_receive; /* messages may be compressed; without this, one that is marked as compressed is an error */
	bool gzip_send;
	bool base64; /* gRPC-Web's text form */
};

/* Makes stream->transcoder, or changes the options of an existing one. */
void transcode_start(struct rpc_stream *stream, const struct transcode_options *options);
/* Frees stream->transcoder. */
void transcode_release(struct rpc_stream *stream);
struct transcode_options *transcode_options(struct transcoder *transcoder);
/* Whether the messages that are sent are JSON. */
bool transcode_is_json(const struct rpc_stream *stream);

/* Takes bytes of the body, and its end. */
void transcode_receive(struct rpc_stream *stream, struct str bytes);
void transcode_receive_end(struct rpc_stream *stream);
/* Connect's GET: takes the message from the query in place of the body. The end is still to come. */
void transcode_receive_query(struct transcoder *transcoder, struct str message);

/* The functions of a codec's table. A message that cannot be transcoded is dropped: a client's call is cancelled, and
 * transcode_settle turns the status of a server's call into the error. */
void transcode_begin(struct rpc_stream *stream, size_t size);
void transcode_write(struct rpc_stream *stream, struct str bytes);
void transcode_settle(struct rpc_stream *stream);
void transcode_consume(struct rpc_stream *stream, size_t size);

/* Sends a frame that is not a message: trailers, or Connect's end of stream. */
void transcode_send_frame(struct transcoder *transcoder, unsigned char flags, struct str bytes);
/* Plain: the one message to send, and whether it is compressed. */
struct str transcode_plain_message(struct transcoder *transcoder, bool *ret_gzip);

/* Whether a part of a message has come and the rest has not. */
bool transcode_is_within_message(const struct transcoder *transcoder);

/* Plain, client: the body that transcode_keep_body collected. */
struct str transcode_collected(struct transcoder *transcoder);
/* Plain, client: the body is an error and not a message; keeps it for transcode_collected. */
void transcode_keep_body(struct transcoder *transcoder);
