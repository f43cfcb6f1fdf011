/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect's GET requests: the message is in the query, so that browsers and proxies can cache the response.
 */
#pragma once

#include "rpc/rpc.h"

/* Server: reads "?connect=v1&encoding=json&message=…" off the path, which it cuts and writes to. */
struct connect_query {
	struct str encoding, compression;
	struct str message; /* decoded; in the arena, as the path is */
	bool has_message;
};
int connect_read_query(struct http_stream *http, struct connect_query *ret_query, struct error *err);

/* Client: puts the message into the path. */
void connect_write_query(struct rpc_stream *stream, struct str message, bool json, bool gzip);
