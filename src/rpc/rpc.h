/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One remote procedure call, seen from either end: messages both ways, then a status.
 *
 * A stream lives on one loop. Its first member is the HTTP stream that carries it; a codec (gRPC, …) turns bytes into
 * messages. The stream buffers no message: `message` gives the size of the next one and `data` lends its bytes piece by
 * piece, so that a relay holds only what is on its way. unary.h and message_reader.h collect whole messages.
 *
 * The server makes and owns a server's stream, rpc_call (channel.h) makes a client's. Either is freed after `closed`,
 * which comes exactly once and last. No event comes from inside a call of this interface.
 */
#pragma once

#include "http/http.h"
#include "net/loop.h"
#include "rpc/prefix.h"

struct transcoder;
struct rpc_stream;
struct rpc_method;
struct type_method;

struct rpc_events {
	/* Client: the response's headers have come (stream->http.received). Optional. */
	void (*headers)(struct rpc_stream *stream);
	/* A message of size bytes begins. With size 0 it is complete. */
	void (*message)(struct rpc_stream *stream, size_t size);
	/* The next bytes of the message, lent until rpc_consume. It is complete when stream->message_left is 0. */
	void (*data)(struct rpc_stream *stream, struct str bytes);
	/* Server: the client sends no more messages. */
	void (*end)(struct rpc_stream *stream);
	/* The connection has taken all that was written. Optional. */
	void (*writable)(struct rpc_stream *stream);
	/* The call is over. Client: stream->status and ->status_text hold the outcome. Server: rpc_has_ended tells
	 * whether it was answered or the client gave it up. The stream is freed when this returns. */
	void (*closed)(struct rpc_stream *stream);
};

/*
 * How far a call has come at this end.
 *
 *  server   OPEN ──rpc_respond, first message──▶ RESPONDING ──rpc_finish──▶ ENDED
 *             │                                                               ▲
 *             └────────────────────rpc_finish, rpc_refuse─────────────────────┘
 *
 *  client   OPEN ──rpc_half_close──▶ HALF_CLOSED ──rpc_cancel──▶ ENDED
 *             │                                                    ▲
 *             └─────────────────────rpc_cancel─────────────────────┘
 *
 * `closed` may follow every state. What the peer still sends in ENDED is dropped.
 */
enum rpc_state {
	RPC_OPEN, /* server: nothing has been answered; client: sends its messages */
	RPC_RESPONDING, /* server: the response's headers have been sent */
	RPC_HALF_CLOSED, /* client: has sent all */
	RPC_ENDED, /* server: has answered; client: has given the call up */
};
enum { RPC_STATE_COUNT = RPC_ENDED + 1 };

/* Changes the state; asserts that the next one may follow. */
void rpc_state_move(enum rpc_state *state, enum rpc_state next);

/* The kinds of frames, by the flags in their prefix: RPC_FRAME_END holds trailers. */
enum rpc_frame { RPC_FRAME_MESSAGE, RPC_FRAME_END, RPC_FRAME_WRONG };

/* A detail of an error: a message of any type. */
struct rpc_detail {
	struct str type; /* the message's full name */
	struct str value; /* in wire format */
};

/* How a protocol turns messages, statuses and errors into bytes and headers, and back. */
struct rpc_codec {
	const char *name;
	/* Connect's calls with one message each way are bodies of plain HTTP: no prefixes. */
	bool is_plain;

	/* Sending messages. */
	void (*begin)(struct rpc_stream *stream, size_t size); /* starts a message */
	void (*write)(struct rpc_stream *stream, struct str bytes); /* NULL: the bytes go out as they are */
	/* Optional. Server, before finish with CODE_OK: sets the status to an error if a message could not be sent. */
	void (*settle)(struct rpc_stream *stream);

	/* Receiving messages. */
	void (*receive)(struct rpc_stream *stream, struct str bytes);
	void (*receive_end)(struct rpc_stream *stream);
	void (*consume)(struct rpc_stream *stream, size_t size); /* NULL: the HTTP stream takes size bytes back */
	/* Of messages with a prefix that are transcoded (transcode.h): what the prefix's first byte means, and the
	 * content of a frame that is not a message. */
	enum rpc_frame (*frame)(struct rpc_stream *stream, unsigned char flags);
	void (*receive_last)(struct rpc_stream *stream, struct str bytes);

