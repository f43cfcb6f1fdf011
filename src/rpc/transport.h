/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream to a peer: TCP or a UNIX socket, on one loop.
 *
 * Embedded in the connection that owns it. Reads come as views into the loop's buffer, valid within the callback.
 * A write goes to the kernel at once as far as it takes it; the rest is kept, and on_drained tells when it is
 * gone. After transport_close no event comes but on_closed, exactly once and never from inside a call.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "rpc/endpoint.h"
#include "rpc/loop.h"

struct transport;

struct transport_events {
	/* Client: connected, or why not. */
	void (*on_connected)(struct transport *transport, const struct error *err);
	void (*on_read)(struct transport *transport, struct str bytes);
	/* The peer ended its side (err NULL) or the connection broke. Nothing is read after this. */
	void (*on_end)(struct transport *transport, const struct error *err);
	void (*on_drained)(struct transport *transport);
	void (*on_closed)(struct transport *transport);
};

struct transport {
	const struct transport_events *events;
	struct loop *loop;
	union {
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	union {
		uv_connect_t connect;
		uv_getaddrinfo_t resolve;
	} opening;
	uv_write_t write;
	struct buf unsent; /* what the kernel did not take yet */
	bool writing; /* a part of unsent is with libuv */
	bool resolving;
	bool closing;
	bool handle_closed;
	struct endpoint endpoint; /* client: the peer */
};

/* More than this is never kept: a connection stops producing while anything is unsent. */
#define TRANSPORT_UNSENT_MAX MIB(2)

/* Starts to connect. on_connected follows. */
void transport_connect(struct transport *transport, struct loop *loop, const struct endpoint *endpoint,
		       const struct transport_events *events);

/* Takes a connected socket. Returns 0, or -1 when the system refuses it; the socket is then closed. */
int transport_open(struct transport *transport, struct loop *loop, int fd, const struct transport_events *events);

void transport_start_reading(struct transport *transport);
void transport_stop_reading(struct transport *transport);

/* Sends bytes, after what is unsent. */
void transport_write(struct transport *transport, struct str bytes);

static inline bool transport_is_backed_up(const struct transport *transport) {
	return buf_len(&transport->unsent) > 0;
}

void transport_close(struct transport *transport);

/* "127.0.0.1:4711", or "a local process". */
void transport_peer_name(const struct transport *transport, char ret_text[64]);
