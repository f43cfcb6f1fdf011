/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of an HTTP/2 connection, which the files h2_*.c share, and the ways in which it ends.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/http.h"
#include "net/loop.h"
#include "net/transport.h"

enum { H2_OUTPUT_SIZE = 64 << 10 };

/*
 *                      shutdown (server)         shutdown again, or the peer's
 *               ┌────────▶ SHUTTING_DOWN ──────── answer to the ping ──┐
 *               │                                                      ▼
 *  CONNECTING ─▶ OPEN ──────────── shutdown (client) ───────────▶ GOAWAY_SENT
 *               │                                                      │
 *               └──── the peer breaks a rule, in any of the three ─────┴▶ TERMINATED
 *
 * CLOSING may follow every other state.
 */
enum h2_state {
	H2_CONNECTING, /* client: there is no session yet */
	H2_OPEN,
	/* Server: it has announced a GOAWAY and sent a ping. Requests that the peer sent before it knew are taken; they
	 * have come when the ping is answered (RFC 9113 section 6.8). */
	H2_SHUTTING_DOWN,
	H2_GOAWAY_SENT, /* the peer has the number of the last stream; later ones are refused, earlier ones go on */
	H2_TERMINATED, /* the peer broke a rule or passed a limit; closes once it has been told which */
	H2_CLOSING, /* nothing is read or sent any more */
};
enum { H2_STATE_COUNT = H2_CLOSING + 1 };

/* Changes the state; asserts that the next one may follow. */
void h2_state_move(enum h2_state *state, enum h2_state next);

/* A block of headers; those of one connection never interleave (RFC 9113 section 4.3). */
enum h2_block { H2_BLOCK_NONE, H2_BLOCK_REQUEST, H2_BLOCK_RESPONSE, H2_BLOCK_TRAILERS };

/* What a peer may cause in a second beyond what this side's own traffic has paid for (h2_limits.h). */
struct h2_budget {
	uint64_t since_ms;
	uint64_t spent; /* in 1/H2_WHOLE_FRAME */
	uint64_t paid; /* control frames; resets: in 1/H2_WHOLE_FRAME */
};
enum { H2_WHOLE_FRAME = 1000 };

struct h2 {
	struct http_connection http;
	struct loop *loop;
	struct flushable flushable;
	struct http_limits limits;
	enum h2_state state;
	bool proven; /* client: the peer's SETTINGS have come; independent of the state, as they may be late */
	nghttp2_session *session;
	char *output; /* lent by the flush in progress, else NULL */
	size_t output_len;
	struct h2_budget resets, control_frames;
	int32_t last_id; /* the highest of the peer's streams */
	struct http_stream *recent; /* found last: most frames concern the stream of the frame before; NULL: none */
	struct {
		enum h2_block kind; /* of the block that is being read */
		struct http_request_head request; /* H2_BLOCK_REQUEST */
		struct http_stream *stream; /* the others; NULL once it is closed */
		size_t bytes; /* so far; the others */
	} block;
	struct timer attached; /* reports a socket that was connected already, in its own turn */
	struct error why; /* of the close; CODE_OK: in order */
	char invalid[128]; /* what was wrong with the last invalid frame */
};

static inline struct h2 *h2_of(struct http_connection *connection) {
	return CONTAINER_OF(connection, struct h2, http);
}

static inline struct h2 *h2_of_stream(struct http_stream *stream) {
	return h2_of(stream->connection);
}

/* NULL: the stream is closed, or was refused. */
static inline struct http_stream *h2_find_stream(struct h2 *h2, int32_t id) {
	if (h2->recent == NULL || h2->recent->id != id)
		h2->recent = nghttp2_session_get_stream_user_data(h2->session, id);
	return h2->recent;
}

/* Has the connection flushed at the end of the turn. */
static inline void h2_mark_dirty(struct h2 *h2) {
	if (h2->state != H2_CLOSING)
		loop_mark_dirty(h2->loop, &h2->flushable);
}

/* Borrows the stream until h2_detach_stream, which gives it back by `closed`. */
void h2_attach_stream(struct h2 *h2, struct http_stream *stream);
void h2_detach_stream(struct h2 *h2, struct http_stream *stream, const struct error *why);

/* What a peer that does not keep to HTTP/2 is: to a client, a server that speaks something else is as good as none. */
enum code h2_breach_code(const struct h2 *h2);

/* Tells the peer an error number of HTTP/2 and text, and closes. */
void h2_terminate(struct h2 *h2, uint32_t number, enum code code, const char *text);

/* Tells the peer which of its streams is the last that is taken. */
void h2_send_goaway(struct h2 *h2);

/* http_connection_ops.close */
void h2_close(struct http_connection *connection, const struct error *why);
