/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A relay's tap, and the errors that a relay passes: a client calls a relay, the relay calls an echo, and a tap records
 * what it is shown.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "rpc/relay.h"
#include "rpc/server.h"

#define METHOD "/test/Echo"

struct side {
	struct rpc_server *server;
	struct listener listener;
	struct rpc_channel *channel; /* to it */
};

static struct {
	struct loop loop;
	struct timer limit;
	struct side echo, refuser, relay;
	bool timed_out;

	bool is_silent; /* the echo reads and never answers */
	enum code status; /* that the echo answers with */
	const char *reason; /* of that status */
	bool begins_at_refuser, gives_up;
	bool takes_first; /* the relay begins when the first bytes have been taken */
	size_t first_size;
	size_t retries;
	size_t refusals; /* attempts that go to the refuser */
	struct http_headers headers; /* of the client's call */
	const struct relay_tap *tap;

	/* What the tap was shown: messages and the end, a line each; the bytes of each direction. */
	struct buf record;
	char shown[2][64];
	size_t shown_len[2];
	size_t ends;

	bool closed;
	enum code answered; /* what the client got */
	struct error err; /* the same, unless it is OK */
	size_t received;
} world;

/* --- the tap ------------------------------------------------------------------------------------------------------ */

static void tap_message(void *owner, enum relay_direction direction, size_t size) {
	assert_ptr_equal(owner, &world.record);
	assert_int_equal(world.ends, 0);
	assert_int_equal(buf_printf(&world.record, "%s %zu\n", direction == RELAY_REQUEST ? "request" : "response",
				    size),
			 0);
}

static void tap_data(void *owner, enum relay_direction direction, struct str bytes) {
	assert_ptr_equal(owner, &world.record);
	assert_int_equal(world.ends, 0);
	assert_true(bytes.len > 0 && world.shown_len[direction] + bytes.len < sizeof world.shown[0]);
	memcpy(world.shown[direction] + world.shown_len[direction], bytes.ptr, bytes.len);
	world.shown_len[direction] += bytes.len;
}

static void tap_ended(void *owner, enum code status, struct str text) {
	assert_ptr_equal(owner, &world.record);
	world.ends++;
	assert_int_equal(buf_printf(&world.record, "%s %.*s\n", code_name(status), STR_ARG(text)), 0);
}

static const struct relay_tap tap = {.message = tap_message, .data = tap_data, .ended = tap_ended};

static void expect_record(const char *request, const char *response, const char *record) {
	assert_string_equal(world.shown[RELAY_REQUEST], request);
	assert_string_equal(world.shown[RELAY_RESPONSE], response);
	assert_int_equal(buf_append(&world.record, str_new("", 1)), 0);
	assert_string_equal(buf_view(&world.record).ptr, record);
}

/* --- the peers ---------------------------------------------------------------------------------------------------- */

static void echo_message(struct rpc_stream *stream, size_t size) {
	if (!world.is_silent)
		rpc_begin(stream, size);
}

static void echo_data(struct rpc_stream *stream, struct str bytes) {
	if (!world.is_silent)
		rpc_write(stream, bytes);
	rpc_consume(stream, bytes.len);
}

static void echo_end(struct rpc_stream *stream) {
	struct error err;
	if (world.is_silent)
		return;
	if (world.status == CODE_OK) {
		rpc_finish(stream, CODE_OK, "");
		return;
	}
	error_set(&err, world.status, "as told");
	if (world.reason != NULL)
		error_set_reason(&err, world.reason);
	rpc_fail(stream, &err);
}

static void echo_closed(struct rpc_stream *stream UNUSED) {
}

static const struct rpc_events echo_events = {.message = echo_message,
					      .data = echo_data,
					      .end = echo_end,
					      .closed = echo_closed};

static void echo_start(struct rpc_stream *stream) {
	stream->events = &echo_events;
}

/* --- the relay ---------------------------------------------------------------------------------------------------- */

static void retry_at_echo(struct relay *relay, const struct error *why UNUSED) {
	struct error err;
	world.retries++;
	if (world.gives_up) {
		error_set(&err, CODE_UNAVAILABLE, "no replica");
		error_set_reason(&err, "SCALED_TO_ZERO");
		relay_give_up(relay, &err);
		return;
	}
	bool refuses = world.retries < world.refusals;
	relay_retry(relay, refuses ? world.refuser.channel : world.echo.channel, "the echo", NULL);
}

