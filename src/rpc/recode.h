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

#include "rpc/rpc.h"
#include "rpc/types.h"

struct recode_options {
	const struct types *types;
	const struct type_message *receive, *send; /* set: messages are JSON of this type */
	bool gzip_receive; /* a message that is marked as compressed is so by gzip; without this it is an error */
	bool gzip_send;
	bool base64; /* gRPC-Web's text form */
};

/* Makes stream->recode, or changes the options of the one that is there. */
void recode_start(struct rpc_stream *stream, const struct recode_options *options);
void recode_free(struct recode *recode);
struct recode_options *recode_options(struct recode *recode);

/* Bytes of the body, and its end. */
void recode_receive(struct recode *recode, struct str bytes);
void recode_receive_end(struct recode *recode);
/* Connect: the body is not in the body but in the address. The end is still to come. */
void recode_receive_elsewhere(struct recode *recode, struct str message);

/* What rpc_begin, rpc_write and rpc_finish(CODE_OK) do. A message that cannot be turned is told by the last. */
void recode_begin(struct recode *recode, size_t size);
void recode_write(struct recode *recode, struct str bytes);
void recode_settle(struct recode *recode);

/* Sends a frame that is no message. */
void recode_send_frame(struct recode *recode, unsigned char flags, struct str bytes);
/* Plain: the one message to be sent; *ret_gzip tells whether it is compressed. */
struct str recode_plain_message(struct recode *recode, bool *ret_gzip);

/* Whether a message has come in part. */
bool recode_is_within_message(const struct recode *recode);

/* What was collected of a body in a form of its own, such as an error. */
struct str recode_collected(struct recode *recode);
/* Plain, client: the body is an error and not a message; it is left for recode_collected. */
void recode_keep_body(struct recode *recode);
