/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client under test of connectrpc/conformance: makes the calls that it reads from standard input, several at a
 * time, and writes the result of each to standard output.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "common.h"
#include "net/tls.h"
#include "pb/wire.h"
#include "rpc/channel.h"

/* Few calls at once, as some cases have short deadlines. */
enum { CALL_MAX = MIB(64), MESSAGES_MAX = 1000, CALLS_AT_ONCE = 8 };

/* Field numbers of ClientCompatRequest, Cancel and StreamType. */
enum {
	TEST_NAME = 1, HTTP_VERSION = 2, PROTOCOL = 3, CODEC = 4, COMPRESSION = 5, HOST = 6, PORT = 7, SERVER_CERT = 8,
	CLIENT_CREDS = 9, RECEIVE_LIMIT = 10, SERVICE = 11, METHOD = 12, STREAM_TYPE = 13, USE_GET = 14, HEADERS = 15,
	MESSAGES = 16, TIMEOUT_MS = 17, DELAY_MS = 18, CANCEL = 19,
	CANCEL_BEFORE_CLOSE = 1, CANCEL_AFTER_CLOSE_MS = 2, CANCEL_AFTER_RESPONSES = 3,
	FULL_DUPLEX = 5, UNARY = 1, CLIENT_STREAM = 2,
};

struct call {
	struct str request; /* ClientCompatRequest */
	struct arena arena;
	struct rpc_channel *channel;
	struct rpc_stream *stream;
	struct timer timer; /* before the next message, or before the cancellation */
	struct str messages[MESSAGES_MAX];
	size_t message_count, sent, received;
	struct buf incoming, payloads;
	bool has_waited, half_closed, canceled;
};

static struct loop loop;
static size_t calls;
static struct timer next; /* starts calls that wait */
static bool input_ended;

static uint64_t number(const struct call *call, unsigned field) {
	return field_number(call->request, field);
}

static struct str bytes(const struct call *call, unsigned field) {
	return field_bytes(call->request, field);
}

