/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream to a peer: TCP or a UNIX socket, in clear or with TLS, on one loop.
 *
 * A transport frees itself after on_closed. Reads come as views into the loop's buffer, valid within the callback. A
 * write goes to the kernel at once as far as it takes it; the rest is kept, and on_drained reports that it has been
 * written. After transport_close only on_closed comes, exactly once and never from inside a call.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "net/endpoint.h"
#include "net/loop.h"

struct tls_config;
struct tls_session;
struct transport;

struct transport_events {
	/* Client: connected, or why not. Also when the handshake that transport_start_tls began is over. */
	void (*on_connected)(struct transport *transport, const struct error *err);
	void (*on_read)(struct transport *transport, struct str bytes);
	/* The peer ended its side (err NULL), and the owner may still write; or the connection broke. Nothing is read
	 * after this. */
	void (*on_end)(struct transport *transport, const struct error *err);
	void (*on_drained)(struct transport *transport);
	void (*on_closed)(struct transport *transport);
};

/*
 *  client   CONNECTING ──▶ HANDSHAKING ──▶ OPEN
 *               └───────(in clear)───────────▶
 *  server   OPEN ──transport_start_tls──▶ HANDSHAKING ──▶ OPEN
 *
 * ENDED follows the first three: the connection could not be made, the handshake failed, the peer has ended its side,
 * or the connection broke. That has been reported, and the owner is to close; after the end of the peer's side it may
 * finish what it writes first. LINGERING follows OPEN, HANDSHAKING and ENDED, and CLOSING every other state.
 */
enum transport_state {
	TRANSPORT_CONNECTING, /* client: also looking up the name, and between two of its addresses */
	TRANSPORT_HANDSHAKING, /* of TLS */
	TRANSPORT_OPEN,
	TRANSPORT_ENDED,
	TRANSPORT_LINGERING, /* what the peer sends is dropped, and nothing is written */
	TRANSPORT_CLOSING,
};
enum { TRANSPORT_STATE_COUNT = TRANSPORT_CLOSING + 1 };

/* Changes the state; asserts that the next one may follow. */
void transport_state_move(enum transport_state *state, enum transport_state next);

struct transport {
	enum transport_state state;
	const struct transport_events *events;
	void *owner; /* the events' business */
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
	struct buf unsent; /* bytes that the kernel has not taken yet */
	struct tls_config *tls_config; /* client: of the handshake that follows the connection. Keeps a reference */
	struct tls_session *tls; /* NULL: in clear */
	struct flushable resume; /* after a pause: reads what TLS has decrypted */
	/* Operations of libuv that are under way; each goes on in any state, and CLOSING waits for all. */
	bool reading; /* wanted by the owner */
	bool writing; /* a part of unsent is with libuv */
	bool resolving; /* a name look-up */
	bool reopening; /* the handle is being closed for the next address */
	bool handle_closed;
	struct {
		struct timer limit;
		size_t dropped; /* bytes read since */
	} linger;
	struct endpoint endpoint; /* client: the peer */
	struct addrinfo *addresses, *next_address; /* client: of endpoint's name; next NULL: all have been tried */
};

/* Enough, as a connection produces nothing while anything is unsent. */
#define TRANSPORT_UNSENT_MAX MIB(2)

/* Starts to connect, with TLS if tls is set. on_connected follows. */
struct transport *transport_connect(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
				    const struct transport_events *events, void *owner);

/* Takes a connected socket. NULL when the system refuses it; the socket is then closed. */
struct transport *transport_open(struct loop *loop, int fd, const struct transport_events *events, void *owner);

/* Server: begins a handshake with the bytes that the client has sent so far. on_connected follows, possibly in this
 * call. */
void transport_start_tls(struct transport *transport, struct tls_config *tls, struct str first);

/* Changes the receiver of the events. */
static inline void transport_hand_over(struct transport *transport, const struct transport_events *events,
				       void *owner) {
	transport->events = events;
	transport->owner = owner;
}

void transport_start_reading(struct transport *transport);
void transport_stop_reading(struct transport *transport);

/* Sends bytes, after what is unsent. */
void transport_write(struct transport *transport, struct str bytes);

/* Whether transport_linger or transport_close has been called. */
static inline bool transport_is_closed(const struct transport *transport) {
	return transport->state >= TRANSPORT_LINGERING;
}

static inline bool transport_is_backed_up(const struct transport *transport) {
	return buf_len(&transport->unsent) > 0;
}

/* The peer has ended its side, and the owner still has an answer to write: the kernel asks from now on, while there is
 * nothing to send, whether the peer's end still exists. */
void transport_keep_alive(struct transport *transport);

/* Whether the kernel has noticed that the connection is gone. A TCP peer that has closed its socket says the same as
 * one that has ended only its side, until it is sent something. */
bool transport_is_gone(const struct transport *transport);

void transport_close(struct transport *transport);

/* As transport_close, for a server whose last bytes say why. A socket that is closed with unread bytes takes back what
 * it has sent, so this reads and drops bytes until the peer closes too, for LINGER_MS at most. transport_close ends the
 * wait. */
void transport_linger(struct transport *transport);

enum { PEER_NAME_MAX = 64 };

/* "127.0.0.1:4711", or "a local process". */
void transport_peer_name(const struct transport *transport, char ret_text[PEER_NAME_MAX]);

/* With TLS: "h2", "http/1.1" or "". */
struct str transport_protocol(const struct transport *transport);
