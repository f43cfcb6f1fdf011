/* SPDX-License-Identifier: Apache-2.0 */
/*
 *            from (a server's stream)                to (a client's stream)
 *  client ──message, data, end──────────▶ relay ──begin, write, half close──▶ peer
 *         ◀──begin, write, finish─────────       ◀──headers, message, data, closed──
 */
#include "rpc/relay.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/pool.h"
#include "base/reasons.h"
#include "rpc/metadata.h"

struct relay {
	enum relay_state state;
	struct rpc_stream *from, *to; /* NULL once closed */
	struct relay_options options;
	struct buf kept; /* bytes of the first message */
	size_t message_size;
	bool has_message;
	bool keeping; /* kept holds all that the client has sent */
	bool ended; /* the client has sent all */
	size_t owed_to_client, owed_to_peer; /* bytes lent by one that have not left for the other */
	int answer_begins; /* first byte of the first response message; -1: none yet */
	enum code status;
};

/* The sender may send more while the receiver's unsent bytes are at or below this. */
#define RELAY_LOW_WATER KIB(32)

#define TO(state) (1u << (state))

void relay_state_move(enum relay_state *state, enum relay_state next) {
	static const unsigned allowed[RELAY_STATE_COUNT] = {
		[RELAY_WAITING] = TO(RELAY_SENDING) | TO(RELAY_ANSWERED),
		[RELAY_SENDING] = TO(RELAY_WAITING) | TO(RELAY_ANSWERING) | TO(RELAY_ANSWERED),
		[RELAY_ANSWERING] = TO(RELAY_ANSWERED),
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

static void free_if_done(struct relay *relay) {
	if (relay->from != NULL || relay->to != NULL || relay->state == RELAY_WAITING)
		return;
	if (relay->options.done != NULL)
		relay->options.done(relay);
	buf_deinit(&relay->kept);
	pool_free(relay);
}

static bool can_answer(const struct relay *relay) {
	return relay->from != NULL && !rpc_has_ended(relay->from);
}

static void end(struct relay *relay, enum code status, struct str text) {
	relay_state_move(&relay->state, RELAY_ANSWERED);
	relay->status = status;
	if (relay->options.tap != NULL)
		relay->options.tap->ended(relay->options.tap_owner, status, text);
}

static void answer_ok(struct relay *relay) {
	end(relay, CODE_OK, STR(""));
	if (can_answer(relay))
		rpc_finish(relay->from, CODE_OK, "");
}

/* The status that the peer gave. */
static void answer_status(struct relay *relay, enum code status, struct str text) {
	end(relay, status, text);
	if (!can_answer(relay))
		return;
	log_debug("%.*s answers %s: %.*s", STR_ARG(relay->from->http.path), code_name(status), STR_ARG(text));
	rpc_finish_text(relay->from, status, text);
}

static void answer_error(struct relay *relay, const struct error *err) {
	end(relay, err->code, str_from(err->msg));
	if (can_answer(relay))
		rpc_fail(relay->from, err);
}

/* --- from the client to the peer ---------------------------------------------------------------------------------- */

static void settle_with_client(struct relay *relay) {
	if (relay->owed_to_client == 0 || relay->from == NULL || relay->state == RELAY_WAITING)
		return;
	if (relay->to == NULL || rpc_unsent(relay->to) <= RELAY_LOW_WATER) {
		rpc_consume(relay->from, relay->owed_to_client);
		relay->owed_to_client = 0;
	}
}

static void show_message(const struct relay *relay, enum relay_direction direction, size_t size) {
	if (relay->options.tap != NULL)
		relay->options.tap->message(relay->options.tap_owner, direction, size);
}

static void show_data(const struct relay *relay, enum relay_direction direction, struct str bytes) {
	if (relay->options.tap != NULL)
		relay->options.tap->data(relay->options.tap_owner, direction, bytes);
}

static void stop_keeping(struct relay *relay) {
	relay->keeping = false;
	buf_deinit(&relay->kept);
}

static bool can_send(const struct relay *relay) {
	return relay->to != NULL && rpc_can_send(relay->to);
}

static void on_client_message(struct rpc_stream *from, size_t size) {
	struct relay *relay = from->owner;
	show_message(relay, RELAY_REQUEST, size);
	if (relay->has_message)
		stop_keeping(relay);
	relay->has_message = true;
	relay->message_size = size;
	if (can_send(relay))
		rpc_begin(relay->to, size);
}

static void on_client_data(struct rpc_stream *from, struct str bytes) {
	struct relay *relay = from->owner;
	show_data(relay, RELAY_REQUEST, bytes);
	relay->owed_to_client += bytes.len;
	bool too_long = relay->state != RELAY_WAITING && buf_len(&relay->kept) + bytes.len > RELAY_KEEP_MAX;
	if (relay->keeping && (too_long || buf_append(&relay->kept, bytes) < 0))
		stop_keeping(relay);
	if (can_send(relay))
		rpc_write(relay->to, bytes);
	settle_with_client(relay);
}

static void on_client_end(struct rpc_stream *from) {
	struct relay *relay = from->owner;
	relay->ended = true;
	if (can_send(relay))
		rpc_half_close(relay->to);
}

static void settle_with_peer(struct relay *relay);

static void on_client_writable(struct rpc_stream *from) {
	settle_with_peer(from->owner);
}

static void on_client_closed(struct rpc_stream *from) {
	struct relay *relay = from->owner;
	relay->from = NULL;
	/* The server answers a call whose deadline passes; the peer's call is then cancelled like that of a client that
	 * left. */
	if (relay->state != RELAY_ANSWERED && rpc_has_ended(from))
		end(relay, from->status, from->status_text);
	else if (relay->state != RELAY_ANSWERED)
		end(relay, CODE_CANCELLED, STR("the caller went away"));
	if (relay->to != NULL)
		rpc_cancel(relay->to, CODE_CANCELLED, "the caller went away");
	free_if_done(relay);
}

static const struct rpc_events client_events = {
	.message = on_client_message,
	.data = on_client_data,
	.end = on_client_end,
	.writable = on_client_writable,
	.closed = on_client_closed,
};

/* --- from the peer to the client ---------------------------------------------------------------------------------- */

/* Drops what the peer wrote wrong: the client's stack might take that for an error of the connection. */
static void copy_binary(struct http_headers *to, struct arena *arena, const struct http_header *header, size_t *room) {
	struct error err;
	if (!metadata_is_of_one_hop(header->name) && metadata_add_binary(to, arena, header, room, &err) < 0)
		log_failure(LOG_DEBUG, &err, "dropped a header of the answer");
}

static void copy_headers(struct http_headers *to, struct arena *arena, const struct http_headers *from) {
	size_t room = metadata_room(from);
	for (size_t i = 0; i < from->count; i++)
		if (metadata_is_binary(from->items[i].name))
			copy_binary(to, arena, &from->items[i], &room);
		else if (!metadata_is_of_one_hop(from->items[i].name))
			http_headers_copy(to, arena, &from->items[i]);
}

static void settle_with_peer(struct relay *relay) {
	if (relay->owed_to_peer > 0 && relay->to != NULL &&
	    (relay->from == NULL || rpc_unsent(relay->from) <= RELAY_LOW_WATER)) {
		rpc_consume(relay->to, relay->owed_to_peer);
		relay->owed_to_peer = 0;
	}
}

static bool peer_gave_status(const struct rpc_stream *to) {
	return http_headers_find(&to->http.trailers, STR("grpc-status")) != NULL ||
	       http_headers_find(&to->http.received, STR("grpc-status")) != NULL;
}

static void begin_answering(struct relay *relay) {
	if (relay->state != RELAY_SENDING)
		return;
	relay_state_move(&relay->state, RELAY_ANSWERING);
	stop_keeping(relay);
}

static void on_peer_headers(struct rpc_stream *to) {
	struct relay *relay = to->owner;
	begin_answering(relay);
	if (!can_answer(relay))
		return;
	copy_headers(&relay->from->response_headers, &relay->from->http.arena, &to->http.received);
	/* Headers with a status are the whole response. The client may wait for others, long before a message. */
	if (!peer_gave_status(to))
		rpc_respond(relay->from);
}

static void on_peer_message(struct rpc_stream *to, size_t size) {
	struct relay *relay = to->owner;
	if (!can_answer(relay))
		return;
	show_message(relay, RELAY_RESPONSE, size);
	rpc_begin(relay->from, size);
}

static void on_peer_data(struct rpc_stream *to, struct str bytes) {
	struct relay *relay = to->owner;
	relay->owed_to_peer += bytes.len;
	if (relay->answer_begins < 0 && bytes.len > 0)
		relay->answer_begins = (unsigned char)bytes.ptr[0];
	if (can_answer(relay)) {
		show_data(relay, RELAY_RESPONSE, bytes);
		rpc_write(relay->from, bytes);
	}
	settle_with_peer(relay);
}

static void on_peer_writable(struct rpc_stream *to) {
	settle_with_client(to->owner);
}

/* The peer certainly did not begin the call. */
static void on_unprocessed(struct relay *relay, const struct rpc_stream *to) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "%s could not be reached, so the call did not run: %.*s", relay->options.peer,
		  STR_ARG(to->status_text));
	bool can_retry = relay->keeping && can_answer(relay);
	if (can_retry && relay->options.unprocessed != NULL) {
		relay_state_move(&relay->state, RELAY_WAITING);
		relay->options.unprocessed(relay, &err);
	} else if (relay->options.unprocessed == NULL && can_answer(relay) && relay->from->state == RPC_OPEN) {
		end(relay, CODE_UNAVAILABLE, str_from(err.msg));
		rpc_refuse(relay->from);
	} else {
		answer_error(relay, &err);
	}
}

