/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which web pages may call: those of this machine, and of a list. A browser tells the page's origin in a header; what
 * is no browser has none and is not meant by this.
 */
#pragma once

#include "http/http.h"

/* origins: NULL-terminated, as in "https://console.example.org", or "*" for all; NULL: none. */
bool cors_allows(const char *const *origins, const struct http_stream *request);

/* Whether text is an origin as a browser says it, so that one can be equal to it: "https://example.org:8443". */
bool cors_is_origin(struct str text);

/* Whether the request asks what the next one may be. */
bool cors_is_preflight(const struct http_stream *request);

/* Adds what the browser wants to see; for a preflight also what it may send. Nothing for those without an origin. */
void cors_add_headers(struct http_stream *request, struct http_headers *headers);
