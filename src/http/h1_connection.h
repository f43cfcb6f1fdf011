/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of an HTTP/1.1 connection, which the files h1_*.c share, and the ways in which it ends.
 *
 * An exchange is a request with its response; there is one at a time. Three machines run side by side: the message that
 * is received, the message that is sent, and the life of the connection.
 */
#pragma once

#include "http/h1_head.h"
#include "http/http.h"
#include "net/loop.h"
#include "net/transport.h"

/*
 * The message that is received.
 *
 *  HEAD ──▶ BODY ───────────────────────────────────────────▶ END ──(the response is done too)──▶ HEAD …
 *    │                                                         ▲
 *    ├──▶ CHUNK_SIZE ──▶ BODY ──▶ CHUNK_END ──▶ CHUNK_SIZE …   │
 *    │         └───────▶ TRAILERS ─────────────────────────────┤
 *    └─────────────────────────(no body)───────────────────────┘
 */
enum h1_receiving {
	H1_HEAD,
	H1_BODY, /* of a length, of a chunk, or until the connection ends */
	H1_CHUNK_SIZE,
	H1_CHUNK_END, /* the CR LF after a chunk's bytes */
	H1_TRAILERS,
	H1_END,
};
enum { H1_RECEIVING_COUNT = H1_END + 1 };

/*
 * The message that is sent.
 *
 *  NO_HEAD ──request, respond──▶ HEAD_READY ──flush──▶ SENDING_BODY ──▶ SENDING_TRAILERS ──▶ SENT ──▶ NO_HEAD …
 *                                                          └──────(no chunks)────────────────▶
 */
enum h1_sending {
	H1_NO_HEAD,
	H1_HEAD_READY, /* without the lines that tell the body's length, which the flush knows */
	H1_SENDING_BODY,
	H1_SENDING_TRAILERS, /* the last chunk is on its way, and the trailers behind it */
	H1_SENT,
};
enum { H1_SENDING_COUNT = H1_SENT + 1 };

/*
 * The connection.
 *
 *  OPEN ──shutdown──▶ SHUTTING_DOWN ──(no exchange is left)──▶ FINISHING
 *    └──(the last exchange, by either side's "connection: close")──▶
 *
 * CLOSING may follow every other state.
 */
enum h1_life {
	H1_OPEN,
	H1_SHUTTING_DOWN, /* the exchange in progress, or one whose request is on its way, is the last */
	H1_FINISHING, /* closes when all that was written has left; nothing is read any more */
	H1_CLOSING, /* nothing is read or sent any more */
};
enum { H1_LIFE_COUNT = H1_CLOSING + 1 };

/* Change a state; assert that the next one may follow. */
void h1_receiving_move(enum h1_receiving *state, enum h1_receiving next);
void h1_sending_move(enum h1_sending *state, enum h1_sending next);
void h1_life_move(enum h1_life *state, enum h1_life next);

/* How the end of the body that is sent is told. */
enum h1_framing {
	H1_BY_LENGTH,
	H1_BY_CHUNKS,
	H1_UNTIL_CLOSE, /* to a client of HTTP/1.0; there are no trailers */
	H1_WITHOUT_BODY,
};

struct h1 {
	struct http_connection http;
	struct loop *loop;
	struct flushable flushable;
	struct http_limits limits;
	struct http_stream *stream; /* of the exchange in progress; NULL: none, or the rest of a request is dropped */
	enum h1_life life;
	/* Whether another exchange may follow this one. Independent of `life`: the peer decides it for each. */
	bool keep_alive;
	bool is_http10; /* server: the request in progress */
	struct error why; /* of the close; CODE_OK: in order */

	enum h1_receiving receiving;
	enum h1_body body; /* of the message that is received */
	uint64_t left; /* of the body or chunk; UINT64_MAX: until the connection ends */
	uint64_t dropped; /* of a body after its response has been sent */
	struct buf pending; /* received, and not looked at yet */
	struct arena scratch; /* for what is parsed without a stream */

	enum h1_sending sending;
	enum h1_framing framing;
	struct buf outgoing_head; /* also the trailers */

	/* Server: the client has ended its side, and its last request is being answered. h1_half_closed.c. */
	struct {
		struct timer look;
		uint64_t since_ms;
		uint64_t next_byte_ms;
		unsigned early; /* bytes sent ahead of what they belong to */
	} half_closed;
};

static inline struct h1 *h1_of(struct http_connection *connection) {
	return CONTAINER_OF(connection, struct h1, http);
}

/* Has the connection flushed at the end of the turn. */
static inline void h1_mark_dirty(struct h1 *h1) {
	if (h1->life != H1_CLOSING)
		loop_mark_dirty(h1->loop, &h1->flushable);
}

/* Borrows the stream of a new exchange until h1_detach_stream, which gives it back by `closed`. */
void h1_attach_stream(struct h1 *h1, struct http_stream *stream);
void h1_detach_stream(struct h1 *h1, const struct error *why);

/* The next message that is received begins with a head. */
void h1_begin_head(struct h1 *h1);

/* Ends the exchange if both its sides are over, and the connection if it was the last one. */
void h1_settle(struct h1 *h1);

/* Closes when all that was written has left. */
void h1_finish(struct h1 *h1);

/* http_connection_ops.close */
void h1_close(struct http_connection *connection, const struct error *why);
