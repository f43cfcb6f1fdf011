/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel against hostile servers: a test writes the response beforehand, and it is sent at the first request.
 */
#include <signal.h>
#include <stdio.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "net/transport.h"
#include "pb/types.h"
#include "rpc/channel.h"
#include "rpc/gzip.h"
#include "rpc/reflection.h"

#define CHECK "/grpc.health.v1.Health/Check"
#define WATCH "/grpc.health.v1.Health/Watch"

enum { ANSWER_MAX = 1 << 21, FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_SETTINGS = 4, END_STREAM = 1, END_HEADERS = 4 };

static struct {
	struct loop loop;
	struct timer limit;
	struct types *types;
	struct listener listener;
	struct transport *peer;
	struct buf answer;
	bool answered, closes, timed_out, closed;
	enum code status;
	char text[256];
	struct str rest; /* of the request, to be sent when the response's headers have come */
	struct buf received;
} world;

/* --- the server --------------------------------------------------------------------------------------------------- */

static void on_peer_read(struct transport *transport, struct str bytes UNUSED) {
	if (!world.answered)
		transport_write(transport, buf_view(&world.answer));
	world.answered = true;
	if (world.closes)
		transport_close(transport);
}

static void on_peer_end(struct transport *transport, const struct error *err UNUSED) {
	transport_close(transport);
}

static void on_peer_drained(struct transport *transport UNUSED) {
}

static void on_peer_closed(struct transport *transport UNUSED) {
	world.peer = NULL;
}

static const struct transport_events peer_events = {
	.on_read = on_peer_read, .on_end = on_peer_end, .on_drained = on_peer_drained, .on_closed = on_peer_closed};

static void on_accept(struct listener *listener UNUSED, int fd) {
	world.peer = transport_open(&world.loop, fd, &peer_events, NULL);
	transport_start_reading(world.peer);
}

static void add(struct str bytes) {
	assert_int_equal(buf_append(&world.answer, bytes), 0);
}

static void add_frame(unsigned type, unsigned flags, unsigned stream, struct str payload) {
	const char head[] = {(char)(payload.len >> 16),
			     (char)(payload.len >> 8),
			     (char)payload.len,
			     (char)type,
			     (char)flags,
			     0,
			     0,
			     0,
			     (char)stream};
	add(str_new(head, sizeof head));
	add(payload);
}

/* A literal header without indexing, Huffman coding or a table. */
static void add_header(struct buf *block, struct str name, struct str value) {
	const char lengths[] = {0, (char)name.len, (char)value.len};
	assert_true(name.len < 127 && value.len < 127);
	assert_int_equal(buf_append(block, str_new(lengths, 2)) | buf_append(block, name) |
				 buf_append(block, str_new(lengths + 2, 1)) | buf_append(block, value), 0);
}

/* status NULL: trailers. */
static void add_headers_frame(unsigned flags, const char *status, size_t count) {
	char value[100];
	struct buf block = BUF_INIT(KIB(64));
	memset(value, 'v', sizeof value);
	if (status != NULL) {
		add_header(&block, STR(":status"), str_from(status));
		add_header(&block, STR("content-type"), STR("application/grpc"));
	}
	for (size_t i = 0; i < count; i++)
		add_header(&block, STR("x"), str_new(value, sizeof value));
	if (flags & END_STREAM)
		add_header(&block, STR("grpc-status"), STR("0"));
	struct str rest = buf_view(&block);
	assert_true(rest.len <= 16384);
	add_frame(FRAME_HEADERS, flags | END_HEADERS, 1, rest);
	buf_deinit(&block);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer UNUSED) {
	world.timed_out = true;
	loop_stop(&world.loop);
}

static int set_up(void **state UNUSED) {
	struct endpoint any;
	struct error err;
	memset(&world, 0, sizeof world);
	loop_init(&world.loop);
	world.limit.fire = on_limit;
	timer_start(&world.loop, &world.limit, 60000);
	buf_init(&world.answer, ANSWER_MAX);
	buf_init(&world.received, KIB(1));
	assert_int_equal(types_new(&rpc_own_descriptors, 1, &world.types, &err), 0);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(&world.listener, &world.loop, &any, on_accept, NULL, &err), 0);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world.loop, &world.limit);
	listener_close(&world.listener);
	if (world.peer != NULL)
		transport_close(world.peer);
	loop_run_out(&world.loop);
	loop_deinit(&world.loop);
	types_free(world.types);
	buf_deinit(&world.answer);
	buf_deinit(&world.received);
	return 0;
}

