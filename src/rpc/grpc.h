/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's codec, and the texts that its headers hold.
 */
#pragma once

#include "rpc/rpc.h"

/* Messages as they are; transcoded both ways (transcode.h); and, of a client, sent as they are and received transcoded,
 * because the response turned out to be compressed. */
extern const struct rpc_codec grpc_codec, grpc_transcoded_codec, grpc_decoded_codec;

/* "grpc-message": percent-encodes what is not printable ASCII. Decoding is lenient, as the protocol requires. */
struct str grpc_encode_text(struct arena *arena, struct str text);
/* The same of a text in valid UTF-8, with at most max bytes (> 9): a longer one is cut at a character, and ends in "…".
 * *ret_cut: it was. */
struct str grpc_encode_short_text(struct arena *arena, struct str text, size_t max, bool *ret_cut);
struct str grpc_decode_text(struct arena *arena, struct str text);

/* "grpc-timeout": at most eight digits and one of H, M, S, m, u, n; rounded up to milliseconds. */
bool grpc_parse_timeout(struct str text, uint64_t *ret_ms);
struct str grpc_format_timeout(struct arena *arena, uint64_t ms);

/* Shared with gRPC-Web. */
void grpc_add_status(struct rpc_stream *stream, struct http_headers *headers);
bool grpc_read_status(struct rpc_stream *stream);
/* Sends the response's headers: ours, then those of the method. */
void grpc_send_headers(struct rpc_stream *stream, struct str type);
/* Checks the response's headers; false: the call has been cancelled. */
bool grpc_check_headers(struct rpc_stream *stream, struct str type);
void grpc_add_request_headers(struct rpc_stream *stream, struct http_headers *headers, struct str type);