static void pass_status(struct relay *relay, const struct rpc_stream *to) {
	if (can_answer(relay))
		copy_headers(&relay->from->http.send_trailers, &relay->from->http.arena, &to->http.trailers);
	for (size_t i = 0; can_answer(relay) && i < to->details.count; i++)
		rpc_add_detail(relay->from, to->details.items[i].type, to->details.items[i].value);
	struct error err;
	if (to->status == CODE_OK) {
		answer_ok(relay);
		return;
	}
	/* A peer that resets the call at its deadline sends no status (rpc.c). */
	if (rpc_has_ended(to) || to->has_peer_status || to->status == CODE_DEADLINE_EXCEEDED) {
		answer_status(relay, to->status, to->status_text);
		return;
	}
	if (to->http.ended_alone) {
		/* As servers do whose handler panicked. They live on, so the failure is the call's. */
		error_set(&err, to->status == CODE_CANCELLED ? CODE_UNAVAILABLE : CODE_INTERNAL,
			  "%s broke off the call, which may have run, without a status: %.*s", relay->options.peer,
			  STR_ARG(to->status_text));
	} else {
		error_set(&err, CODE_UNAVAILABLE, "%s was lost during the call, which may have run: %.*s",
			  relay->options.peer, STR_ARG(to->status_text));
		error_set_reason(&err, REASON_CALL_LOST);
	}
	answer_error(relay, &err);
}

