/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server, channel and relay against each other on one loop: the client calls a relay, the relay calls an echo.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "rpc/relay.h"
#include "rpc/server.h"

/* --- an echo server that can misbehave ---------------------------------------------------------------------------- */

struct world {
	struct loop loop;
	struct rpc_server *echo_server, *relay_server;
	struct listener echo_listener, relay_listener;
	struct rpc_channel *to_echo, *to_relay;
	struct timer limit;
	enum { ANSWER, REFUSE, SILENT, FAIL_LATE } behaviour;
	int echo_started, echo_given_up;
	size_t headers, trailers; /* of the MANY that were sent: how many arrived */
	bool timed_out;
};

static struct world *world;

static void echo_message(struct rpc_stream *stream, size_t size) {
	if (world->behaviour != SILENT)
		rpc_begin(stream, size);
}

static void echo_data(struct rpc_stream *stream, struct str bytes) {
	if (world->behaviour != SILENT)
		rpc_write(stream, bytes);
	rpc_consume(stream, bytes.len);
}

/* About as many as fit max-header-bytes. */
enum { MANY = 400 };

static void add_many(struct http_headers *headers, struct arena *arena) {
	for (size_t i = 0; i < MANY; i++)
		http_headers_add(headers, arena, STR("x"), STR("y"));
}

static size_t count_many(const struct http_headers *headers) {
	size_t count = 0;
	for (size_t i = 0; i < headers->count; i++)
		count += str_eq(headers->items[i].name, STR("x"));
	return count;
}

static void echo_end(struct rpc_stream *stream) {
	world->headers = count_many(&stream->http.received);
	if (world->headers > 0)
		add_many(&stream->http.send_trailers, &stream->http.arena);
	if (world->behaviour == FAIL_LATE)
		rpc_finish(stream, CODE_ABORTED, "100% \xC3\xBC");
	else if (world->behaviour != SILENT)
		rpc_finish(stream, CODE_OK, "");
}

static void echo_closed(struct rpc_stream *stream) {
	if (!rpc_has_ended(stream) || stream->status == CODE_DEADLINE_EXCEEDED)
		world->echo_given_up++;
}

static const struct rpc_events echo_events = {
	.message = echo_message, .data = echo_data, .end = echo_end, .closed = echo_closed};

static void echo_start(struct rpc_stream *stream) {
	world->echo_started++;
	stream->events = &echo_events;
	if (world->behaviour == REFUSE && world->echo_started < 3)
		rpc_refuse(stream);
}

static void retry_at_echo(struct relay *relay, const struct error *why UNUSED) {
	relay_retry(relay, world->to_echo, "the echo", NULL);
}

static void relay_method(struct rpc_stream *stream) {
	relay_start(stream, world->to_echo, &(struct relay_options){.peer = "the echo", .unprocessed = retry_at_echo});
}

static const struct rpc_method echo_methods[] = {{.path = "/test/Echo", .start = echo_start}};
static const struct rpc_method relay_methods[] = {{.path = "/test/Echo", .start = relay_method}};

static void accept_echo(struct listener *listener UNUSED, int fd) {
	rpc_server_accept(world->echo_server, fd, false);
}

static void accept_relay(struct listener *listener UNUSED, int fd) {
	rpc_server_accept(world->relay_server, fd, false);
}

static void on_limit(struct timer *timer UNUSED) {
	world->timed_out = true;
	loop_stop(&world->loop);
}

static struct rpc_channel *listen_and_connect(struct listener *listener, void (*on_accept)(struct listener *, int)) {
	struct endpoint any;
	struct error err;
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(listener, &world->loop, &any, on_accept, NULL, &err), 0);
	return rpc_channel_new(&world->loop, &listener->endpoint, &rpc_channel_options_default);
}

static int set_up(void **state UNUSED) {
	world = mem_zalloc(sizeof *world);
	loop_init(&world->loop);
	world->echo_server = rpc_server_new(&world->loop, &rpc_server_options_default);
	world->relay_server = rpc_server_new(&world->loop, &rpc_server_options_default);
	rpc_server_add(world->echo_server, echo_methods, 1, NULL);
	rpc_server_add(world->relay_server, relay_methods, 1, NULL);
	world->to_echo = listen_and_connect(&world->echo_listener, accept_echo);
	world->to_relay = listen_and_connect(&world->relay_listener, accept_relay);
	world->limit.fire = on_limit;
	timer_start(&world->loop, &world->limit, 20000);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world->loop, &world->limit);
	rpc_channel_close(world->to_relay);
	rpc_channel_close(world->to_echo);
	rpc_server_close(world->relay_server);
	rpc_server_close(world->echo_server);
	listener_close(&world->echo_listener);
	listener_close(&world->relay_listener);
	loop_run_out(&world->loop);
	loop_deinit(&world->loop);
	free(world);
	return 0;
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

struct call {
	size_t received;
	unsigned sum;
	enum code status;
	char text[256];
	bool closed, unprocessed;
};

static int open_calls;

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	struct call *call = stream->owner;
	call->received += bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		call->sum = call->sum * 31 + (unsigned char)bytes.ptr[i];
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	assert_false(call->closed);
	call->closed = true;
	call->status = stream->status;
	call->unprocessed = rpc_is_unprocessed(stream);
	world->trailers = count_many(&stream->http.trailers);
	snprintf(call->text, sizeof call->text, "%.*s", STR_ARG(stream->status_text));
	if (--open_calls == 0)
		loop_stop(&world->loop);
}

static const struct rpc_events call_events = {.message = call_message, .data = call_data, .closed = call_closed};