static struct relay_options options_of_relay(void) {
	return (struct relay_options){.peer = "the peer",
				      .unprocessed = retry_at_echo,
				      .tap = world.tap,
				      .tap_owner = &world.record};
}

static struct rpc_channel *first_peer(void) {
	return world.begins_at_refuser ? world.refuser.channel : world.echo.channel;
}

static void first_message(struct rpc_stream *stream UNUSED, size_t size) {
	world.first_size = size;
}

static void first_data(struct rpc_stream *stream, struct str bytes) {
	struct relay_options options = options_of_relay();
	options.taken = bytes;
	options.owed = bytes.len;
	options.message_size = world.first_size;
	options.has_message = true;
	relay_start(stream, first_peer(), &options);
}

static const struct rpc_events first_events = {.message = first_message, .data = first_data, .closed = echo_closed};

static void relay_method(struct rpc_stream *stream) {
	struct relay_options options = options_of_relay();
	if (world.takes_first)
		stream->events = &first_events;
	else
		relay_start(stream, first_peer(), &options);
}

static const struct rpc_method echo_methods[] = {{.path = METHOD, .start = echo_start}};
static const struct rpc_method relay_methods[] = {{.path = METHOD, .start = relay_method}};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *listener, int fd) {
	rpc_server_accept(CONTAINER_OF(listener, struct side, listener)->server, fd, false);
}

static void on_limit(struct timer *timer UNUSED) {
	world.timed_out = true;
	loop_stop(&world.loop);
}

static void open_side(struct side *side, const struct rpc_method *methods) {
	struct endpoint any;
	struct error err;
	side->server = rpc_server_new(&world.loop, &rpc_server_options_default);
	rpc_server_add(side->server, methods, 1, NULL);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(&side->listener, &world.loop, &any, on_accept, NULL, &err), 0);
	side->channel = rpc_channel_new(&world.loop, &side->listener.endpoint, &rpc_channel_options_default);
}

static void close_side(struct side *side) {
	rpc_channel_close(side->channel);
	rpc_server_close(side->server);
	listener_close(&side->listener);
}

static int set_up(void **state UNUSED) {
	memset(&world, 0, sizeof world);
	loop_init(&world.loop);
	buf_init(&world.record, KIB(4));
	world.tap = &tap;
	world.limit.fire = on_limit;
	timer_start(&world.loop, &world.limit, 20000);
	open_side(&world.echo, echo_methods);
	open_side(&world.refuser, echo_methods);
	open_side(&world.relay, relay_methods);
	rpc_server_refuse(world.refuser.server, true);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world.loop, &world.limit);
	close_side(&world.relay);
	close_side(&world.refuser);
	close_side(&world.echo);
	loop_run_out(&world.loop);
	loop_deinit(&world.loop);
	buf_deinit(&world.record);
	return 0;
}

/* --- the client --------------------------------------------------------------------------------------------------- */

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	world.received += bytes.len;
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream) {
	world.closed = true;
	world.answered = stream->status;
	if (stream->status != CODE_OK)
		rpc_get_error(stream, &world.err);
}

static const struct rpc_events call_events = {.message = call_message, .data = call_data, .closed = call_closed};

static struct rpc_stream *start_call(uint64_t timeout_ms) {
	return rpc_call(world.relay.channel, &(struct rpc_call_options){.path = STR(METHOD),
									.events = &call_events,
									.headers = &world.headers,
									.timeout_ms = timeout_ms});
}

static void run_once(void) {
	assert_false(world.timed_out);
	uv_run(&world.loop.uv, UV_RUN_ONCE);
}

/* Runs until the client has its status and the tap has seen the end. */
static void run_to_end(void) {
	while (!world.closed || (world.tap != NULL && world.ends == 0))
		run_once();
}

static void write_and_wait(struct rpc_stream *stream, struct str bytes) {
	size_t before = world.shown_len[RELAY_REQUEST];
	rpc_write(stream, bytes);
	while (world.shown_len[RELAY_REQUEST] < before + bytes.len)
		run_once();
}

static void send_in_pieces(struct rpc_stream *stream) {
	rpc_begin(stream, 11);
	write_and_wait(stream, STR("he"));
	write_and_wait(stream, STR("llo, "));
	write_and_wait(stream, STR("peer"));
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void shows_both_directions(void **state UNUSED) {
	struct rpc_stream *stream = start_call(0);
	send_in_pieces(stream);
	while (world.received < 11)
		run_once();
	rpc_send(stream, STR(""));
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.answered, CODE_OK);
	expect_record("hello, peer", "hello, peer", "request 11\nresponse 11\nrequest 0\nresponse 0\nOK \n");
}