static void on_peer_closed(struct rpc_stream *to) {
	struct relay *relay = to->owner;
	relay->to = NULL;
	settle_with_client(relay);
	if (relay->state == RELAY_SENDING && rpc_is_unprocessed(to) && !rpc_has_ended(to))
		on_unprocessed(relay, to);
	else if (relay->state != RELAY_ANSWERED)
		pass_status(relay, to);
	free_if_done(relay);
}

static const struct rpc_events peer_events = {
	.headers = on_peer_headers,
	.message = on_peer_message,
	.data = on_peer_data,
	.writable = on_peer_writable,
	.closed = on_peer_closed,
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void call_peer(struct relay *relay, struct rpc_channel *channel, const struct http_headers *added) {
	struct rpc_stream *from = relay->from;
	struct http_header room[HTTP_HEADERS_ROOM];
	struct http_headers headers = HTTP_HEADERS_IN(room);
	/* Not the stream's, which would grow with each attempt. */
	struct arena arena = ARENA_INIT(RPC_ARENA_MAX);
	bool has_connection = from->http.connection != NULL && from->http.connection->version == 1;
	struct str connection = has_connection ? http_headers_get(&from->http.received, STR("connection")) : STR("");
	for (size_t i = 0; i < from->http.received.count; i++)
		if (!metadata_is_of_one_hop(from->http.received.items[i].name) &&
		    (connection.len == 0 || !metadata_is_named(connection, from->http.received.items[i].name)))
			http_headers_pass(&headers, &arena, &from->http.received.items[i]);
	for (size_t i = 0; added != NULL && i < added->count; i++)
		http_headers_pass(&headers, &arena, &added->items[i]);
	uint64_t left = rpc_time_left_ms(from);
	relay_state_move(&relay->state, RELAY_SENDING);
	relay->to = rpc_call(channel,
			     &(struct rpc_call_options){.path = from->http.path,
							.headers = &headers,
							.timeout_ms = left == UINT64_MAX ? 0 : MAX(left, (uint64_t)1),
							.events = &peer_events,
							.owner = relay,
							.no_retry = true});
	arena_deinit(&arena);
	relay->to->message_max = from->message_max;
	if (relay->has_message) {
		rpc_begin(relay->to, relay->message_size);
		rpc_write(relay->to, buf_view(&relay->kept));
	}
	if (relay->ended)
		rpc_half_close(relay->to);
	if (buf_len(&relay->kept) > RELAY_KEEP_MAX)
		stop_keeping(relay);
	settle_with_client(relay);
}

struct relay *relay_wait(struct rpc_stream *from, const struct relay_options *options) {
	struct relay *relay = pool_alloc(sizeof *relay);
	*relay = (struct relay){
		.state = RELAY_WAITING,
		.from = from,
		.options = *options,
		.message_size = options->message_size,
		.has_message = options->has_message,
		.ended = options->ended,
		.keeping = true,
		.kept = BUF_INIT(MAX(RELAY_KEEP_MAX, options->taken.len) + RELAY_AHEAD_MAX),
		.owed_to_client = options->owed,
		.answer_begins = -1,
	};
	int over = buf_append(&relay->kept, options->taken);
	ASSERT(over == 0);
	from->owner = relay;
	from->events = &client_events;
	if (relay->has_message)
		show_message(relay, RELAY_REQUEST, relay->message_size);
	if (options->taken.len > 0)
		show_data(relay, RELAY_REQUEST, options->taken);
	return relay;
}

struct relay *relay_start(struct rpc_stream *from, struct rpc_channel *channel, const struct relay_options *options) {
	struct relay *relay = relay_wait(from, options);
	call_peer(relay, channel, options->headers);
	return relay;
}

void relay_retry(struct relay *relay, struct rpc_channel *channel, const char *peer,
		 const struct http_headers *headers) {
	ASSERT(relay->state == RELAY_WAITING);
	relay->options.peer = peer;
	if (relay->keeping) {
		call_peer(relay, channel, headers);
		return;
	}
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "the call did not run, and is too large to be sent again; call once more");
	answer_error(relay, &err);
}

void relay_give_up(struct relay *relay, const struct error *err) {
	ASSERT(relay->state == RELAY_WAITING);
	answer_error(relay, err);
	free_if_done(relay);
}

void *relay_owner(const struct relay *relay) {
	return relay->options.owner;
}

enum code relay_status(const struct relay *relay) {
	return relay->status;
}

int relay_answer_begins(const struct relay *relay) {
	return relay->answer_begins;
}

struct rpc_stream *relay_from(const struct relay *relay) {
	return relay->from;
}
