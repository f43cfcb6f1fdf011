/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP server and its handlers must do over every kind of connection.
 */
#pragma once

#include "http/http.h"
#include "net/endpoint.h"
#include "net/loop.h"

struct tls_config;

/* An implementation of a connection. */
struct connection_kind {
	const char *name;
	struct http_connection *(*connect)(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
					   const struct http_limits *limits,
					   const struct http_connection_events *events, void *owner);
	bool tls;
	bool http1_only; /* what a TLS client offers */
	size_t streams_max; /* that a client can have open at a time */
	struct str half_a_head; /* what a client may send first, up to the middle of a request's headers */
};

/* Runs every test over every kind, as one group; returns how many failed. */
int http_suite_run(const struct connection_kind *kinds, size_t count);
