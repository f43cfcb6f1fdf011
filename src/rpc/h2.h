/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 connections, client and server, by nghttp2 over a transport.
 *
 * A connection is created over a transport that it takes, and frees itself after events->closed.
 */
#pragma once

#include "rpc/http.h"
#include "rpc/transport.h"

/* Client: connects to endpoint. events->ready or events->closed follows. */
struct http_connection *h2_connect(struct loop *loop, const struct endpoint *endpoint, const struct http_limits *limits,
				   const struct http_connection_events *events, void *owner);

/* Client: takes a connected socket. events->ready or events->closed follows. */
struct http_connection *h2_attach(struct loop *loop, int fd, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner);

/* Server: takes a connected socket. events->closed follows, if only later. */
struct http_connection *h2_accept(struct loop *loop, int fd, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner);

/* For the log; valid as long as the connection. */
const char *h2_peer_name(struct http_connection *connection);
