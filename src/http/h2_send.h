/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending over HTTP/2: headers, bodies as nghttp2 asks for them, and the flush at the end of a turn.
 */
#pragma once

#include "http/h2_connection.h"

/* Sets the callbacks of what is sent. */
void h2_send_register(nghttp2_session_callbacks *callbacks);

/* Submits the headers; the body follows as it is written. Returns the stream's id, which is > 0. */
int32_t h2_submit_request(struct h2 *h2, struct http_stream *stream, const struct http_headers *headers);
void h2_submit_response(struct h2 *h2, struct http_stream *stream, unsigned status, const struct http_headers *headers);

/* Server: tells the client that nothing was done about the request. */
void h2_refuse_stream(struct h2 *h2, int32_t id);

/* Writes what is ready to the transport, and closes a connection that is finished. */
void h2_flush(struct flushable *flushable);