	/* Server. */
	void (*respond)(struct rpc_stream *stream); /* sends the response's headers */
	void (*finish)(struct rpc_stream *stream); /* ends with stream->status; the state is the one before ENDED */

	/* Client. */
	void (*request_headers)(struct rpc_stream *stream, struct http_headers *headers); /* before the caller's */
	void (*half_close)(struct rpc_stream *stream); /* plain only: before the request's headers */
	void (*receive_headers)(struct rpc_stream *stream);
	/* Copies the outcome that the peer sent into stream->status; false: it sent none. */
	bool (*read_status)(struct rpc_stream *stream);

	void (*release)(struct rpc_stream *stream); /* Optional: frees what the codec keeps for the stream. */
};

/* What a channel does for the calls that it made. */
struct rpc_client_ops {
	void (*half_closed)(struct rpc_stream *stream); /* plain only: the request is complete */
	void (*cancelled)(struct rpc_stream *stream); /* the call was given up while it had no connection */
	/* The peer certainly did not begin the call. True: it is sent again; false: `closed` follows. */
	bool (*unprocessed)(struct rpc_stream *stream);
	void (*closed)(struct rpc_stream *stream); /* after the owner's `closed`, before the stream is freed */
};

struct rpc_stream {
	struct http_stream http;
	const struct rpc_events *events;
	const struct rpc_codec *codec;
	struct loop *loop;
	void *owner; /* for the functions of events */
	size_t message_left; /* of the message that is being received */
	size_t message_max; /* "max-message": a longer one is ResourceExhausted */
	struct {
		struct timer timer;
		uint64_t at_ms; /* by loop_now_ms; 0: none */
		uint64_t timeout_ms; /* as the caller sent it; 0: none */
	} deadline;
	enum rpc_state state;
	bool is_client;
	bool open_ended; /* server: the response lasts until the client leaves; a shutdown need not wait for it */

	enum code status;
	struct str status_text; /* in http.arena */

	struct prefix prefix; /* of the next message that is received */
	size_t write_left; /* of the message that is being sent */
	struct transcoder *transcoder; /* of codecs that transcode; NULL: bytes pass as they are */
	struct {
		struct rpc_detail *items;
		size_t count, capacity;
	} details; /* of status */
	const struct type_method *type; /* NULL: not known */
	bool has_body; /* bytes of a body have come */
	bool has_peer_status; /* client: the peer sent the status */

	/* Server only. */
	const struct rpc_method *method;
	void *service;
	struct http_headers response_headers; /* filled before the first message or rpc_respond */

	struct {
		struct rpc_channel *channel;
		const struct rpc_client_ops *ops; /* the channel's */
		struct http_headers headers; /* of the request, while it waits for a connection */
		unsigned retries; /* times that the channel has sent it again */
	} client;
};

/* "max-error-text": bytes of the text of an error, in UTF-8; a longer one ends in "…". */
#define RPC_STATUS_TEXT_MAX KIB(4)
/* "max-error-details": bytes of all details of an error together. */
#define RPC_DETAILS_MAX KIB(8)

/* A stream's arena: the headers of the call, which take more memory than their bytes, and all that lives as long. */
#define RPC_ARENA_MAX MIB(1)
/* Trailers that come in a body; counted like headers ("max-header-bytes"). */
#define RPC_TRAILERS_MAX HTTP_HEADER_BYTES_DEFAULT
/* "max-message", unless set otherwise. */
#define RPC_MESSAGE_MAX_DEFAULT MIB(64)
/* Each stream may hold this much; "max-held" limits what is above it. */
#define RPC_HELD_FREE KIB(256)

void rpc_stream_init(struct rpc_stream *stream, struct loop *loop, const struct rpc_codec *codec);
void rpc_stream_free(struct rpc_stream *stream);

