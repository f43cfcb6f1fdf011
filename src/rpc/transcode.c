/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  wire ──(base64)──▶ prefix, message ──(gzip)──▶ ──(JSON)──▶ the stream's owner
 *   └──▶ held, while the owner has a window or more that it has not consumed
 */
#include "rpc/transcode.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "pb/json.h"
#include "rpc/gzip.h"

enum {
	LAST_MAX = KIB(64), /* a received frame of trailers, or the body of an error */
	LAST_ROOM = KIB(256), /* reserved for our own frame of trailers behind unsent messages: escaped, in base64 */
	OWED_MAX = HTTP_WINDOW_DEFAULT, /* lent to the owner; past it, messages wait in held */
	PIECE = KIB(16), /* consumed from the window at a time */
	QUAD = 4,
};

struct transcoder {
	struct rpc_stream *stream;
	struct transcode_options options;

	struct buf message; /* as on the wire, being collected */
	size_t left; /* bytes of it that are still to come */
	bool collecting;
	enum rpc_frame frame;
	bool compressed;
	bool keep_body;
	char quad[QUAD]; /* the start of a group of base64 */
	size_t quad_len;

	size_t owed; /* lent to the owner and not consumed */
	struct buf held;
	bool held_end;
	struct flushable resume;

	struct buf sending; /* the owner's message, being collected */
	struct buf plain; /* the converted message, which becomes the body */
	bool plain_gzip;
	bool sending_failed;
	struct error why; /* of sending_failed */
};

static void process(struct transcoder *transcoder, struct str bytes);

/* Methods that only pass messages on allow any size, but a message that is converted is held. */
static size_t message_max(const struct transcoder *transcoder) {
	return MIN(transcoder->stream->message_max, RPC_MESSAGE_MAX_DEFAULT);
}

static void on_resume(struct flushable *flushable) {
	struct transcoder *transcoder = CONTAINER_OF(flushable, struct transcoder, resume);
	struct buf held = transcoder->held;
	buf_init_counted(&transcoder->held, held.max, held.budget);
	process(transcoder, buf_view(&held));
	buf_deinit(&held);
	if (transcoder->held_end && buf_len(&transcoder->held) == 0 && !rpc_has_ended(transcoder->stream)) {
		transcoder->held_end = false;
		transcode_receive_end(transcoder->stream);
	}
}

void transcode_start(struct rpc_stream *stream, const struct transcode_options *options) {
	if (stream->transcoder == NULL) {
		struct transcoder *transcoder = mem_zalloc(sizeof *transcoder);
		transcoder->stream = stream;
		buf_init_counted(&transcoder->held, MIB(64), &stream->loop->held);
		buf_init_counted(&transcoder->message, 0, &stream->loop->held);
		buf_init_counted(&transcoder->sending, 0, &stream->loop->held);
		buf_init_counted(&transcoder->plain, 0, &stream->loop->held);
		flushable_init(&transcoder->resume, on_resume);
		stream->transcoder = transcoder;
	}
	stream->transcoder->options = *options;
}

void transcode_release(struct rpc_stream *stream) {
	struct transcoder *transcoder = stream->transcoder;
	if (transcoder == NULL)
		return;
	stream->transcoder = NULL;
	flushable_deinit(&transcoder->resume);
	buf_deinit(&transcoder->message);
	buf_deinit(&transcoder->held);
	buf_deinit(&transcoder->sending);
	buf_deinit(&transcoder->plain);
	free(transcoder);
}

struct transcode_options *transcode_options(struct transcoder *transcoder) {
	return &transcoder->options;
}

