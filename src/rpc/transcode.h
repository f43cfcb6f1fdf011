/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are not protobuf in clear between gRPC's prefixes: JSON, compressed, within gRPC-Web's or Connect's
 * envelopes, or bodies of plain HTTP. Such a message is collected, turned into the other form, and passed on whole.
 * The plain case does without any of this.
 *
 * What is held: one message each way, and up to a window that came after it and waits until the owner of the stream
 * has given back what it was lent.
 */
#pragma once

#include "pb/types.h"
#include "rpc/rpc.h"

struct transcode_options {
	const struct types *types;
	const struct type_message *receive, *send; /* set: messages are JSON of this type */
	bool gzip_receive; /* a message that is marked as compressed is so by gzip; without this it is an error */
	bool gzip_send;
	bool base64; /* gRPC-Web's text form */
};

/* Makes stream->transcoder, or changes the options of the one that is there. */
void transcode_start(struct rpc_stream *stream, const struct transcode_options *options);
/* Frees it. */
void transcode_release(struct rpc_stream *stream);
struct transcode_options *transcode_options(struct transcoder *transcoder);
/* Whether the messages that are sent are JSON. */
bool transcode_is_json(const struct rpc_stream *stream);

/* Bytes of the body, and its end. */
void transcode_receive(struct rpc_stream *stream, struct str bytes);
void transcode_receive_end(struct rpc_stream *stream);
/* Connect: the body is not in the body but in the address. The end is still to come. */
void transcode_receive_elsewhere(struct transcoder *transcoder, struct str message);

/* For codecs. A message that cannot be transcoded is dropped: a client's call is cancelled, and transcode_settle makes
 * it the status of a server's. */
void transcode_begin(struct rpc_stream *stream, size_t size);
void transcode_write(struct rpc_stream *stream, struct str bytes);
void transcode_settle(struct rpc_stream *stream);
void transcode_consume(struct rpc_stream *stream, size_t size);

/* Sends a frame that is no message. */
void transcode_send_frame(struct transcoder *transcoder, unsigned char flags, struct str bytes);
/* Plain: the one message to be sent; *ret_gzip tells whether it is compressed. */
struct str transcode_plain_message(struct transcoder *transcoder, bool *ret_gzip);

/* Whether a message has come in part. */
bool transcode_is_within_message(const struct transcoder *transcoder);

/* What was collected of a body in a form of its own, such as an error. */
struct str transcode_collected(struct transcoder *transcoder);
/* Plain, client: the body is an error and not a message; it is left for transcode_collected. */
void transcode_keep_body(struct transcoder *transcoder);