static void shows_what_was_taken_before(void **state UNUSED) {
	world.takes_first = true;
	struct rpc_stream *stream = start_call(0);
	rpc_begin(stream, 11);
	rpc_write(stream, STR("hello, "));
	write_and_wait(stream, STR("peer"));
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.received, 11);
	expect_record("hello, peer", "hello, peer", "request 11\nresponse 11\nOK \n");
}

static void shows_a_request_once_when_it_is_sent_again(void **state UNUSED) {
	world.begins_at_refuser = true;
	struct rpc_stream *stream = start_call(0);
	rpc_begin(stream, 11);
	write_and_wait(stream, STR("hello, "));
	while (world.retries == 0)
		run_once();
	write_and_wait(stream, STR("peer"));
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.retries, 1);
	assert_int_equal(world.received, 11);
	expect_record("hello, peer", "hello, peer", "request 11\nresponse 11\nOK \n");
}

static void shows_the_status(void **state UNUSED) {
	world.status = CODE_ABORTED;
	struct rpc_stream *stream = start_call(0);
	send_in_pieces(stream);
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.answered, CODE_ABORTED);
	expect_record("hello, peer", "hello, peer", "request 11\nresponse 11\nAborted as told\n");
}

static void passes_the_reason_of_an_error(void **state UNUSED) {
	world.status = CODE_NOT_FOUND;
	world.reason = "NO_SUCH_VERB";
	struct rpc_stream *stream = start_call(0);
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.err.code, CODE_NOT_FOUND);
	assert_string_equal(world.err.reason, "NO_SUCH_VERB");
}

static void sends_the_reason_why_it_gives_up(void **state UNUSED) {
	world.begins_at_refuser = world.gives_up = true;
	struct rpc_stream *stream = start_call(0);
	rpc_send(stream, STR("hello"));
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.err.code, CODE_UNAVAILABLE);
	assert_string_equal(world.err.reason, "SCALED_TO_ZERO");
	expect_record("hello", "", "request 5\nUnavailable no replica\n");
}

static void shows_that_the_client_left(void **state UNUSED) {
	world.is_silent = true;
	struct rpc_stream *stream = start_call(0);
	rpc_begin(stream, 11);
	write_and_wait(stream, STR("hello, "));
	rpc_cancel(stream, CODE_CANCELLED, "enough");
	run_to_end();
	assert_int_equal(world.answered, CODE_CANCELLED);
	expect_record("hello, ", "", "request 11\nCancelled the caller went away\n");
}

static void shows_that_the_deadline_passed(void **state UNUSED) {
	world.is_silent = true;
	struct rpc_stream *stream = start_call(50);
	send_in_pieces(stream);
	run_to_end();
	assert_int_equal(world.answered, CODE_DEADLINE_EXCEEDED);
	assert_int_equal(world.ends, 1);
	assert_string_equal(world.shown[RELAY_REQUEST], "hello, peer");
}

/* Each attempt sends all headers: what they take must not add up in the memory of the call. */
static void many_attempts_take_no_more_memory_than_one(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(64));
	for (int i = 0; i < 300; i++)
		http_headers_add(&world.headers, &arena, str_from(arena_printf(&arena, "x-%d", i)), STR("1"));
	world.begins_at_refuser = true;
	world.refusals = 100;
	rpc_half_close(start_call(0));
	run_to_end();
	assert_int_equal(world.retries, world.refusals);
	assert_int_equal(world.answered, CODE_OK);
	arena_deinit(&arena);
}

static void does_without_a_tap(void **state UNUSED) {
	world.tap = NULL;
	struct rpc_stream *stream = start_call(0);
	rpc_send(stream, STR("hello"));
	rpc_half_close(stream);
	run_to_end();
	assert_int_equal(world.answered, CODE_OK);
	assert_int_equal(world.received, 5);
	expect_record("", "", "");
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		LOOP_TEST(shows_both_directions),
		LOOP_TEST(shows_what_was_taken_before),
		LOOP_TEST(shows_a_request_once_when_it_is_sent_again),
		LOOP_TEST(shows_the_status),
		LOOP_TEST(passes_the_reason_of_an_error),
		LOOP_TEST(sends_the_reason_why_it_gives_up),
		LOOP_TEST(shows_that_the_client_left),
		LOOP_TEST(shows_that_the_deadline_passed),
		LOOP_TEST(many_attempts_take_no_more_memory_than_one),
		LOOP_TEST(does_without_a_tap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
