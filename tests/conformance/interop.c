/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's interoperability server, with health and reflection, for gRPC's own clients: interop --bind ENDPOINT.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "common.h"
#include "interop_types.h"
#include "net/listener.h"
#include "net/tls.h"
#include "pb/wire.h"
#include "rpc/health.h"
#include "rpc/message_reader.h"
#include "rpc/reflection.h"

enum { REQUEST_MAX = MIB(16), RESPONSES_MAX = 10000 };

/* Field numbers. */
enum { RESPONSE_SIZE = 2, PARAMETERS = 2, STATUS = 7, FILL_SERVER_ID = 9, SERVER_ID = 4 };

enum kind { EMPTY, SIMPLE, STREAM_IN, STREAM_OUT };

struct response {
	uint32_t size, delay_us;
};

struct call {
	struct message_reader reader;
	struct timer timer;
	enum kind kind;
	struct arena arena;
	struct response responses[RESPONSES_MAX];
	size_t response_count, sent;
	uint64_t aggregated;
	enum code code;
	const char *text;
	bool ended, waiting, waited, tells_id;
};

static struct {
	struct loop loop;
	struct rpc_server *rpc;
	struct listener listener;
} server;

static void send_payload(struct call *call, size_t size) {
	char *zeros = mem_zalloc(size + 1);
	struct buf message = BUF_INIT(size + 64);
	must(wire_put_bytes(&message, 2, str_new(zeros, size)) | wire_wrap(&message, 0, 1));
	if (call->tells_id)
		must(wire_put_bytes(&message, SERVER_ID, STR("one")));
	rpc_send(call->reader.stream, buf_view(&message));
	buf_deinit(&message);
	free(zeros);
}

static void send_single(struct call *call) {
	struct buf message = BUF_INIT(64);
	if (call->kind == SIMPLE && call->response_count > 0) {
		send_payload(call, call->responses[0].size);
		return;
	}
	if (call->kind == STREAM_IN)
		must(wire_put_tag(&message, 1, WIRE_VARINT) | wire_put_varint(&message, call->aggregated));
	rpc_send(call->reader.stream, buf_view(&message));
	buf_deinit(&message);
}

static void step(struct call *call) {
	struct rpc_stream *stream = call->reader.stream;
	if (call->waiting || rpc_has_ended(stream))
		return;
	while (call->kind == STREAM_OUT && call->sent < call->response_count) {
		struct response *response = &call->responses[call->sent];
		if (response->delay_us > 0 && !call->waited) {
			call->waiting = true;
			timer_start(&server.loop, &call->timer, (response->delay_us + 999) / 1000);
			return;
		}
		call->waited = false;
		call->sent++;
		send_payload(call, response->size);
	}
	if (call->code != CODE_OK) {
		rpc_finish(stream, call->code, call->text);
	} else if (call->ended) {
		if (call->kind != STREAM_OUT)
			send_single(call);
		rpc_finish(stream, CODE_OK, "");
	}
}

static void on_timer(struct timer *timer) {
	struct call *call = CONTAINER_OF(timer, struct call, timer);
	call->waiting = false;
	call->waited = true;
	step(call);
}

static void add_response(struct call *call, uint64_t size, uint64_t delay_us) {
	if (call->response_count < RESPONSES_MAX && size < REQUEST_MAX)
		call->responses[call->response_count++] = (struct response){(uint32_t)size, (uint32_t)delay_us};
}

static void on_message(struct message_reader *reader, struct str bytes) {
	struct call *call = CONTAINER_OF(reader, struct call, reader);
	struct wire_field field;
	if (call->kind == STREAM_IN)
		call->aggregated += field_bytes(field_bytes(bytes, 1), 2).len;
	call->tells_id = call->kind == SIMPLE && field_number(bytes, FILL_SERVER_ID) != 0;
	if (call->kind == SIMPLE)
		add_response(call, field_number(bytes, RESPONSE_SIZE), 0);
	for (struct str rest = bytes; call->kind == STREAM_OUT && wire_take(&rest, &field);)
		if (field.number == PARAMETERS)
			add_response(call, field_number(field.bytes, 1), field_number(field.bytes, 2));
	if (call->kind != EMPTY && call->kind != STREAM_IN && has_field(bytes, STATUS)) {
		struct str status = field_bytes(bytes, STATUS);
		call->code = code_from_number((long)field_number(status, 1));
		call->text = arena_strdup(&call->arena, field_bytes(status, 2));
	}
	step(call);
}