bool transcode_is_json(const struct rpc_stream *stream) {
	return stream->transcoder != NULL && stream->transcoder->options.send != NULL;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void deliver(struct transcoder *transcoder, struct str message) {
	struct rpc_stream *stream = transcoder->stream;
	rpc_deliver_begin(stream, message.len);
	if (rpc_has_ended(stream) || message.len == 0)
		return;
	transcoder->owed += message.len;
	rpc_deliver(stream, message);
}

/* Converts the collected message to uncompressed protobuf and passes it on. */
static int convert_received(struct transcoder *transcoder, struct error *err) {
	struct buf_budget *held = &transcoder->stream->loop->held;
	struct str message = buf_view(&transcoder->message);
	struct buf expanded, packed;
	int failed = 0;
	buf_init_counted(&expanded, message_max(transcoder), held);
	buf_init_counted(&packed, message_max(transcoder), held);
	if (transcoder->compressed && message.len > 0) {
		failed = gzip_expand(message, &expanded, err);
		message = buf_view(&expanded);
	}
	if (!failed && transcoder->options.shape != NULL) {
		failed = transcoder->options.shape->read(transcoder->stream, message, &packed, err);
		message = buf_view(&packed);
	} else if (!failed && transcoder->options.receive != NULL) {
		failed = json_to_pb(transcoder->options.types, transcoder->options.receive, message, &packed, err);
		message = buf_view(&packed);
	}
	/* The owner may have to hold the message in turn. */
	if (!failed)
		failed = rpc_check_held(transcoder->stream, message.len, err);
	if (!failed)
		deliver(transcoder, message);
	buf_deinit(&expanded);
	buf_deinit(&packed);
	return failed;
}

static void finish_frame(struct transcoder *transcoder) {
	struct rpc_stream *stream = transcoder->stream;
	struct error err;
	transcoder->collecting = false;
	if (transcoder->frame == RPC_FRAME_MESSAGE) {
		if (convert_received(transcoder, &err) < 0)
			rpc_break(stream, &err);
	} else if (transcoder->compressed) {
		struct buf expanded = BUF_INIT(LAST_MAX);
		if (gzip_expand(buf_view(&transcoder->message), &expanded, &err) < 0)
			rpc_break(stream, &err);
		else
			stream->codec->receive_last(stream, buf_view(&expanded));
		buf_deinit(&expanded);
	} else {
		stream->codec->receive_last(stream, buf_view(&transcoder->message));
	}
	buf_deinit(&transcoder->message);
}

static void begin_frame(struct transcoder *transcoder) {
	struct rpc_stream *stream = transcoder->stream;
	unsigned char flags = stream->prefix.bytes[0];
	uint32_t size = prefix_message_size(&stream->prefix);
	struct error err;
	stream->prefix.len = 0;
	transcoder->frame = stream->codec->frame(stream, flags & (unsigned char)~PREFIX_COMPRESSED);
	transcoder->compressed = flags & PREFIX_COMPRESSED;
	size_t max = transcoder->frame == RPC_FRAME_MESSAGE ? message_max(transcoder) : (size_t)LAST_MAX;
	if (transcoder->frame == RPC_FRAME_WRONG)
		error_set(&err, CODE_INTERNAL, "the message has the flags %u, which %s does not know", flags,
			  stream->codec->name);
	else if (transcoder->compressed && !transcoder->options.gzip_receive)
		error_set(&err, CODE_INTERNAL, "the message is marked as compressed, and the headers name no encoding");
	else if (size > max)
		error_set(&err, CODE_RESOURCE_EXHAUSTED, "the message has %u bytes; max-message is %zu", size, max);
	else {
		transcoder->message.max = size;
		transcoder->left = size;
		transcoder->collecting = true;
		if (size == 0)
			finish_frame(transcoder);
		return;
	}
	rpc_break(stream, &err);
}

/* Adds to the message that is being collected; its size has been checked. */
static void hold(struct transcoder *transcoder, struct str bytes) {
	struct error err;
	int over = buf_append(&transcoder->message, bytes);
	ASSERT(over == 0);
	if (rpc_check_held(transcoder->stream, buf_len(&transcoder->message), &err) < 0) {
		rpc_break(transcoder->stream, &err);
		buf_deinit(&transcoder->message); /* frees the memory for other streams at once */
	}
}

/* Takes the bytes of the current frame; returns the rest. */
static struct str collect(struct transcoder *transcoder, struct str bytes) {
	struct rpc_stream *stream = transcoder->stream;
	if (!transcoder->collecting) {
		size_t take = prefix_take(&stream->prefix, bytes);
		if (prefix_is_complete(&stream->prefix))
			begin_frame(transcoder);
		return str_from_offset(bytes, take);
	}
	size_t take = MIN(transcoder->left, bytes.len);
	hold(transcoder, str_new(bytes.ptr, take));
	transcoder->left -= take;
	if (transcoder->left == 0 && !rpc_has_ended(stream))
		finish_frame(transcoder);
	return str_from_offset(bytes, take);
}

static void collect_all(struct transcoder *transcoder, struct str bytes) {
	while (bytes.len > 0 && !rpc_has_ended(transcoder->stream))
		bytes = collect(transcoder, bytes);
}

/* The whole body is the message. */
static void collect_plain(struct transcoder *transcoder, struct str bytes) {
	struct rpc_stream *stream = transcoder->stream;
	struct error err;
	transcoder->message.max = transcoder->keep_body ? (size_t)LAST_MAX : message_max(transcoder);
	if (bytes.len <= buf_room(&transcoder->message)) {
		hold(transcoder, bytes);
		return;
	}
	error_set(&err, CODE_RESOURCE_EXHAUSTED, "the message has more than %zu bytes, which is max-message",
		  transcoder->message.max);
	rpc_break(stream, &err);
}

/* Decodes groups of four characters; each may end in padding. */
static void collect_base64(struct transcoder *transcoder, struct str text) {
	while (text.len > 0 && !rpc_has_ended(transcoder->stream)) {
		transcoder->quad[transcoder->quad_len++] = text.ptr[0];
		text = str_from_offset(text, 1);
		if (transcoder->quad_len < QUAD)
			continue;
		char bytes[QUAD + 3];
		size_t len;
		transcoder->quad_len = 0;
		if (base64_decode(bytes, &len, str_new(transcoder->quad, QUAD))) {
			collect_all(transcoder, str_new(bytes, len));
		} else {
			struct error err;
			error_set(&err, CODE_INVALID_ARGUMENT, "the body is not base64");
			rpc_break(transcoder->stream, &err);
		}
	}
}

/* Goes in pieces, so that bytes behind a message can wait for its owner. */
static void process(struct transcoder *transcoder, struct str bytes) {
	struct rpc_stream *stream = transcoder->stream;
	while (bytes.len > 0 && !rpc_has_ended(stream)) {
		if (transcoder->owed >= OWED_MAX) {
			/* The peer can have sent a window at most. */
			int over = buf_append(&transcoder->held, bytes);
			ASSERT(over == 0);
			return;
		}
		size_t size = MIN(bytes.len, (size_t)PIECE);
		struct str piece = str_new(bytes.ptr, size);
		http_stream_consume(&stream->http, size);
		if (stream->codec->is_plain)
			collect_plain(transcoder, piece);
		else if (transcoder->options.base64)
			collect_base64(transcoder, piece);
		else
			collect_all(transcoder, piece);
		bytes = str_from_offset(bytes, size);
	}
	if (bytes.len > 0)
		http_stream_consume(&stream->http, bytes.len);
}

void transcode_receive(struct rpc_stream *stream, struct str bytes) {
	struct transcoder *transcoder = stream->transcoder;
	if (buf_len(&transcoder->held) == 0) {
		process(transcoder, bytes);
	} else {
		int over = buf_append(&transcoder->held, bytes);
		ASSERT(over == 0);
	}
}

void transcode_receive_query(struct transcoder *transcoder, struct str message) {
	collect_plain(transcoder, message);
}

static bool is_cut_short(const struct transcoder *transcoder) {
	return transcoder->collecting || transcoder->quad_len > 0 || transcoder->stream->prefix.len > 0;
}

void transcode_receive_end(struct rpc_stream *stream) {
	struct transcoder *transcoder = stream->transcoder;
	struct error err;
	if (buf_len(&transcoder->held) > 0) {
		transcoder->held_end = true;
		return;
	}
	if (transcoder->keep_body)
		return;
	if (stream->codec->is_plain) {
		transcoder->compressed = transcoder->options.gzip_receive;
		if (convert_received(transcoder, &err) < 0) {
			rpc_break(stream, &err);
			return;
		}
		buf_deinit(&transcoder->message);
	} else if (is_cut_short(transcoder)) {
		if (stream->is_client && stream->codec->read_status(stream) && stream->status != CODE_OK)
			return; /* the peer's own error says more */
		error_set(&err, stream->is_client ? CODE_INTERNAL : CODE_INVALID_ARGUMENT, "the message was cut short");
		rpc_break(stream, &err);
		return;
	}
	if (!stream->is_client && !rpc_has_ended(stream))
		stream->events->end(stream);
}

bool transcode_is_within_message(const struct transcoder *transcoder) {
	if (buf_len(&transcoder->held) > 0)
		return false; /* the message is complete and waits for our owner */
	return transcoder->stream->codec->is_plain ? !transcoder->stream->http.received_end : is_cut_short(transcoder);
}

void transcode_consume(struct rpc_stream *stream, size_t size) {
	struct transcoder *transcoder = stream->transcoder;
	transcoder->owed -= MIN(size, transcoder->owed);
	if (transcoder->owed < OWED_MAX && buf_len(&transcoder->held) > 0)
		loop_mark_dirty(stream->loop, &transcoder->resume);
}

struct str transcode_collected(struct transcoder *transcoder) {
	return buf_view(&transcoder->message);
}

void transcode_keep_body(struct transcoder *transcoder) {
	transcoder->keep_body = true;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void write_body(struct transcoder *transcoder, struct str bytes) {
	struct http_stream *http = &transcoder->stream->http;
	if (!transcoder->options.base64) {
		http_stream_write(http, bytes);
		return;
	}
	char *text = mem_alloc(base64_size(bytes.len) + 1);
	http_stream_write(http, str_new(text, base64_encode(text, bytes, BASE64_PADDED)));
	free(text);
}

void transcode_send_frame(struct transcoder *transcoder, unsigned char flags, struct str bytes) {
	/* In one piece, as each piece of base64 is padded. */
	struct buf frame = BUF_INIT(PREFIX_SIZE + bytes.len);
	unsigned char prefix[PREFIX_SIZE];
	prefix_write(prefix, flags, bytes.len);
	int over = buf_append(&frame, str_new(prefix, sizeof prefix)) | buf_append(&frame, bytes);
	ASSERT(over == 0);
	write_body(transcoder, buf_view(&frame));
	buf_deinit(&frame);
}

/* JSON is larger than protobuf: a message that does not fit behind what is unsent is an error. */
static size_t room_to_send(const struct transcoder *transcoder) {
	size_t room = buf_room(&transcoder->stream->http.unsent);
	room = room > LAST_ROOM ? room - LAST_ROOM : 0;
	return transcoder->options.base64 ? room / 4 * 3 : room;
}

static int convert_to_send(struct transcoder *transcoder, struct error *err) {
	struct str message = buf_view(&transcoder->sending);
	size_t room = room_to_send(transcoder);
	struct buf text, compressed;
	int failed = 0;
	buf_init_counted(&text, room, transcoder->sending.budget);
	buf_init_counted(&compressed, room, transcoder->sending.budget);
	if (transcoder->options.shape != NULL) {
		failed = transcoder->options.shape->write(transcoder->stream, message, &text, err);
		message = buf_view(&text);
	} else if (transcoder->options.send != NULL) {
		failed = json_from_pb(transcoder->options.types, transcoder->options.send, message, &text, err);
		message = buf_view(&text);
	}
	bool gzip = transcoder->options.gzip_send && message.len > 0;
	if (!failed && gzip) {
		failed = gzip_compress(message, &compressed, err);
		message = buf_view(&compressed);
	}
	if (!failed && message.len > room)
		failed = error_set(err, CODE_RESOURCE_EXHAUSTED, "the message has %zu bytes; there is room for %zu",
				   message.len, room);
	if (!failed)
		failed = rpc_check_held(transcoder->stream, message.len, err);
	if (!failed && transcoder->stream->codec->is_plain) {
		transcoder->plain_gzip = gzip;
		transcoder->plain.max = room;
		failed = buf_append(&transcoder->plain, message);
	} else if (!failed) {
		transcode_send_frame(transcoder, gzip ? PREFIX_COMPRESSED : 0, message);
	}
	buf_deinit(&text);
	buf_deinit(&compressed);
	return failed;
}

/* A server's call gets the error as its status in transcode_settle. */
static void fail_sending(struct transcoder *transcoder, const struct error *err) {
	transcoder->sending_failed = true;
	transcoder->why = *err;
	buf_deinit(&transcoder->sending);
	if (transcoder->stream->is_client)
		rpc_cancel(transcoder->stream, err->code, err->msg);
}

static void finish_message(struct transcoder *transcoder) {
	struct rpc_stream *stream = transcoder->stream;
	struct error err = {.code = CODE_INTERNAL,
			    .msg = "the call has more than one message, and Connect's unary form has one"};
	bool second = stream->codec->is_plain && buf_len(&transcoder->plain) > 0;
	if (!transcoder->sending_failed && (second || convert_to_send(transcoder, &err) < 0))
		fail_sending(transcoder, &err);
	buf_deinit(&transcoder->sending);
}

void transcode_begin(struct rpc_stream *stream, size_t size) {
	stream->transcoder->sending.max = size;
	if (size == 0)
		finish_message(stream->transcoder);
}

void transcode_write(struct rpc_stream *stream, struct str bytes) {
	struct transcoder *transcoder = stream->transcoder;
	struct error err;
	if (!transcoder->sending_failed) {
		int over = buf_append(&transcoder->sending, bytes);
		ASSERT(over == 0);
		if (rpc_check_held(stream, buf_len(&transcoder->sending), &err) < 0)
			fail_sending(transcoder, &err);
	}
	if (stream->write_left == 0 && bytes.len > 0)
		finish_message(transcoder);
}

void transcode_settle(struct rpc_stream *stream) {
	struct transcoder *transcoder = stream->transcoder;
	if (!transcoder->sending_failed)
		return;
	enum code code = transcoder->why.code;
	/* A message that is not what its type says is a fault on this side. */
	if (transcoder->options.shape == NULL && code != CODE_RESOURCE_EXHAUSTED)
		code = CODE_INTERNAL;
	rpc_set_status(stream, code, str_from(transcoder->why.msg));
}

struct str transcode_plain_message(struct transcoder *transcoder, bool *ret_gzip) {
	*ret_gzip = transcoder->plain_gzip;
	return buf_view(&transcoder->plain);
}