static struct str cancel_of(const struct call *call) {
	return bytes(call, CANCEL);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void cancel(struct call *call) {
	call->canceled = true;
	rpc_cancel(call->stream, CODE_CANCELLED, "canceled");
}

static void half_close(struct call *call) {
	call->half_closed = true;
	if (has_field(cancel_of(call), CANCEL_BEFORE_CLOSE)) {
		cancel(call);
		return;
	}
	rpc_half_close(call->stream);
	if (has_field(cancel_of(call), CANCEL_AFTER_CLOSE_MS))
		timer_start(&loop, &call->timer, field_number(cancel_of(call), CANCEL_AFTER_CLOSE_MS));
}

static void send_due(struct call *call) {
	bool alternates = number(call, STREAM_TYPE) == FULL_DUPLEX;
	while (call->stream != NULL && !rpc_has_ended(call->stream) && !call->half_closed) {
		if (call->sent == call->message_count) {
			if (!alternates || call->received >= call->sent)
				half_close(call);
			return;
		}
		if (alternates && call->received < call->sent)
			return;
		if (number(call, DELAY_MS) > 0 && !call->has_waited) {
			timer_start(&loop, &call->timer, number(call, DELAY_MS));
			return;
		}
		call->has_waited = false;
		rpc_send(call->stream, call->messages[call->sent++]);
	}
}

static void on_timer(struct timer *timer) {
	struct call *call = CONTAINER_OF(timer, struct call, timer);
	if (call->half_closed) {
		cancel(call);
		return;
	}
	call->has_waited = true;
	send_due(call);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void take_response(struct call *call) {
	must(wire_put_bytes(&call->payloads, 2, field_bytes(buf_view(&call->incoming), 1)));
	buf_clear(&call->incoming);
	call->received++;
	if (has_field(cancel_of(call), CANCEL_AFTER_RESPONSES) &&
	    field_number(cancel_of(call), CANCEL_AFTER_RESPONSES) == call->received)
		cancel(call);
	else
		send_due(call);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct call *call = stream->owner;
	bool single = number(call, STREAM_TYPE) == UNARY || number(call, STREAM_TYPE) == CLIENT_STREAM;
	if (single && call->received == 1)
		rpc_cancel(stream, CODE_UNIMPLEMENTED, "the peer answered with more than one message");
	else if (size == 0)
		take_response(call);
}

static void on_data(struct rpc_stream *stream, struct str data) {
	struct call *call = stream->owner;
	must(buf_append(&call->incoming, data));
	rpc_consume(stream, data.len);
	if (stream->message_left == 0)
		take_response(call);
}

static void put_error(struct buf *result, const struct rpc_stream *stream) {
	size_t offset = buf_len(result);
	must(wire_put_tag(result, 1, WIRE_VARINT) | wire_put_varint(result, stream->status) |
	     wire_put_bytes(result, 2, stream->status_text));
	for (size_t i = 0; i < stream->details.count; i++)
		put_any(result, 3, stream->details.items[i].type, stream->details.items[i].value);
	must(wire_wrap(result, offset, 3));
}

static void write_result(struct call *call, const struct rpc_stream *stream) {
	struct buf result = BUF_INIT(CALL_MAX), answer = BUF_INIT(CALL_MAX);
	/* A response of headers only has its trailers among the headers. */
	bool trailers_only = http_headers_find(&stream->http.received, STR("grpc-status")) != NULL;
	bool single = number(call, STREAM_TYPE) == UNARY || number(call, STREAM_TYPE) == CLIENT_STREAM;
	put_header_fields(&result, 1, &stream->http.received);
	if (!single || stream->status == CODE_OK)
		must(buf_append(&result, buf_view(&call->payloads)));
	if (stream->status != CODE_OK)
		put_error(&result, stream);
	put_header_fields(&result, 4, trailers_only ? &stream->http.received : &stream->http.trailers);
	if (call->sent < call->message_count)
		must(wire_put_tag(&result, 5, WIRE_VARINT) |
		     wire_put_varint(&result, call->message_count - call->sent));
	if (stream->http.status > 0)
		must(wire_put_tag(&result, 6, WIRE_VARINT) | wire_put_varint(&result, stream->http.status));
	must(wire_put_bytes(&answer, TEST_NAME, bytes(call, TEST_NAME)) |
	     wire_put_bytes(&answer, 2, buf_view(&result)));
	write_frame(STDOUT_FILENO, buf_view(&answer));
	buf_deinit(&result);
	buf_deinit(&answer);
}

static void on_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	bool single = number(call, STREAM_TYPE) == UNARY || number(call, STREAM_TYPE) == CLIENT_STREAM;
	if (single && stream->status == CODE_OK && call->received == 0)
		rpc_set_status(stream, CODE_UNIMPLEMENTED, STR("the peer answered OK without a message"));
	timer_stop(&loop, &call->timer);
	write_result(call, stream);
	rpc_channel_close(call->channel);
	buf_deinit(&call->incoming);
	buf_deinit(&call->payloads);
	arena_deinit(&call->arena);
	free(call);
	calls--;
	timer_start(&loop, &next, 0);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .closed = on_closed};

/* --- calls -------------------------------------------------------------------------------------------------------- */

static const char *file_of(struct str content) {
	return content.len > 0 ? temporary_file(content) : NULL;
}

static struct tls_config *make_tls(const struct call *call) {
	struct error err;
	struct str creds = bytes(call, CLIENT_CREDS);
	struct tls_options options = {
		.cert_file = file_of(field_bytes(creds, 1)),
		.key_file = file_of(field_bytes(creds, 2)),
		.ca_file = file_of(bytes(call, SERVER_CERT)),
		.http1_only = number(call, HTTP_VERSION) == 1,
	};
	struct tls_config *tls = tls_config_new(false, &options, &err);
	if (tls == NULL) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	return tls;
}

static struct rpc_channel *make_channel(struct call *call, const struct types *types) {
	struct rpc_channel_options options = rpc_channel_options_default;
	uint64_t protocol = number(call, PROTOCOL);
	struct endpoint endpoint;
	struct error err;
	options.types = types;
	options.protocol = protocol == 1 ? RPC_CONNECT : protocol == 2 ? RPC_GRPC : RPC_GRPC_WEB;
	options.json = number(call, CODEC) == 2;
	options.gzip = number(call, COMPRESSION) == 2;
	options.get = number(call, USE_GET) != 0;
	options.http1 = number(call, HTTP_VERSION) == 1;
	if (number(call, RECEIVE_LIMIT) > 0)
		options.message_max = number(call, RECEIVE_LIMIT);
	bool tls = bytes(call, SERVER_CERT).len > 0;
	if (tls)
		options.tls = make_tls(call);
	const char *text = arena_printf(&call->arena, "%s://%.*s:%u", tls ? "https" : "http",
					STR_ARG(bytes(call, HOST)), (unsigned)number(call, PORT));
	must(endpoint_parse(str_from(text), &endpoint, &err));
	struct rpc_channel *channel = rpc_channel_new(&loop, &endpoint, &options);
	tls_config_unref(options.tls);
	return channel;
}

static void start_call(struct str request) {
	static struct types *types;
	struct call *call = mem_zalloc(sizeof *call);
	struct wire_field field;
	if (types == NULL)
		types = conformance_types_new();
	calls++;
	arena_init(&call->arena, CALL_MAX);
	buf_init(&call->incoming, CALL_MAX);
	buf_init(&call->payloads, CALL_MAX);
	call->timer.fire = on_timer;
	call->request = arena_copy(&call->arena, request);
	for (struct str rest = call->request; wire_take(&rest, &field);)
		if (field.number == MESSAGES)
			call->messages[call->message_count++] = field_bytes(field.bytes, 2);
	struct http_headers headers = {0};
	add_header_fields(&headers, &call->arena, call->request, HEADERS);
	call->channel = make_channel(call, types);
	const char *path =
		arena_printf(&call->arena, "/%.*s/%.*s", STR_ARG(bytes(call, SERVICE)), STR_ARG(bytes(call, METHOD)));
	call->stream = rpc_call(call->channel, &(struct rpc_call_options){.path = str_from(path),
									  .headers = &headers,
									  .timeout_ms = number(call, TIMEOUT_MS),
									  .events = &events,
									  .owner = call});
	send_due(call);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static struct buf input = {.max = CALL_MAX};

static void on_alloc(uv_handle_t *handle UNUSED, size_t suggested, uv_buf_t *ret_buffer) {
	*ret_buffer = uv_buf_init(mem_alloc(suggested), (unsigned)suggested);
}

static void start_calls(void) {
	while (buf_len(&input) >= 4 && calls < CALLS_AT_ONCE) {
		const unsigned char *length = (const unsigned char *)buf_view(&input).ptr;
		size_t size = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
		if (buf_len(&input) < 4 + size)
			break;
		start_call(str_new(length + 4, size));
		buf_consume(&input, 4 + size);
	}
	if (input_ended && calls == 0)
		loop_stop(&loop);
}

static void on_next(struct timer *timer UNUSED) {
	start_calls();
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
	if (got > 0)
		must(buf_append(&input, str_new(buffer->base, (size_t)got)));
	free(buffer->base);
	if (got < 0) {
		input_ended = true;
		uv_read_stop(stream);
	}
	start_calls();
}

int main(void) {
	uv_pipe_t standard_input;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_INFO, "client");
	next.fire = on_next;
	loop_init(&loop);
	uv_pipe_init(&loop.uv, &standard_input, 0);
	must(uv_pipe_open(&standard_input, STDIN_FILENO));
	uv_read_start((uv_stream_t *)&standard_input, on_alloc, on_input);
	loop_run(&loop);
	return 0;
}
