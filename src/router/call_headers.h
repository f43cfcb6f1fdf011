/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers by which calls know of each other, and what the router makes of them:
 *
 *   ftl-verb         one for each call that led to this one, oldest first, as SDKs pass them on; the router adds one
 *   ftl-request-id   of the outermost call, as ORIGIN-KEY-HASH; the router makes it where the caller has none
 *   traceparent      W3C trace context; the same
 *   ftl-deployment   which deployment the Runner must host; only the router sets it
 */
#pragma once

#include "rpc/rpc.h"

struct route_replica;

/* Whether a verb made the call while it answered another one. */
bool call_headers_are_nested(const struct http_headers *received);
/* "module.verb" of the verb that made it; empty: none did. */
struct str call_headers_caller(const struct http_headers *received);

/* A call must not go to a verb that waits for it, nor be nested deeper than max-call-depth. */
int call_headers_check_chain(const struct http_headers *received, const char *verb, struct error *err);

/* Makes the headers that the Runner gets beside those of the request, in from's arena, and adds those of the answer.
 * random: the state of random_next. */
void call_headers_add(struct rpc_stream *from, const char *verb, uint64_t *random, struct http_headers *ret_headers);
/* Sets what differs from replica to replica in the headers that call_headers_add made. */
void call_headers_address(struct http_headers *headers, const struct route_replica *replica);
/* The headers that another Backplane gets: all but those that it makes itself. */
void call_headers_pass_on(const struct http_headers *headers, struct arena *arena, struct http_headers *ret_headers);
