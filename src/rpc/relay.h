/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes a call on: the requests of a server's stream go to a new call on a channel, and its responses come back.
 *
 * Messages pass piece by piece and unopened. Each direction holds at most one window: a sender may send more when its
 * bytes have left for the receiver. Deadline and cancellation of the client's call apply to the peer's.
 *
 * Until the peer responds, the relay also keeps the request, up to RELAY_KEEP_MAX bytes: a call that certainly did not
 * begin can then be sent to another peer.
 */
#pragma once

#include "rpc/channel.h"

#define RELAY_KEEP_MAX KIB(64)
/* What a call in RELAY_WAITING may hold on top: what its client sends ahead, and one read. */
#define RELAY_AHEAD_MAX (HTTP_WINDOW_DEFAULT + KIB(64))

struct relay;

/*
 *  WAITING ──relay_start, relay_retry──▶ SENDING ──headers or data of the peer──▶ ANSWERING ──┐
 *     ▲  │                                │   │                                               │ the peer's status,
 *     │  └─relay_give_up, client left──▶  │   └─the peer's status, client left──▶             │ client left
 *     └──the call certainly did not begin─┘                                        ANSWERED ◀─┘
 *
 * An ANSWERED relay is freed when both of its streams have closed.
 */
enum relay_state {
	RELAY_WAITING, /* no peer: the owner decides where the call goes */
	RELAY_SENDING, /* the request is on its way, nothing has come back */
	RELAY_ANSWERING, /* the response is on its way back */
	RELAY_ANSWERED, /* the client has its status, or is gone */
};
enum { RELAY_STATE_COUNT = RELAY_ANSWERED + 1 };

/* Changes the state; asserts that the next one may follow. For relay.c and its test. */
void relay_state_move(enum relay_state *state, enum relay_state next);

enum relay_direction { RELAY_REQUEST, RELAY_RESPONSE };

/*
 * Sees the messages of a call as they pass, to record them. Views are valid within the call of the function only. A tap
 * calls nothing of its relay or of the streams: it neither changes nor holds what passes.
 *
 * RELAY_REQUEST: what the client sends, shown when it arrives, or when the relay begins if it was received before. It
 * is shown once, even if the call is then sent to another peer, and also if no peer receives it any more.
 * RELAY_RESPONSE: what the client is sent. It comes from one peer, because a call whose response has begun is never
 * sent to another.
 */
struct relay_tap {
	/* A message of size bytes begins. With size 0 it is complete. */
	void (*message)(void *owner, enum relay_direction direction, size_t size);
	/* The next bytes of it. */
	void (*data)(void *owner, enum relay_direction direction, struct str bytes);
	/* Once, and last: the call is over with the status that the client was sent, or CODE_CANCELLED when it left. */
	void (*ended)(void *owner, enum code status, struct str text);
};

struct relay_options {
	/* For the text of errors: "the deployment dpl-…". Borrowed while the call lasts. */
	const char *peer;
	/* Added to the request's headers. Borrowed during the call of relay_start only. */
	const struct http_headers *headers;
	/* The part of the first message that was received before the relay began, and the message's size; the rest
	 * follows. rpc_consume has not been called yet for the last owed bytes of taken. */
	struct str taken;
	size_t owed;
	size_t message_size;
	bool has_message;
	bool ended; /* the client has sent all */
	/* The call did not begin: the owner sends it elsewhere with relay_retry, now or later, or calls relay_give_up.
	 * NULL: the relay refuses the client's stream, so that the client can send it again. */
	void (*unprocessed)(struct relay *relay, const struct error *why);
	/* The relay is over: the client was answered, or left; that may also happen between `unprocessed` and a retry.
	 * Optional. */
	void (*done)(struct relay *relay);
	void *owner;
	const struct relay_tap *tap; /* NULL: none. Borrowed, as its owner is */
	void *tap_owner;
};

/* Takes over the stream's events. */
struct relay *relay_start(struct rpc_stream *from, struct rpc_channel *channel, const struct relay_options *options);

/* The same without a peer: the relay begins in RELAY_WAITING, and relay_retry or relay_give_up follows. Until then the
 * client may send one window ahead. */
struct relay *relay_wait(struct rpc_stream *from, const struct relay_options *options);

/* In RELAY_WAITING: from inside `unprocessed` or later. */
void relay_retry(struct relay *relay, struct rpc_channel *channel, const char *peer,
		 const struct http_headers *headers);
void relay_give_up(struct relay *relay, const struct error *err);

void *relay_owner(const struct relay *relay);
/* In `done`: the status that the client was sent; CODE_CANCELLED when it left. */
enum code relay_status(const struct relay *relay);
/* In `done`: the first byte of the first response message, or -1. */
int relay_answer_begins(const struct relay *relay);
/* The client's stream, for its headers; NULL once it is closed. */
struct rpc_stream *relay_from(const struct relay *relay);