static void call_headers(struct rpc_stream *stream) {
	if (world.rest.len == 0)
		return;
	rpc_write(stream, world.rest);
	rpc_half_close(stream);
}

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	assert_int_equal(buf_append(&world.received, bytes), 0);
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream) {
	assert_false(world.closed);
	world.closed = true;
	world.status = stream->status;
	snprintf(world.text, sizeof world.text, "%.*s", STR_ARG(stream->status_text));
	loop_stop(&world.loop);
}

static const struct rpc_events call_events = {.headers = call_headers,
					      .message = call_message,
					      .data = call_data,
					      .closed = call_closed};

static void call(struct str path, struct rpc_channel_options options) {
	options.types = world.types;
	struct rpc_channel *channel = rpc_channel_new(&world.loop, &world.listener.endpoint, &options);
	struct rpc_stream *stream = rpc_call(channel, &(struct rpc_call_options){.path = path, .events = &call_events});
	if (world.rest.len > 0) {
		rpc_begin(stream, 1 + world.rest.len);
		rpc_write(stream, STR("a"));
	} else {
		rpc_send(stream, STR(""));
		rpc_half_close(stream);
	}
	loop_run(&world.loop);
	assert_false(world.timed_out);
	assert_true(world.closed);
	rpc_channel_close(channel);
}

static struct rpc_channel_options options_of(enum rpc_protocol protocol, bool http1) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.protocol = protocol;
	options.http1 = http1;
	return options;
}

