/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client against our server in every protocol and encoding: what arrives is always the same protobuf.
 */
#include <signal.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "pb/wire.h"
#include "rpc/channel.h"
#include "rpc/message_reader.h"
#include "rpc/reflection.h"
#include "rpc/server.h"

/* HealthCheckRequest holds a text, HealthCheckResponse a number. */
#define METHOD "/grpc.health.v1.Health/Check"

static struct loop loop;
static struct timer limit;
static struct types *types;
static struct rpc_server *server;
static struct listener listener;
static struct buf sent; /* the request */
static bool timed_out, fails, has_reason;

static void on_limit(struct timer *timer UNUSED) {
	timed_out = true;
	loop_stop(&loop);
}

/* --- the server --------------------------------------------------------------------------------------------------- */

static void on_request(struct message_reader *reader UNUSED, struct str bytes) {
	if (!str_eq(bytes, buf_view(&sent)))
		fail_msg("%zu bytes became %zu", buf_len(&sent), bytes.len);
}

static void on_end(struct message_reader *reader) {
	if (fails) {
		struct error err;
		error_set(&err, CODE_ABORTED, "100%% \xC3\xBC");
		if (has_reason)
			error_set_reason(&err, "TOO_LATE");
		rpc_add_detail(reader->stream, STR("grpc.health.v1.HealthCheckResponse"), STR("\x08\x02"));
		rpc_fail(reader->stream, &err);
		return;
	}
	rpc_send(reader->stream, STR("\x08\x01"));
	rpc_finish(reader->stream, CODE_OK, "");
}

static void on_closed(struct message_reader *reader) {
	free(reader);
}

static void start(struct rpc_stream *stream) {
	struct message_reader *reader = mem_zalloc(sizeof *reader);
	reader->message = on_request;
	reader->end = on_end;
	reader->closed = on_closed;
	message_reader_start(reader, stream, MIB(4));
}

static const struct rpc_method methods[] = {{.path = METHOD, .start = start}};

static void on_accept(struct listener *from UNUSED, int fd) {
	rpc_server_accept(server, fd, false);
}

static int set_up(void **state UNUSED) {
	struct endpoint any;
	struct error err;
	loop_init(&loop);
	limit.fire = on_limit;
	timer_start(&loop, &limit, 60000);
	assert_int_equal(types_new(&rpc_own_descriptors, 1, &types, &err), 0);
	struct rpc_server_options options = rpc_server_options_default;
	options.types = types;
	server = rpc_server_new(&loop, &options);
	rpc_server_add(server, methods, 1, NULL);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(&listener, &loop, &any, on_accept, NULL, &err), 0);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&loop, &limit);
	rpc_server_close(server);
	listener_close(&listener);
	loop_run_out(&loop);
	loop_deinit(&loop);
	types_free(types);
	buf_deinit(&sent);
	return 0;
}

/* --- the client --------------------------------------------------------------------------------------------------- */

struct call {
	struct buf received;
	enum code status;
	struct error err; /* of status, unless it is OK */
	size_t details;
};

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	struct call *call = stream->owner;
	assert_int_equal(buf_append(&call->received, bytes), 0);
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	call->status = stream->status;
	call->details = stream->details.count;
	if (stream->status != CODE_OK)
		assert_int_equal(rpc_get_error(stream, &call->err), -1);
	loop_stop(&loop);
}

static const struct rpc_events call_events = {.message = call_message, .data = call_data, .closed = call_closed};

static void fill_request(size_t size) {
	char *text = mem_alloc(size + 1);
	for (size_t i = 0; i < size; i++)
		text[i] = "abc\"\\\n/+ "[i % 9];
	buf_deinit(&sent);
	buf_init(&sent, size + 16);
	assert_int_equal(size == 0 ? 0 : wire_put_bytes(&sent, 1, str_new(text, size)), 0);
	free(text);
}

/* Writes the request in pieces, as a relay does. */
static void send_request(struct rpc_stream *stream) {
	struct str rest = buf_view(&sent);
	rpc_begin(stream, rest.len);
	while (rest.len > 0) {
		struct str piece = str_new(rest.ptr, MIN(rest.len, (size_t)1000));
		rpc_write(stream, piece);
		rest = str_from_offset(rest, piece.len);
	}
	rpc_half_close(stream);
}

static void call_with(const struct rpc_channel_options *options) {
	struct rpc_channel *channel = rpc_channel_new(&loop, &listener.endpoint, options);
	struct call call = {.received = BUF_INIT(KIB(1))};
	send_request(rpc_call(channel, &(struct rpc_call_options){
					       .path = STR(METHOD), .events = &call_events, .owner = &call}));
	loop_run(&loop);
	assert_false(timed_out);
	assert_int_equal(call.status, fails ? CODE_ABORTED : CODE_OK);
	assert_int_equal(call.err.code, call.status);
	assert_string_equal(call.err.msg, fails ? "100% \xC3\xBC" : "");
	assert_string_equal(call.err.reason, has_reason ? "TOO_LATE" : "");
	assert_int_equal(call.details, fails + has_reason);
	assert_true(str_eq(buf_view(&call.received), fails ? STR("") : STR("\x08\x01")));
	buf_deinit(&call.received);
	rpc_channel_close(channel);
}

/* Calls in each protocol with each valid combination of options. */
static void call_every_way(void) {
	static const enum rpc_protocol protocols[] = {RPC_GRPC, RPC_GRPC_WEB, RPC_CONNECT};
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		for (unsigned bits = 0; bits < 16; bits++) {
			struct rpc_channel_options options = rpc_channel_options_default;
			options.protocol = protocols[i];
			options.types = types;
			options.json = bits & 1;
			options.gzip = bits & 2;
			options.http1 = bits & 4;
			options.base64 = bits & 8;
			/* gRPC needs HTTP/2; only gRPC-Web has the text form, and not for JSON. */
			bool exists = (protocols[i] != RPC_GRPC || !options.http1) &&
				      (!options.base64 || (protocols[i] == RPC_GRPC_WEB && !options.json));
			if (exists)
				call_with(&options);
		}
	}
}

static void carries_messages_of_any_size(void **state UNUSED) {
	static const size_t sizes[] = {0, 1, 2, 3, 100, 16383, 16384, 70000, 1 << 20};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fill_request(sizes[i]);
		call_every_way();
	}
}

static void carries_errors_with_details(void **state UNUSED) {
	fails = true;
	fill_request(10);
	call_every_way();
	fails = false;
}

static void carries_the_reason_of_an_error(void **state UNUSED) {
	fails = has_reason = true;
	fill_request(10);
	call_every_way();
	fails = has_reason = false;
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(carries_messages_of_any_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(carries_errors_with_details, set_up, tear_down),
		cmocka_unit_test_setup_teardown(carries_the_reason_of_an_error, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
