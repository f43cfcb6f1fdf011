/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of the message that an HTTP/1.1 connection sends.
 */
#pragma once

#include "http/h1_connection.h"

enum { H1_OUTPUT_SIZE = 64 << 10 };

/* A buffer of H1_OUTPUT_SIZE for one write. */
struct h1_output {
	char *bytes;
	size_t len;
};

/* The first line and the headers of the exchange in progress. */
void h1_put_request(struct h1 *h1, const struct http_headers *headers);
void h1_put_response(struct h1 *h1, unsigned status, const struct http_headers *headers);

/* Sends one byte before the rest of what it belongs to: of the first line, which begins alike for every status, or a
 * zero in front of the size of the next chunk. Does nothing where neither comes next, and after H1_EARLY_MAX bytes. */
enum { H1_EARLY_MAX = 9 };
void h1_send_early(struct h1 *h1);

/* Adds what is ready to output, as far as it fits. */
void h1_produce(struct h1 *h1, struct h1_output *output);