/* rpc_begin starts a message of exactly size bytes; rpc_write adds them in any number of pieces. */
void rpc_begin(struct rpc_stream *stream, size_t size);
void rpc_write(struct rpc_stream *stream, struct str bytes);

/* Both in one. */
void rpc_send(struct rpc_stream *stream, struct str message);

static inline bool rpc_has_ended(const struct rpc_stream *stream) {
	return stream->state == RPC_ENDED;
}

/* Whether messages may still be sent. */
static inline bool rpc_can_send(const struct rpc_stream *stream) {
	return stream->state == RPC_OPEN || stream->state == RPC_RESPONDING;
}

/* Bytes that were written and that the connection has not taken yet. */
static inline size_t rpc_unsent(const struct rpc_stream *stream) {
	return buf_len(&stream->http.unsent);
}

/* Returns size bytes that `data` lent: the peer may send as many again. */
static inline void rpc_consume(struct rpc_stream *stream, size_t size) {
	if (stream->codec->consume == NULL)
		http_stream_consume(&stream->http, size);
	else
		stream->codec->consume(stream, size);
}

/* Adds a detail to the error that rpc_finish will send; copies both. Details past RPC_DETAILS_MAX are dropped. */
void rpc_add_detail(struct rpc_stream *stream, struct str type, struct str value);

/* Server: sends the response's headers now instead of with the first message. */
void rpc_respond(struct rpc_stream *stream);

/* Server, once: ends the call with CODE_OK or an error and its text; drops the rest of the request. */
void rpc_finish(struct rpc_stream *stream, enum code status, const char *text);
void rpc_finish_text(struct rpc_stream *stream, enum code status, struct str text);
/* The same with an error; its reason, if it has one, goes with it as a google.rpc.ErrorInfo. */
void rpc_fail(struct rpc_stream *stream, const struct error *err);
/* Server: tells the client that the call was not begun, so that it may be sent elsewhere. */
void rpc_refuse(struct rpc_stream *stream);

/* Client: sends no more messages. */
void rpc_half_close(struct rpc_stream *stream);
/* Client: gives up the call; `closed` follows with this status. */
void rpc_cancel(struct rpc_stream *stream, enum code status, const char *text);

/* Client, in `closed` with another status than CODE_OK: the status as an error, with the reason that the peer gave.
 * Returns -1. */
int rpc_get_error(const struct rpc_stream *stream, struct error *err);

/* Client, in `closed`: whether the peer certainly did not begin the call. */
static inline bool rpc_is_unprocessed(const struct rpc_stream *stream) {
	return stream->http.unprocessed;
}

/* Whether a stream may hold a message of size bytes in buffers that count in stream->loop->held. All streams together
 * pass "max-held" by one message at most. */
int rpc_check_held(const struct rpc_stream *stream, size_t size, struct error *err);

/* Milliseconds until the deadline: 0 once it has passed, UINT64_MAX without one. */
uint64_t rpc_time_left_ms(const struct rpc_stream *stream);

/* --- for codecs, server.c and channel.c --------------------------------------------------------------------------- */

extern const struct http_stream_events rpc_http_events;

/* Ends the call because of what the peer sent: a server answers with the error, a client cancels with it. */
void rpc_break(struct rpc_stream *stream, const struct error *err);
void rpc_set_deadline(struct rpc_stream *stream, uint64_t timeout_ms);
/* The text becomes valid UTF-8 without NUL, of RPC_STATUS_TEXT_MAX at most. */
void rpc_set_status(struct rpc_stream *stream, enum code status, struct str text);
/* Client: adds a trailer that came in the body; copies both. False: they pass RPC_TRAILERS_MAX, and the call is over.
 */
bool rpc_add_trailer(struct rpc_stream *stream, struct str name, struct str value);
/* Passes a piece of the current message on to the events. */
void rpc_deliver(struct rpc_stream *stream, struct str bytes);
/* Passes the start of a message on to the events; ends the call if it is larger than message_max. */
void rpc_deliver_begin(struct rpc_stream *stream, size_t size);
/* Determines the status, tells the owner, and frees the stream. */
void rpc_stream_closed(struct rpc_stream *stream, const struct error *why);
