/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 connections, client and server, by nghttp2 over a transport.
 *
 * A connection is created over a transport that it takes, and frees itself after events->closed.
 */
#pragma once

#include "http/http.h"
#include "net/transport.h"

/* Client: connects to endpoint, with TLS if tls is set. events->ready or events->closed follows. */
struct http_connection *h2_connect(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
				   const struct http_limits *limits, const struct http_connection_events *events,
				   void *owner);

/* Client: takes a connected socket. events->ready or events->closed follows. */
struct http_connection *h2_attach(struct loop *loop, int fd, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner);

/* Server: takes a transport. The owner then calls http_connection_receive once. events->closed follows, never from
 * inside.
 */
struct http_connection *h2_accept(struct transport *transport, const struct http_limits *limits,
				  const struct http_connection_events *events, void *owner);
