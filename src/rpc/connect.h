/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Connect's two codecs have in common, and its GET requests.
 */
#pragma once

#include "rpc/rpc.h"

/* Server: "Connect-Timeout-Ms": at most ten digits. */
bool connect_parse_timeout(struct str text, uint64_t *ret_ms);

/* Server, GET: reads "?connect=v1&encoding=json&message=…" off the path, which it cuts and writes to. */
struct connect_query {
	struct str encoding, compression;
	struct str message; /* decoded; in the arena, as the path is */
	bool has_message;
};
int connect_read_query(struct http_stream *http, struct connect_query *ret_query, struct error *err);

/* Client, GET: puts the message into the path. */
void connect_write_query(struct rpc_stream *stream, struct str message, bool gzip);
