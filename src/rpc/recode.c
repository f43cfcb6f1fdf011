/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  wire ──(base 64)──▶ prefix, message ──(gzip)──▶ ──(JSON)──▶ the stream's owner
 *                      held: while the owner has a window or more of what it was lent
 */
#include "rpc/recode.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rpc/base64.h"
#include "rpc/gzip.h"
#include "rpc/json.h"

enum {
	FLAG_COMPRESSED = 1, /* in all the protocols */
	LAST_MAX = 64 << 10, /* a frame that is no message: trailers */
	LAST_ROOM = 256 << 10, /* for our own, behind messages that are unsent: escaped, and in base 64 */
	OWED_MAX = 256 << 10, /* lent to the owner; then the next messages wait */
	QUAD = 4,
};

struct recode {
	struct rpc_stream *stream;
	struct recode_options options;

	struct buf message; /* of the wire, being collected */
	size_t left; /* of it */
	bool collecting;
	enum rpc_frame frame;
	bool compressed;
	bool keep_body;
	char quad[QUAD]; /* base 64 that is no whole group yet */
	size_t quad_len;

	size_t owed; /* lent to the owner */
	struct buf held;
	bool held_end;
	struct flushable resume;

	struct buf sending; /* the message of the owner */
	struct buf plain; /* what becomes the body */
	bool plain_gzip;
	bool sending_failed;
	struct error why; /* of that */
};

static void process(struct recode *recode, struct str bytes);

/* Methods that never hold a message allow any; what is turned is held all the same. */
static size_t message_max(const struct recode *recode) {
	return MIN(recode->stream->message_max, RPC_MESSAGE_MAX_DEFAULT);
}

static void on_resume(struct flushable *flushable) {
	struct recode *recode = CONTAINER_OF(flushable, struct recode, resume);
	struct buf held = recode->held;
	buf_init_counted(&recode->held, held.max, held.budget);
	process(recode, buf_view(&held));
	buf_deinit(&held);
	if (recode->held_end && buf_len(&recode->held) == 0 && !recode->stream->broken) {
		recode->held_end = false;
		recode_receive_end(recode);
	}
}

void recode_start(struct rpc_stream *stream, const struct recode_options *options) {
	if (stream->recode == NULL) {
		struct recode *recode = mem_zalloc(sizeof *recode);
		recode->stream = stream;
		buf_init_counted(&recode->held, MIB(64), &stream->loop->held);
		buf_init_counted(&recode->message, 0, &stream->loop->held);
		buf_init_counted(&recode->sending, 0, &stream->loop->held);
		buf_init_counted(&recode->plain, 0, &stream->loop->held);
		flushable_init(&recode->resume, on_resume);
		stream->recode = recode;
	}
	stream->recode->options = *options;
}

void recode_free(struct recode *recode) {
	if (recode == NULL)
		return;
	flushable_deinit(&recode->resume);
	buf_deinit(&recode->message);
	buf_deinit(&recode->held);
	buf_deinit(&recode->sending);
	buf_deinit(&recode->plain);
	free(recode);
}

