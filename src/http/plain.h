/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers in plain HTTP, with a line of text, to requests that no handler takes or that a handler cannot make anything
 * of: 404, 405, 431, a preflight, ….
 *
 * The body of such a request is dropped, and the answer is sent when the request has ended: a client that still sends
 * may not read what comes before.
 */
#pragma once

#include "http/http.h"

struct http_plain_answer {
	unsigned status;
	const char *text; /* lives as long as the stream */
	const struct http_header *headers; /* beside content-type and CORS; live as long as the stream */
	size_t header_count;
	bool no_cors; /* the page's origin is refused: the browser hides the answer from it */
	void (*closed)(struct http_stream *stream, const struct error *why); /* set by plain.c */
};

/* A stream of its own for a request, from http_connection_events.new_stream; answers by itself. */
struct http_stream *http_plain_new(const struct http_plain_answer *answer);

/* Takes over a stream whose response has not begun, from its handler. The handler's event `closed` still comes, and no
 * other. */
void http_plain_take(struct http_stream *stream, const struct http_plain_answer *answer);
