/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/whole.h"

static void take(struct rpc_whole *whole) {
	whole->message(whole, buf_view(&whole->incoming));
	buf_clear(&whole->incoming);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	if (size == 0)
		take(stream->owner);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct rpc_whole *whole = stream->owner;
	int over = buf_append(&whole->incoming, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
	struct error err;
	if (rpc_check_held(stream, buf_len(&whole->incoming), &err) < 0) {
		rpc_break(stream, &err);
		buf_deinit(&whole->incoming); /* room for others at once */
	} else if (stream->message_left == 0)
		take(whole);
}

static void on_end(struct rpc_stream *stream) {
	struct rpc_whole *whole = stream->owner;
	whole->end(whole);
}

static void on_closed(struct rpc_stream *stream) {
	struct rpc_whole *whole = stream->owner;
	buf_deinit(&whole->incoming);
	whole->closed(whole);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .end = on_end, .closed = on_closed};

void rpc_whole_start(struct rpc_whole *whole, struct rpc_stream *stream, size_t max) {
	whole->stream = stream;
	stream->message_max = MIN(stream->message_max, max);
	buf_init_counted(&whole->incoming, stream->message_max, &stream->loop->held);
	stream->owner = whole;
	stream->events = &events;
}