struct recode_options *recode_options(struct recode *recode) {
	return &recode->options;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void deliver(struct recode *recode, struct str message) {
	struct rpc_stream *stream = recode->stream;
	rpc_deliver_begin(stream, message.len);
	if (stream->broken || message.len == 0)
		return;
	recode->owed += message.len;
	rpc_deliver(stream, message);
}

/* Turns what was collected into protobuf in clear and passes it on. */
static int turn(struct recode *recode, struct error *err) {
	struct buf_budget *held = &recode->stream->loop->held;
	struct str message = buf_view(&recode->message);
	struct buf expanded, packed;
	int failed = 0;
	buf_init_counted(&expanded, message_max(recode), held);
	buf_init_counted(&packed, message_max(recode), held);
	if (recode->compressed && message.len > 0) {
		failed = gzip_expand(message, &expanded, err);
		message = buf_view(&expanded);
	}
	if (!failed && recode->options.receive != NULL) {
		failed = json_to_pb(recode->options.types, recode->options.receive, message, &packed, err);
		message = buf_view(&packed);
	}
	/* Whoever it is delivered to may have to hold it in turn. */
	if (!failed)
		failed = rpc_check_held(recode->stream, message.len, err);
	if (!failed)
		deliver(recode, message);
	buf_deinit(&expanded);
	buf_deinit(&packed);
	return failed;
}

static void finish_frame(struct recode *recode) {
	struct rpc_stream *stream = recode->stream;
	struct error err;
	recode->collecting = false;
	if (recode->frame == RPC_FRAME_MESSAGE) {
		if (turn(recode, &err) < 0)
			rpc_break(stream, &err);
	} else if (recode->compressed) {
		struct buf expanded = BUF_INIT(LAST_MAX);
		if (gzip_expand(buf_view(&recode->message), &expanded, &err) < 0)
			rpc_break(stream, &err);
		else
			stream->codec->receive_last(stream, buf_view(&expanded));
		buf_deinit(&expanded);
	} else {
		stream->codec->receive_last(stream, buf_view(&recode->message));
	}
	buf_deinit(&recode->message);
}

static void begin_frame(struct recode *recode) {
	struct rpc_stream *stream = recode->stream;
	const unsigned char *prefix = stream->prefix.bytes;
	uint32_t size = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
	struct error err;
	stream->prefix.len = 0;
	recode->frame = stream->codec->frame(stream, prefix[0] & (unsigned char)~FLAG_COMPRESSED);
	recode->compressed = prefix[0] & FLAG_COMPRESSED;
	size_t max = recode->frame == RPC_FRAME_MESSAGE ? message_max(recode) : (size_t)LAST_MAX;
	if (recode->frame == RPC_FRAME_WRONG)
		error_set(&err, CODE_INTERNAL, "the message has the flags %u, which %s does not know", prefix[0],
			  stream->codec->name);
	else if (recode->compressed && !recode->options.gzip_receive)
		error_set(&err, CODE_INTERNAL, "the message is marked as compressed, and the headers name no encoding");
	else if (size > max)
		error_set(&err, CODE_RESOURCE_EXHAUSTED, "the message has %u bytes; max-message is %zu", size, max);
	else {
		recode->message.max = size;
		recode->left = size;
		recode->collecting = true;
		if (size == 0)
			finish_frame(recode);
		return;
	}
	rpc_break(stream, &err);
}

/* Adds to the message that is being collected; the limit of its size has been looked at. */
static void hold(struct recode *recode, struct str bytes) {
	struct error err;
	int over = buf_append(&recode->message, bytes);
	ASSERT(over == 0);
	if (rpc_check_held(recode->stream, buf_len(&recode->message), &err) < 0) {
		rpc_break(recode->stream, &err);
		buf_deinit(&recode->message); /* room for others at once */
	}
}

/* Takes what belongs to the frame at hand; returns the rest. */
static struct str collect(struct recode *recode, struct str bytes) {
	struct rpc_stream *stream = recode->stream;
	if (!recode->collecting) {
		size_t take = MIN(RPC_PREFIX_SIZE - stream->prefix.len, bytes.len);
		memcpy(stream->prefix.bytes + stream->prefix.len, bytes.ptr, take);
		stream->prefix.len += take;
		if (stream->prefix.len == RPC_PREFIX_SIZE)
			begin_frame(recode);
		return str_from_offset(bytes, take);
	}
	size_t take = MIN(recode->left, bytes.len);
	hold(recode, str_new(bytes.ptr, take));
	recode->left -= take;
	if (recode->left == 0 && !stream->broken)
		finish_frame(recode);
	return str_from_offset(bytes, take);
}

static void collect_all(struct recode *recode, struct str bytes) {
	while (bytes.len > 0 && !recode->stream->broken)
		bytes = collect(recode, bytes);
}

/* The whole body is the message. */
static void collect_plain(struct recode *recode, struct str bytes) {
	struct rpc_stream *stream = recode->stream;
	struct error err;
	recode->message.max = recode->keep_body ? (size_t)LAST_MAX : message_max(recode);
	if (bytes.len <= buf_room(&recode->message)) {
		hold(recode, bytes);
		return;
	}
	error_set(&err, CODE_RESOURCE_EXHAUSTED, "the message has more than %zu bytes, which is max-message",
		  recode->message.max);
	rpc_break(stream, &err);
}

/* Groups of four characters, each of which may end in padding. */
static void collect_base64(struct recode *recode, struct str text) {
	while (text.len > 0 && !recode->stream->broken) {
		recode->quad[recode->quad_len++] = text.ptr[0];
		text = str_from_offset(text, 1);
		if (recode->quad_len < QUAD)
			continue;
		char bytes[QUAD + 3];
		size_t len;
		recode->quad_len = 0;
		if (base64_decode(bytes, &len, str_new(recode->quad, QUAD))) {
			collect_all(recode, str_new(bytes, len));
		} else {
			struct error err;
			error_set(&err, CODE_INVALID_ARGUMENT, "the body is not base 64");
			rpc_break(recode->stream, &err);
		}
	}
}

/* One step goes as far as the next message at most, so that what follows can wait. */
static void process(struct recode *recode, struct str bytes) {
	struct rpc_stream *stream = recode->stream;
	while (bytes.len > 0 && !stream->broken) {
		if (recode->owed >= OWED_MAX) {
			/* The peer can have sent no more than its window. */
			int over = buf_append(&recode->held, bytes);
			ASSERT(over == 0);
			return;
		}
		size_t size = MIN(bytes.len, (size_t)(16 << 10));
		struct str piece = str_new(bytes.ptr, size);
		http_stream_consume(&stream->http, size);
		if (stream->codec->is_plain)
			collect_plain(recode, piece);
		else if (recode->options.base64)
			collect_base64(recode, piece);
		else
			collect_all(recode, piece);
		bytes = str_from_offset(bytes, size);
	}
	if (bytes.len > 0)
		http_stream_consume(&stream->http, bytes.len);
}

void recode_receive(struct recode *recode, struct str bytes) {
	if (buf_len(&recode->held) == 0) {
		process(recode, bytes);
	} else {
		int over = buf_append(&recode->held, bytes);
		ASSERT(over == 0);
	}
}

void recode_receive_elsewhere(struct recode *recode, struct str message) {
	collect_plain(recode, message);
}

static bool is_cut_short(const struct recode *recode) {
	return recode->collecting || recode->quad_len > 0 || recode->stream->prefix.len > 0;
}

void recode_receive_end(struct recode *recode) {
	struct rpc_stream *stream = recode->stream;
	struct error err;
	if (buf_len(&recode->held) > 0) {
		recode->held_end = true;
		return;
	}
	if (recode->keep_body)
		return;
	if (stream->codec->is_plain) {
		recode->compressed = recode->options.gzip_receive;
		if (turn(recode, &err) < 0) {
			rpc_break(stream, &err);
			return;
		}
		buf_deinit(&recode->message);
	} else if (is_cut_short(recode)) {
		if (stream->is_client && stream->codec->read_status(stream) && stream->status != CODE_OK)
			return; /* the peer said more than we could */
		error_set(&err, stream->is_client ? CODE_INTERNAL : CODE_INVALID_ARGUMENT, "the message was cut short");
		rpc_break(stream, &err);
		return;
	}
	if (!stream->is_client && !stream->broken)
		stream->events->end(stream);
}

bool recode_is_within_message(const struct recode *recode) {
	if (buf_len(&recode->held) > 0)
		return false; /* it waits for us */
	return recode->stream->codec->is_plain ? !recode->stream->http.received_end : is_cut_short(recode);
}

void recode_consume(struct recode *recode, size_t size) {
	recode->owed -= MIN(size, recode->owed);
	if (recode->owed < OWED_MAX && buf_len(&recode->held) > 0)
		loop_mark_dirty(recode->stream->loop, &recode->resume);
}

struct str recode_collected(struct recode *recode) {
	return buf_view(&recode->message);
}

void recode_keep_body(struct recode *recode) {
	recode->keep_body = true;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void write_body(struct recode *recode, struct str bytes) {
	struct http_stream *http = &recode->stream->http;
	if (!recode->options.base64) {
		http_stream_write(http, bytes);
		return;
	}
	char *text = mem_alloc(base64_size(bytes.len) + 1);
	http_stream_write(http, str_new(text, base64_encode(text, bytes, BASE64_PADDED)));
	free(text);
}

void recode_send_frame(struct recode *recode, unsigned char flags, struct str bytes) {
	/* In one piece, for in base 64 each piece is padded. */
	struct buf frame = BUF_INIT(RPC_PREFIX_SIZE + bytes.len);
	const unsigned char prefix[RPC_PREFIX_SIZE] = {flags, (unsigned char)(bytes.len >> 24),
						       (unsigned char)(bytes.len >> 16),
						       (unsigned char)(bytes.len >> 8), (unsigned char)bytes.len};
	int over = buf_append(&frame, str_new(prefix, sizeof prefix)) | buf_append(&frame, bytes);
	ASSERT(over == 0);
	write_body(recode, buf_view(&frame));
	buf_deinit(&frame);
}

/* A message becomes larger as JSON. What does not fit beside what is unsent is our error to the caller. */
static size_t room_to_send(const struct recode *recode) {
	size_t room = buf_room(&recode->stream->http.unsent);
	room = room > LAST_ROOM ? room - LAST_ROOM : 0;
	return recode->options.base64 ? room / 4 * 3 : room;
}

static int turn_to_send(struct recode *recode, struct error *err) {
	struct str message = buf_view(&recode->sending);
	size_t room = room_to_send(recode);
	struct buf text, compressed;
	int failed = 0;
	buf_init_counted(&text, room, recode->sending.budget);
	buf_init_counted(&compressed, room, recode->sending.budget);
	if (recode->options.send != NULL) {
		failed = json_from_pb(recode->options.types, recode->options.send, message, &text, err);
		message = buf_view(&text);
	}
	bool gzip = recode->options.gzip_send && message.len > 0;
	if (!failed && gzip) {
		failed = gzip_compress(message, &compressed, err);
		message = buf_view(&compressed);
	}
	if (!failed && message.len > room)
		failed = error_set(err, CODE_RESOURCE_EXHAUSTED, "the message has %zu bytes; there is room for %zu",
				   message.len, room);
	if (!failed)
		failed = rpc_check_held(recode->stream, message.len, err);
	if (!failed && recode->stream->codec->is_plain) {
		recode->plain_gzip = gzip;
		recode->plain.max = room;
		failed = buf_append(&recode->plain, message);
	} else if (!failed) {
		recode_send_frame(recode, gzip ? FLAG_COMPRESSED : 0, message);
	}
	buf_deinit(&text);
	buf_deinit(&compressed);
	return failed;
}

/* The answer is told by recode_settle. */
static void fail_sending(struct recode *recode, const struct error *err) {
	recode->sending_failed = true;
	recode->why = *err;
	buf_deinit(&recode->sending);
	if (recode->stream->is_client)
		rpc_cancel(recode->stream, err->code, err->msg);
}

static void finish_message(struct recode *recode) {
	struct rpc_stream *stream = recode->stream;
	struct error err = {.code = CODE_INTERNAL,
			    .msg = "the call has more than one message, and Connect's unary form has one"};
	bool second = stream->codec->is_plain && buf_len(&recode->plain) > 0;
	if (!recode->sending_failed && (second || turn_to_send(recode, &err) < 0))
		fail_sending(recode, &err);
	buf_deinit(&recode->sending);
}

void recode_begin(struct recode *recode, size_t size) {
	recode->sending.max = size;
	if (size == 0)
		finish_message(recode);
}

void recode_write(struct recode *recode, struct str bytes) {
	struct error err;
	if (!recode->sending_failed) {
		int over = buf_append(&recode->sending, bytes);
		ASSERT(over == 0);
		if (rpc_check_held(recode->stream, buf_len(&recode->sending), &err) < 0)
			fail_sending(recode, &err);
	}
	if (recode->stream->write_left == 0 && bytes.len > 0)
		finish_message(recode);
}

void recode_settle(struct recode *recode) {
	if (recode->sending_failed)
		rpc_set_status(recode->stream,
			       recode->why.code == CODE_RESOURCE_EXHAUSTED ? CODE_RESOURCE_EXHAUSTED : CODE_INTERNAL,
			       str_from(recode->why.msg));
}

struct str recode_plain_message(struct recode *recode, bool *ret_gzip) {
	*ret_gzip = recode->plain_gzip;
	return buf_view(&recode->plain);
}
