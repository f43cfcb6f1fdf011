/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "rpc/error_info.h"

#define TO(state) (1u << (state))

void rpc_state_move(enum rpc_state *state, enum rpc_state next) {
	static const unsigned allowed[RPC_STATE_COUNT] = {
		[RPC_OPEN] = TO(RPC_RESPONDING) | TO(RPC_HALF_CLOSED) | TO(RPC_ENDED),
		[RPC_RESPONDING] = TO(RPC_ENDED),
		[RPC_HALF_CLOSED] = TO(RPC_ENDED),
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

static struct rpc_stream *rpc_of(struct http_stream *http) {
	return CONTAINER_OF(http, struct rpc_stream, http);
}

/* --- the HTTP stream's events ------------------------------------------------------------------------------------- */

static void on_http_headers(struct http_stream *http) {
	struct rpc_stream *stream = rpc_of(http);
	if (http->keeping)
		http_stream_stop_keeping(http);
	if (!rpc_has_ended(stream))
		stream->codec->receive_headers(stream);
}

static void on_http_data(struct http_stream *http, struct str bytes) {
	struct rpc_stream *stream = rpc_of(http);
	stream->has_body = true;
	if (rpc_has_ended(stream))
		http_stream_consume(http, bytes.len);
	else
		stream->codec->receive(stream, bytes);
}

static void on_http_end(struct http_stream *http) {
	struct rpc_stream *stream = rpc_of(http);
	if (!rpc_has_ended(stream))
		stream->codec->receive_end(stream);
	/* The response came before the whole request was sent: the peer does not want the rest. */
	if (stream->is_client && !http->finished)
		http_stream_reset(http, false);
}

static void on_http_writable(struct http_stream *http) {
	struct rpc_stream *stream = rpc_of(http);
	if (rpc_can_send(stream) && stream->events->writable != NULL)
		stream->events->writable(stream);
}

static void on_http_closed(struct http_stream *http, const struct error *why) {
	struct rpc_stream *stream = rpc_of(http);
	if (stream->is_client && http->unprocessed && stream->client.ops->unprocessed(stream))
		return;
	rpc_stream_closed(stream, why);
}

const struct http_stream_events rpc_http_events = {
	.headers = on_http_headers,
	.data = on_http_data,
	.end = on_http_end,
	.writable = on_http_writable,
	.closed = on_http_closed,
};

static const char deadline_text[] = "the deadline of the call passed";

/* The server's deadline may pass a little earlier than ours, and its reset come before our timer fires. */
static bool is_late(const struct rpc_stream *stream) {
	uv_update_time(&stream->loop->uv);
	return stream->deadline.at_ms != 0 && rpc_time_left_ms(stream) <= 1;
}

static void add_reason(struct rpc_stream *stream, const struct error *err) {
	if (err->reason[0] != '\0')
		rpc_add_detail(stream, STR(ERROR_INFO_TYPE), error_info_encode(&stream->http.arena, err->reason));
}

/* The last header is not whole, so it is no metadata. */
static void drop_part(struct rpc_stream *stream) {
	struct http_headers *trailers = &stream->http.trailers;
	if (trailers->count > 0)
		trailers->count--;
}

/* Determines the status of a client's call that was not cancelled. */
static void determine_status(struct rpc_stream *stream, const struct error *why) {
	if (rpc_has_ended(stream))
		return;
	stream->has_peer_status = stream->codec->read_status(stream);
	if (stream->http.h2.headers_over)
		drop_part(stream);
	if (stream->has_peer_status)
		return;
	if (why != NULL && why->code == CODE_CANCELLED && is_late(stream)) {
		rpc_set_status(stream, CODE_DEADLINE_EXCEEDED, str_from(deadline_text));
	} else if (why != NULL) {
		add_reason(stream, why);
		rpc_set_status(stream, why->code, str_from(why->msg));
	} else {
		rpc_set_status(stream, CODE_INTERNAL, STR("the peer ended the call without a status"));
	}
}

void rpc_stream_closed(struct rpc_stream *stream, const struct error *why) {
	timer_stop(stream->loop, &stream->deadline.timer);
	if (stream->is_client)
		determine_status(stream, why);
	if (stream->events != NULL)
		stream->events->closed(stream);
	if (stream->is_client)
		stream->client.ops->closed(stream);
	rpc_stream_free(stream);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_deadline(struct timer *timer) {
	struct rpc_stream *stream = CONTAINER_OF(timer, struct rpc_stream, deadline.timer);
	if (stream->is_client)
		rpc_cancel(stream, CODE_DEADLINE_EXCEEDED, deadline_text);
	else if (!rpc_has_ended(stream))
		rpc_finish(stream, CODE_DEADLINE_EXCEEDED, deadline_text);
}

void rpc_stream_init(struct rpc_stream *stream, struct loop *loop, const struct rpc_codec *codec) {
	*stream = (struct rpc_stream){
		.codec = codec,
		.loop = loop,
		.message_max = RPC_MESSAGE_MAX_DEFAULT,
		.deadline.timer.fire = on_deadline,
	};
	http_stream_init(&stream->http, &rpc_http_events, RPC_ARENA_MAX);
	stream->http.unsent.budget = &loop->held;
}

void rpc_stream_free(struct rpc_stream *stream) {
	if (stream->codec->release != NULL)
		stream->codec->release(stream);
	http_stream_deinit(&stream->http);
	pool_free(stream);
}

void rpc_set_deadline(struct rpc_stream *stream, uint64_t timeout_ms) {
	stream->deadline.at_ms = loop_now_ms(stream->loop) + timeout_ms;
	stream->http.due.at_ms = stream->deadline.at_ms;
	stream->http.due.in_ms = timeout_ms;
	timer_start(stream->loop, &stream->deadline.timer, timeout_ms);
}

uint64_t rpc_time_left_ms(const struct rpc_stream *stream) {
	uint64_t now = loop_now_ms(stream->loop);
	if (stream->deadline.at_ms == 0)
		return UINT64_MAX;
	return stream->deadline.at_ms > now ? stream->deadline.at_ms - now : 0;
}

int rpc_check_held(const struct rpc_stream *stream, size_t size, struct error *err) {
	const struct buf_budget *held = &stream->loop->held;
	if (size <= RPC_HELD_FREE || held->used <= held->max)
		return 0;
	return error_set(err, CODE_RESOURCE_EXHAUSTED,
			 "the messages that wait here take %zu bytes together, and max-held is %zu; call again later",
			 held->used, held->max);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

void rpc_deliver_begin(struct rpc_stream *stream, size_t size) {
	if (size > stream->message_max) {
		struct error err;
		error_set(&err, CODE_RESOURCE_EXHAUSTED, "the message has %zu bytes; max-message is %zu", size,
			  stream->message_max);
		rpc_break(stream, &err);
		return;
	}
	stream->message_left = size;
	stream->events->message(stream, size);
}

void rpc_deliver(struct rpc_stream *stream, struct str bytes) {
	stream->message_left -= bytes.len;
	stream->events->data(stream, bytes);
}

static struct str copy_lower(struct arena *arena, struct str text) {
	struct str copy = arena_copy(arena, text);
	char *bytes = (char *)copy.ptr;
	for (size_t i = 0; i < copy.len; i++)
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] |= 0x20;
	return copy;
}

bool rpc_add_trailer(struct rpc_stream *stream, struct str name, struct str value) {
	struct arena *arena = &stream->http.arena;
	struct http_headers *trailers = &stream->http.trailers;
	size_t size = name.len + value.len + HTTP_HEADER_COST;
	for (size_t i = 0; i < trailers->count; i++)
		size += trailers->items[i].name.len + trailers->items[i].value.len + HTTP_HEADER_COST;
	if (size > RPC_TRAILERS_MAX) {
		struct error err;
		error_set(&err, CODE_RESOURCE_EXHAUSTED,
			  "the peer's trailers have more than %zu bytes, which is max-header-bytes", RPC_TRAILERS_MAX);
		rpc_break(stream, &err);
		return false;
	}
	http_headers_add(trailers, arena, copy_lower(arena, name), arena_copy(arena, value));
	return true;
}

void rpc_break(struct rpc_stream *stream, const struct error *err) {
	if (stream->is_client)
		rpc_cancel(stream, err->code, err->msg);
	else if (!rpc_has_ended(stream))
		rpc_fail(stream, err);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static struct str keep_text(struct arena *arena, struct str text) {
	static const struct str mark = STR_INIT("\xE2\x80\xA6"); /* "…" */
	/* More is cut off in any case. */
	struct str first = str_new(text.ptr, MIN(text.len, RPC_STATUS_TEXT_MAX + 1));
	struct buf repaired = BUF_INIT(first.len * 3);
	text_repair(&repaired, first);
	struct str kept = buf_view(&repaired);
	if (kept.len > RPC_STATUS_TEXT_MAX) {
		kept = text_cut(kept, RPC_STATUS_TEXT_MAX - mark.len);
		kept = str_from(arena_printf(arena, "%.*s%s", STR_ARG(kept), mark.ptr));
	} else {
		kept = arena_copy(arena, kept);
	}
	buf_deinit(&repaired);
	return kept;
}

void rpc_set_status(struct rpc_stream *stream, enum code status, struct str text) {
	stream->status = status;
	stream->status_text = text.len > 0 ? keep_text(&stream->http.arena, text) : STR("");
}

void rpc_add_detail(struct rpc_stream *stream, struct str type, struct str value) {
	struct arena *arena = &stream->http.arena;
	size_t size = type.len + value.len;
	for (size_t i = 0; i < stream->details.count; i++)
		size += stream->details.items[i].type.len + stream->details.items[i].value.len;
	if (size > RPC_DETAILS_MAX || stream->details.count >= 64)
		return;
	if (stream->details.count == stream->details.capacity) {
		size_t capacity = MAX(stream->details.capacity * 2, (size_t)4);
		struct rpc_detail *items = arena_alloc(arena, capacity * sizeof *items);
		if (stream->details.count > 0)
			memcpy(items, stream->details.items, stream->details.count * sizeof *items);
		stream->details.items = items;
		stream->details.capacity = capacity;
	}
	stream->details.items[stream->details.count++] =
		(struct rpc_detail){arena_copy(arena, type), arena_copy(arena, value)};
}

void rpc_respond(struct rpc_stream *stream) {
	if (stream->state != RPC_OPEN)
		return;
	rpc_state_move(&stream->state, RPC_RESPONDING);
	stream->codec->respond(stream);
}

void rpc_begin(struct rpc_stream *stream, size_t size) {
	ASSERT(stream->write_left == 0 && stream->state != (stream->is_client ? RPC_HALF_CLOSED : RPC_ENDED));
	stream->write_left = size;
	if (!stream->is_client)
		rpc_respond(stream);
	stream->codec->begin(stream, size);
}

void rpc_write(struct rpc_stream *stream, struct str bytes) {
	ASSERT(bytes.len <= stream->write_left);
	stream->write_left -= bytes.len;
	if (stream->codec->write == NULL)
		http_stream_write(&stream->http, bytes);
	else
		stream->codec->write(stream, bytes);
}

void rpc_send(struct rpc_stream *stream, struct str message) {
	rpc_begin(stream, message.len);
	rpc_write(stream, message);
}

void rpc_finish(struct rpc_stream *stream, enum code status, const char *text) {
	rpc_finish_text(stream, status, str_from(text));
}

void rpc_finish_text(struct rpc_stream *stream, enum code status, struct str text) {
	ASSERT(!stream->is_client && !rpc_has_ended(stream));
	timer_stop(stream->loop, &stream->deadline.timer);
	rpc_set_status(stream, status, text);
	if (stream->codec->settle != NULL && status == CODE_OK)
		stream->codec->settle(stream);
	stream->codec->finish(stream);
	rpc_state_move(&stream->state, RPC_ENDED);
}

void rpc_fail(struct rpc_stream *stream, const struct error *err) {
	log_failure(LOG_DEBUG, err, "%.*s answers %s", STR_ARG(stream->http.path), code_name(err->code));
	add_reason(stream, err);
	rpc_finish(stream, err->code, err->msg);
}

int rpc_get_error(const struct rpc_stream *stream, struct error *err) {
	error_set(err, stream->status, "%.*s", STR_ARG(stream->status_text));
	for (size_t i = 0; i < stream->details.count; i++) {
		const struct rpc_detail *detail = &stream->details.items[i];
		char reason[ERROR_REASON_MAX];
		if (str_eq(detail->type, STR(ERROR_INFO_TYPE)) && error_info_decode(detail->value, reason))
			return error_set_reason(err, reason);
	}
	return -1;
}

void rpc_refuse(struct rpc_stream *stream) {
	ASSERT(!stream->is_client && stream->state == RPC_OPEN);
	if (stream->http.connection != NULL && stream->http.connection->version == 1) {
		/* HTTP/1.1 cannot refuse a request but by a status. */
		rpc_finish(stream, CODE_UNAVAILABLE, "the call did not run; call again");
		return;
	}
	rpc_state_move(&stream->state, RPC_ENDED);
	http_stream_reset(&stream->http, true);
}

void rpc_half_close(struct rpc_stream *stream) {
	ASSERT(stream->is_client && stream->write_left == 0);
	if (rpc_has_ended(stream))
		return;
	rpc_state_move(&stream->state, RPC_HALF_CLOSED);
	if (stream->codec->half_close != NULL)
		stream->codec->half_close(stream);
	http_stream_finish(&stream->http);
	if (stream->codec->is_plain)
		stream->client.ops->half_closed(stream);
}

void rpc_cancel(struct rpc_stream *stream, enum code status, const char *text) {
	ASSERT(stream->is_client);
	if (rpc_has_ended(stream))
		return;
	rpc_state_move(&stream->state, RPC_ENDED);
	rpc_set_status(stream, status, str_from(text));
	if (stream->http.connection != NULL)
		http_stream_reset(&stream->http, false);
	else
		stream->client.ops->cancelled(stream);
}
