/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of methods beside another handler on the same port.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_test.h"

#include "http/server.h"
#include "rpc/server.h"

static struct {
	struct loop loop;
	struct timer tick;
	struct rpc_server *server;
	struct http_stream healthz; /* the one stream of the other handler */
	struct rpc_stream *call; /* the last that was started */
	size_t closed;
	int client;
	char answer[2048];
	size_t len;
} world;

static void on_tick(struct timer *timer) {
	timer_start(&world.loop, timer, 5);
}

/* --- the other handler -------------------------------------------------------------------------------------------- */

static void drop(struct http_stream *stream, struct str bytes) {
	http_stream_consume(stream, bytes.len);
}

static void ignore(struct http_stream *stream UNUSED) {
}

static void answer_healthz(struct http_stream *stream) {
	struct http_headers none = {0};
	http_respond(stream, 200, &none);
	http_stream_write(stream, STR("healthy"));
	http_stream_finish(stream);
}

static void on_healthz_closed(struct http_stream *stream, const struct error *why UNUSED) {
	http_stream_deinit(stream);
	world.closed++;
}

static const struct http_stream_events healthz_events = {.data = drop,
							 .end = answer_healthz,
							 .writable = ignore,
							 .closed = on_healthz_closed};

static struct http_stream *new_healthz(void *owner UNUSED, const struct http_request_head *head UNUSED) {
	http_stream_init(&world.healthz, &healthz_events, HTTP_HEAD_ARENA_MAX);
	return &world.healthz;
}

static void on_healthz(void *owner UNUSED, struct http_stream *stream) {
	assert_ptr_equal(stream, &world.healthz);
}

static bool never_stalled(void *owner UNUSED, const struct http_stream *stream UNUSED) {
	return false;
}

static const struct http_handler healthz = {.new_stream = new_healthz,
					    .request = on_healthz,
					    .is_stalled = never_stalled};

/* --- a method ----------------------------------------------------------------------------------------------------- */

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_end(struct rpc_stream *stream UNUSED) {
}

static void on_closed(struct rpc_stream *stream UNUSED) {
	world.call = NULL;
}

static const struct rpc_events call_events = {.message = on_message,
					      .data = on_data,
					      .end = on_end,
					      .closed = on_closed};

static void start(struct rpc_stream *stream) {
	stream->events = &call_events;
	world.call = stream;
}

static const struct rpc_method methods[] = {{.path = "/test/Wait", .start = start}};

/* --- life --------------------------------------------------------------------------------------------------------- */

static int set_up(void **state UNUSED) {
	int ends[2];
	memset(&world, 0, sizeof world);
	loop_init(&world.loop);
	world.tick.fire = on_tick;
	timer_start(&world.loop, &world.tick, 5);
	world.server = rpc_server_new(&world.loop, &rpc_server_options_default);
	rpc_server_add(world.server, methods, ARRAY_LEN(methods), NULL);
	http_server_route(rpc_server_http(world.server), "/healthz", &healthz, &world);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	world.client = ends[1];
	rpc_server_accept(world.server, ends[0], false);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world.loop, &world.tick);
	rpc_server_close(world.server);
	close(world.client);
	loop_run_out(&world.loop);
	assert_null(world.call);
	loop_deinit(&world.loop);
	return 0;
}

static void send_text(const char *text) {
	assert_int_equal(write(world.client, text, strlen(text)), strlen(text));
}

/* Runs until the answer has the text. */
static void expect_text(const char *text) {
	for (int turns = 0; turns < 2000; turns++) {
		ssize_t got = read(world.client, world.answer + world.len, sizeof world.answer - 1 - world.len);
		world.len += got > 0 ? (size_t)got : 0;
		if (memmem(world.answer, world.len, text, strlen(text)) != NULL)
			return;
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	}
	fail_msg("\"%s\" is not in the answer: %s", text, world.answer);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void a_prefix_has_a_handler_of_its_own(void **state UNUSED) {
	send_text("GET /healthz?verbose HTTP/1.1\r\nhost: a\r\n\r\n");
	expect_text("\r\n\r\nhealthy");
	assert_int_equal(world.closed, 1);
	send_text("GET /healthzz HTTP/1.1\r\nhost: a\r\n\r\n"); /* the methods' */
	expect_text("HTTP/1.1 404");
	expect_text("There is nothing at /healthzz; a method has the path /package.Service/Method.");
	send_text("GET /test.Service/Wait HTTP/1.1\r\nhost: a\r\n\r\n");
	expect_text("HTTP/1.1 405");
	expect_text("allow: POST, GET");
	assert_int_equal(world.closed, 1);
}

#define REQUEST_HEAD "content-type: application/grpc-web\r\ncontent-length: 5\r\nhost: a\r\n\r\n"

static void only_calls_are_busy(void **state UNUSED) {
	send_text("POST /healthz HTTP/1.1\r\n" REQUEST_HEAD "half");
	while (rpc_server_calls(world.server) == 0)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	assert_int_equal(rpc_server_busy(world.server), 0);
	send_text("!");
	expect_text("healthy");
	send_text("POST /test/Wait HTTP/1.1\r\n" REQUEST_HEAD);
	while (world.call == NULL)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	assert_int_equal(rpc_server_busy(world.server), 1);
}

static void ending_open_calls_leaves_other_streams(void **state UNUSED) {
	struct error why;
	error_set(&why, CODE_UNAVAILABLE, "moved");
	send_text("POST /healthz HTTP/1.1\r\n" REQUEST_HEAD "half");
	while (rpc_server_calls(world.server) == 0)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	rpc_server_end_open(world.server, &why);
	send_text("!");
	expect_text("healthy");
	world.len = 0;
	send_text("POST /test/Wait HTTP/1.1\r\n" REQUEST_HEAD);
	while (world.call == NULL)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	rpc_server_end_open(world.server, &why);
	assert_false(rpc_has_ended(world.call)); /* it is not open_ended */
	world.call->open_ended = true;
	rpc_server_end_open(world.server, &why);
	expect_text("moved");
}

#define SERVER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		SERVER_TEST(a_prefix_has_a_handler_of_its_own),
		SERVER_TEST(only_calls_are_busy),
		SERVER_TEST(ending_open_calls_leaves_other_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
