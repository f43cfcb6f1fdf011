/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 message (RFC 9112), read strictly. A message that two readers could understand differently is
 * refused, because request smuggling depends on such messages: bare LF, a blank before the colon, folded lines, two
 * lengths, a length with a coding, and codings other than "chunked" are errors.
 */
#pragma once

#include "http/http.h"

enum h1_body { H1_BODY_NONE, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_UNTIL_CLOSE };

struct h1_head {
	struct str method, target; /* requests */
	unsigned status; /* responses */
	struct http_headers headers; /* names in lower case */
	struct str host; /* requests */
	enum h1_body body;
	uint64_t length; /* H1_BODY_LENGTH */
	bool is_http10; /* requests: the client knows neither chunks nor interim responses */
	bool close; /* the last message on this connection */
	bool expects_continue;
};

/* The length of the head at the front of bytes, with its empty line; 0: the head is not complete yet. */
size_t h1_head_size(struct str bytes);

/* Reads a complete head and copies it into arena. On an error *ret_http_status is what a server answers; 0: nothing. */
int h1_read_request(struct str head, struct arena *arena, struct h1_head *ret_head, unsigned *ret_http_status,
		    struct error *err);
int h1_read_response(struct str head, struct arena *arena, struct h1_head *ret_head, struct error *err);

/* Reads the lines after the last chunk, up to the empty one. */
int h1_read_trailers(struct str lines, struct arena *arena, struct http_headers *ret_headers, struct error *err);

/* Reads a chunk's size, such as "1A", without extensions. false: the line is no size. */
bool h1_read_chunk_size(struct str line, uint64_t *ret_size);
