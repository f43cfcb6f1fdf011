/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which web pages may call: those of this machine, and those of a list of origins. A browser states the page's origin
 * in a header; a request without that header comes from no page and may always call.
 */
#pragma once

#include "http/http.h"

/* The origin of the page that sent a request; NULL pointer: no page did. */
struct str cors_origin(const struct http_headers *headers);

/* Whether a request with these headers may run. origins: NULL-terminated, as in "https://console.example.org", or "*"
 * for all; NULL: none beside this machine's. */
bool cors_allows(const char *const *origins, const struct http_headers *headers);

/* Whether text is an origin as a browser says it, so that one can be equal to it: "https://example.org:8443". */
bool cors_is_origin(struct str text);

/* Whether a browser asks, before a request, whether it may send it. */
bool cors_is_preflight(struct str method, const struct http_headers *headers);

/* Adds to the response's headers that the page may read it; for a preflight also what it may send. Adds nothing to the
 * response for a request without an origin. */
void cors_add_headers(struct http_stream *request, struct http_headers *response);
