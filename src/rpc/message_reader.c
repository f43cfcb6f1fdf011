/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/message_reader.h"

static void take(struct message_reader *reader) {
	reader->message(reader, buf_view(&reader->incoming));
	buf_clear(&reader->incoming);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	if (size == 0)
		take(stream->owner);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct message_reader *reader = stream->owner;
	int over = buf_append(&reader->incoming, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
	struct error err;
	if (rpc_check_held(stream, buf_len(&reader->incoming), &err) < 0) {
		rpc_break(stream, &err);
		buf_deinit(&reader->incoming); /* frees the memory for other streams at once */
	} else if (stream->message_left == 0)
		take(reader);
}

static void on_end(struct rpc_stream *stream) {
	struct message_reader *reader = stream->owner;
	reader->end(reader);
}

static void on_closed(struct rpc_stream *stream) {
	struct message_reader *reader = stream->owner;
	buf_deinit(&reader->incoming);
	reader->closed(reader);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .end = on_end, .closed = on_closed};

void message_reader_start(struct message_reader *reader, struct rpc_stream *stream, size_t max) {
	reader->stream = stream;
	stream->message_max = MIN(stream->message_max, max);
	buf_init_counted(&reader->incoming, stream->message_max, &stream->loop->held);
	stream->owner = reader;
	stream->events = &events;
}