static void on_end(struct message_reader *reader) {
	struct call *call = CONTAINER_OF(reader, struct call, reader);
	call->ended = true;
	step(call);
}

static void on_closed(struct message_reader *reader) {
	struct call *call = CONTAINER_OF(reader, struct call, reader);
	timer_stop(&server.loop, &call->timer);
	arena_deinit(&call->arena);
	free(call);
}

static void echo_metadata(struct rpc_stream *stream) {
	static const struct str initial = STR_INIT("x-grpc-test-echo-initial"),
				trailing = STR_INIT("x-grpc-test-echo-trailing-bin");
	struct arena *arena = &stream->http.arena;
	struct str value = http_headers_get(&stream->http.received, initial);
	if (value.ptr != NULL)
		http_headers_add(&stream->response_headers, arena, initial, value);
	value = http_headers_get(&stream->http.received, trailing);
	if (value.ptr != NULL)
		http_headers_add(&stream->http.send_trailers, arena, trailing, value);
}

static void start(struct rpc_stream *stream, enum kind kind) {
	struct call *call = mem_zalloc(sizeof *call);
	call->kind = kind;
	call->timer.fire = on_timer;
	arena_init(&call->arena, REQUEST_MAX);
	call->reader.message = on_message;
	call->reader.end = on_end;
	call->reader.closed = on_closed;
	echo_metadata(stream);
	message_reader_start(&call->reader, stream, REQUEST_MAX);
}

static void start_empty(struct rpc_stream *stream) {
	start(stream, EMPTY);
}

static void start_simple(struct rpc_stream *stream) {
	start(stream, SIMPLE);
}

static void start_in(struct rpc_stream *stream) {
	start(stream, STREAM_IN);
}

static void start_out(struct rpc_stream *stream) {
	start(stream, STREAM_OUT);
}

static const struct rpc_method methods[] = {
	{.path = "/grpc.testing.TestService/EmptyCall", .start = start_empty},
	{.path = "/grpc.testing.TestService/UnaryCall", .start = start_simple},
	{.path = "/grpc.testing.TestService/CacheableUnaryCall", .start = start_simple},
	{.path = "/grpc.testing.TestService/StreamingInputCall", .start = start_in},
	{.path = "/grpc.testing.TestService/StreamingOutputCall", .start = start_out},
	{.path = "/grpc.testing.TestService/FullDuplexCall", .start = start_out},
	{.path = "/grpc.testing.TestService/HalfDuplexCall", .start = start_out},
};

static void on_accept(struct listener *listener UNUSED, int fd) {
	rpc_server_accept(server.rpc, fd, false);
}

static void stop_if(int failed, const struct error *err) {
	if (!failed)
		return;
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

int main(int argc, char **argv) {
	struct rpc_server_options options = rpc_server_options_default;
	struct tls_options tls = {0};
	const char *bind = "http://127.0.0.1:0";
	struct endpoint endpoint;
	struct types *types;
	struct error err;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_INFO, "interop");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--bind") == 0)
			bind = argv[i + 1];
		else if (strcmp(argv[i], "--cert") == 0)
			tls.cert_file = argv[i + 1];
		else if (strcmp(argv[i], "--key") == 0)
			tls.key_file = argv[i + 1];
	}
	const struct str sets[] = {interop_types, rpc_own_descriptors};
	stop_if(types_new(sets, ARRAY_LEN(sets), &types, &err), &err);
	options.types = types;
	if (tls.cert_file != NULL)
		stop_if((options.tls = tls_config_new(true, &tls, &err)) == NULL, &err);
	loop_init(&server.loop);
	server.rpc = rpc_server_new(&server.loop, &options);
	rpc_server_add(server.rpc, methods, ARRAY_LEN(methods), NULL);
	struct rpc_health *health = rpc_health_new(server.rpc);
	rpc_health_set(health, STR("grpc.testing.TestService"), true);
	rpc_reflection_new(server.rpc, types);
	stop_if(endpoint_parse(str_from(bind), &endpoint, &err), &err);
	stop_if(listener_open(&server.listener, &server.loop, &endpoint, on_accept, NULL, &err), &err);
	printf("%u\n", server.listener.endpoint.port);
	fflush(stdout);
	loop_run(&server.loop);
	return 0;
}