static struct rpc_stream *start_call(struct rpc_channel *channel, struct call *call, uint64_t timeout_ms) {
	open_calls++;
	return rpc_call(channel, &(struct rpc_call_options){.path = STR("/test/Echo"),
							    .timeout_ms = timeout_ms,
							    .events = &call_events,
							    .owner = call});
}

static void send_all(struct rpc_stream *stream, struct str message) {
	rpc_send(stream, message);
	rpc_half_close(stream);
}

static void run_calls(void) {
	loop_run(&world->loop);
	assert_false(world->timed_out);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void answers_through_a_relay(void **state UNUSED) {
	struct call calls[200] = {0};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		send_all(start_call(world->to_relay, &calls[i], 5000), i % 2 ? STR("hello") : STR(""));
	run_calls();
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		assert_int_equal(calls[i].status, CODE_OK);
		assert_int_equal(calls[i].received, i % 2 ? 5 : 0);
	}
}

static void passes_large_messages_whole(void **state UNUSED) {
	size_t size = MIB(5) + 17;
	char *bytes = mem_alloc(size);
	unsigned sum = 0;
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (char)(i * 2654435761u >> 13);
		sum = sum * 31 + (unsigned char)bytes[i];
	}
	struct call call = {0};
	send_all(start_call(world->to_relay, &call, 0), str_new(bytes, size));
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(call.received, size);
	assert_int_equal(call.sum, sum);
	free(bytes);
}

static void passes_status_and_text(void **state UNUSED) {
	world->behaviour = FAIL_LATE;
	struct call call = {0};
	send_all(start_call(world->to_relay, &call, 0), STR("x"));
	run_calls();
	assert_int_equal(call.status, CODE_ABORTED);
	assert_string_equal(call.text, "100% \xC3\xBC");
}

static void retries_a_refused_call(void **state UNUSED) {
	world->behaviour = REFUSE;
	struct call call = {0};
	send_all(start_call(world->to_relay, &call, 0), STR("again"));
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(call.received, 5);
	assert_int_equal(world->echo_started, 3);
}

static void a_channel_retries_too(void **state UNUSED) {
	world->behaviour = REFUSE;
	struct call call = {0};
	send_all(start_call(world->to_echo, &call, 0), STR("again"));
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(call.received, 5);
	assert_int_equal(world->echo_started, 3);
}

static void carries_the_deadline(void **state UNUSED) {
	world->behaviour = SILENT;
	struct call call = {0};
	send_all(start_call(world->to_relay, &call, 50), STR("x"));
	run_calls();
	assert_int_equal(call.status, CODE_DEADLINE_EXCEEDED);
	while (world->echo_given_up == 0 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	assert_int_equal(world->echo_given_up, 1);
}

static void carries_the_cancellation(void **state UNUSED) {
	world->behaviour = SILENT;
	struct call call = {0};
	struct rpc_stream *stream = start_call(world->to_relay, &call, 0);
	rpc_send(stream, STR("x"));
	while (world->echo_started == 0 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	rpc_cancel(stream, CODE_CANCELLED, "enough");
	run_calls();
	assert_int_equal(call.status, CODE_CANCELLED);
	while (world->echo_given_up == 0 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	assert_int_equal(world->echo_given_up, 1);
}

static void cancels_while_the_channel_connects(void **state UNUSED) {
	struct call call = {0};
	struct rpc_stream *stream = start_call(world->to_relay, &call, 0);
	rpc_cancel(stream, CODE_CANCELLED, "enough");
	assert_false(call.closed);
	run_calls();
	assert_int_equal(call.status, CODE_CANCELLED);
}

static void names_the_cause_of_a_failed_connection(void **state UNUSED) {
	struct endpoint nobody;
	struct error err;
	assert_int_equal(endpoint_parse(STR("unix:/nonexistent/socket"), &nobody, &err), 0);
	struct rpc_channel *channel = rpc_channel_new(&world->loop, &nobody, &rpc_channel_options_default);
	struct call call = {0};
	send_all(start_call(channel, &call, 0), STR("x"));
	run_calls();
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_true(call.unprocessed);
	assert_non_null(strstr(call.text, "unix:/nonexistent/socket"));
	rpc_channel_close(channel);
}

static void passes_all_headers(void **state UNUSED) {
	struct call call = {0};
	struct http_headers headers = {0};
	struct arena arena = ARENA_INIT(KIB(64));
	add_many(&headers, &arena);
	open_calls++;
	send_all(rpc_call(world->to_relay, &(struct rpc_call_options){.path = STR("/test/Echo"),
								      .headers = &headers,
								      .events = &call_events,
								      .owner = &call}), STR("hello"));
	run_calls();
	arena_deinit(&arena);
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(world->headers, MANY);
	assert_int_equal(world->trailers, MANY);
}

static void limits_the_message(void **state UNUSED) {
	struct call call = {0};
	struct rpc_stream *stream = start_call(world->to_echo, &call, 0);
	rpc_begin(stream, (size_t)RPC_MESSAGE_MAX_DEFAULT + 1);
	run_calls();
	assert_int_equal(call.status, CODE_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(call.text, "67108865 bytes; max-message is 67108864"));
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		LOOP_TEST(answers_through_a_relay),
		LOOP_TEST(passes_large_messages_whole),
		LOOP_TEST(passes_status_and_text),
		LOOP_TEST(retries_a_refused_call),
		LOOP_TEST(a_channel_retries_too),
		LOOP_TEST(carries_the_deadline),
		LOOP_TEST(carries_the_cancellation),
		LOOP_TEST(cancels_while_the_channel_connects),
		LOOP_TEST(names_the_cause_of_a_failed_connection),
		LOOP_TEST(passes_all_headers),
		LOOP_TEST(limits_the_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