static void expect(enum code status, const char *text) {
	assert_int_equal(world.status, status);
	if (strstr(world.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, world.text);
}

/* --- interim responses -------------------------------------------------------------------------------------------- */

static void interim_responses_do_not_count_as_headers(void **state UNUSED) {
	add_frame(FRAME_SETTINGS, 0, 0, STR(""));
	for (size_t i = 0; i < 100; i++)
		add_headers_frame(0, "103", 100);
	add_headers_frame(END_STREAM, "200", 0);
	call(STR(CHECK), options_of(RPC_GRPC, false));
	expect(CODE_OK, "");
}

static void interim_responses_of_http1_do_not_count_as_headers(void **state UNUSED) {
	for (size_t i = 0; i < 100; i++) {
		add(STR("HTTP/1.1 103 Early\r\n"));
		for (size_t k = 0; k < 400; k++)
			add(STR("x: y\r\n"));
		add(STR("\r\n"));
	}
	add(STR("HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 0\r\n\r\n"));
	call(STR(CHECK), options_of(RPC_CONNECT, true));
	expect(CODE_OK, "");
}

/* --- compression that was not offered ------------------------------------------------------------------------------- */

static void add_compressed_message(struct str message) {
	struct buf block = BUF_INIT(KIB(1)), body = BUF_INIT(KIB(1));
	add_header(&block, STR(":status"), STR("200"));
	add_header(&block, STR("content-type"), STR("application/grpc"));
	add_header(&block, STR("grpc-encoding"), STR("gzip"));
	add_frame(FRAME_HEADERS, END_HEADERS, 1, buf_view(&block));
	assert_int_equal(buf_append(&body, STR("\1\0\0\0")), 0);
	struct buf packed = BUF_INIT(255);
	assert_int_equal(gzip_compress(message, &packed, NULL), 0);
	const char size = (char)buf_len(&packed);
	assert_int_equal(buf_append(&body, str_new(&size, 1)) | buf_append(&body, buf_view(&packed)), 0);
	add_frame(FRAME_DATA, 0, 1, buf_view(&body));
	buf_deinit(&packed);
	buf_deinit(&body);
	buf_deinit(&block);
}

/* The response's headers come when half of the request's message is sent: the other half must go uncompressed too. */
static void reads_compression_that_was_not_offered(void **state UNUSED) {
	add_frame(FRAME_SETTINGS, 0, 0, STR(""));
	add_compressed_message(STR("hello"));
	add_headers_frame(END_STREAM, NULL, 0);
	world.rest = STR("bcd");
	call(STR(CHECK), options_of(RPC_GRPC, false));
	expect(CODE_OK, "");
	assert_true(str_eq(buf_view(&world.received), STR("hello")));
}

/* --- too many headers and trailers -------------------------------------------------------------------------------- */

static void limits_headers(void **state UNUSED) {
	add_frame(FRAME_SETTINGS, 0, 0, STR(""));
	add_headers_frame(0, "200", 150);
	call(STR(CHECK), options_of(RPC_GRPC, false));
	expect(CODE_RESOURCE_EXHAUSTED, "more than 16384 bytes, which is max-header-bytes");
}

static void limits_trailers(void **state UNUSED) {
	add_frame(FRAME_SETTINGS, 0, 0, STR(""));
	add_headers_frame(0, "200", 0);
	add_headers_frame(END_STREAM, NULL, 150);
	call(STR(CHECK), options_of(RPC_GRPC, false));
	expect(CODE_RESOURCE_EXHAUSTED, "more than 16384 bytes, which is max-header-bytes");
}

static void limits_headers_of_http1(void **state UNUSED) {
	add(STR("HTTP/1.1 200 OK\r\n"));
	for (size_t i = 0; i < 2000; i++)
		add(STR("x: yyyyyyyyyyyyyyy\r\n"));
	add(STR("\r\n"));
	call(STR(CHECK), options_of(RPC_CONNECT, true));
	expect(CODE_RESOURCE_EXHAUSTED, "max-header-bytes is 16384");
}

static void add_last_frame(unsigned char flags, struct str body) {
	const char prefix[] = {(char)flags, (char)(body.len >> 24), (char)(body.len >> 16), (char)(body.len >> 8),
			       (char)body.len};
	add(str_new(prefix, sizeof prefix));
	add(body);
}

/* As many as a frame of trailers may hold. */
static void limits_trailers_of_connect(void **state UNUSED) {
	struct buf end = BUF_INIT(KIB(64));
	assert_int_equal(buf_append(&end, STR("{\"metadata\":{\"a\":[\"\"")), 0);
	while (buf_room(&end) > 8)
		assert_int_equal(buf_append(&end, STR(",\"\"")), 0);
	assert_int_equal(buf_append(&end, STR("]}}")), 0);
	add(STR("HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\n\r\n"));
	add_last_frame(2, buf_view(&end));
	buf_deinit(&end);
	call(STR(WATCH), options_of(RPC_CONNECT, true));
	expect(CODE_RESOURCE_EXHAUSTED, "more than 16384 bytes, which is max-header-bytes");
}

static void limits_trailers_of_grpc_web(void **state UNUSED) {
	struct buf end = BUF_INIT(KIB(64));
	while (buf_room(&end) > 8)
		assert_int_equal(buf_append(&end, STR("a:\r\n")), 0);
	add(STR("HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n\r\n"));
	add_last_frame(0x80, buf_view(&end));
	buf_deinit(&end);
	call(STR(CHECK), options_of(RPC_GRPC_WEB, true));
	expect(CODE_RESOURCE_EXHAUSTED, "more than 16384 bytes, which is max-header-bytes");
}

/* --- a valid response, so that the tests above cannot pass for another reason --------------------------------------- */

static void reads_trailers_in_a_body(void **state UNUSED) {
	world.closes = true;
	add(STR("HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\n\r\n"));
	add_last_frame(0x80, STR("Grpc-Status: 5\r\ngrpc-message:not there\r\n"));
	call(STR(CHECK), options_of(RPC_GRPC_WEB, true));
	expect(CODE_NOT_FOUND, "not there");
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		LOOP_TEST(interim_responses_do_not_count_as_headers),
		LOOP_TEST(interim_responses_of_http1_do_not_count_as_headers),
		LOOP_TEST(reads_compression_that_was_not_offered),
		LOOP_TEST(limits_headers),
		LOOP_TEST(limits_trailers),
		LOOP_TEST(limits_headers_of_http1),
		LOOP_TEST(limits_trailers_of_connect),
		LOOP_TEST(limits_trailers_of_grpc_web),
		LOOP_TEST(reads_trailers_in_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
