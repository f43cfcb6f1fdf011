/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel against scripted peers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "rpc/channel.h"
#include "scripted_peer.h"

struct world {
	struct loop loop;
	struct timer limit, soon;
	struct rpc_channel *channel;
	struct scripted_peers peers;
	int open_calls;
	bool timed_out;
};

static struct world *world;

/* --- the world ---------------------------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer UNUSED) {
	world->timed_out = true;
	loop_stop(&world->loop);
}

static int set_up(void **state UNUSED) {
	world = mem_zalloc(sizeof *world);
	loop_init(&world->loop);
	world->peers.loop = &world->loop;
	world->limit.fire = on_limit;
	timer_start(&world->loop, &world->limit, 30000);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world->loop, &world->limit);
	timer_stop(&world->loop, &world->soon);
	rpc_channel_close(world->channel);
	scripted_peers_close(&world->peers);
	loop_run_out(&world->loop);
	loop_deinit(&world->loop);
	free(world);
	return 0;
}

static void connect_to(struct rpc_channel_options options, const enum script *scripts, size_t count) {
	struct endpoint endpoint;
	struct error err;
	assert_int_equal(endpoint_parse(STR("unix:/a/peer"), &endpoint, &err), 0);
	memcpy(world->peers.scripts, scripts, count * sizeof *scripts);
	world->peers.script_count = count;
	options.dial = scripted_peers_dial;
	options.dial_data = &world->peers;
	world->channel = rpc_channel_new(&world->loop, &endpoint, &options);
}

#define CONNECT_TO(options, ...) \
	connect_to((options), (const enum script[]){__VA_ARGS__}, \
		   sizeof (const enum script[]){__VA_ARGS__} / sizeof(enum script))

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct call {
	enum code status;
	char text[512];
	bool closed, unprocessed;
	void (*then)(void);
};

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	assert_false(call->closed);
	call->closed = true;
	call->status = stream->status;
	call->unprocessed = rpc_is_unprocessed(stream);
	snprintf(call->text, sizeof call->text, "%.*s", STR_ARG(stream->status_text));
	if (call->then != NULL)
		call->then();
	if (--world->open_calls == 0)
		loop_stop(&world->loop);
}

static const struct rpc_events call_events = {.message = call_message, .data = call_data, .closed = call_closed};

static struct rpc_stream *start_with(struct call *call, struct rpc_call_options options) {
	world->open_calls++;
	options.path = STR("/test/Echo");
	options.events = &call_events;
	options.owner = call;
	return rpc_call(world->channel, &options);
}

static void start(struct call *call, struct str message) {
	struct rpc_stream *stream = start_with(call, (struct rpc_call_options){0});
	rpc_send(stream, message);
	rpc_half_close(stream);
}

static void run_calls(void) {
	loop_run(&world->loop);
	assert_false(world->timed_out);
}

static struct call call_once(struct str message) {
	struct call call = {0};
	start(&call, message);
	run_calls();
	return call;
}

/* --- retries ------------------------------------------------------------------------------------------------------ */

static void retries_a_refused_call(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, REFUSES);
	struct call call = call_once(STR("hello"));
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_true(call.unprocessed);
	assert_non_null(strstr(call.text, "REFUSED_STREAM"));
	assert_int_equal(world->peers.items[0].requests, 1 + RPC_RETRIES_MAX);
}

static void moves_calls_that_goaway_excludes_to_a_new_connection(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_EXCLUDING, ANSWERS);
	struct call calls[2] = {0};
	start(&calls[0], STR("hello"));
	start(&calls[1], STR(""));
	run_calls();
	assert_int_equal(calls[0].status, CODE_OK);
	assert_int_equal(calls[1].status, CODE_OK);
	assert_int_equal(world->peers.dials, 2);
	assert_int_equal(world->peers.items[1].requests, 2);
	assert_int_equal(world->peers.items[1].body, PREFIX_SIZE + 5 + PREFIX_SIZE);
}

static void on_soon(struct timer *timer UNUSED) {
	loop_stop(&world->loop);
}

/* What the caller writes later follows the kept part of the message. */
static void a_moved_call_continues(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_EXCLUDING, ANSWERS);
	struct call call = {0};
	struct rpc_stream *stream = start_with(&call, (struct rpc_call_options){0});
	rpc_begin(stream, 10);
	rpc_write(stream, STR("first"));
	while (world->peers.items[1].body < PREFIX_SIZE + 5 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	rpc_write(stream, STR("again"));
	rpc_half_close(stream);
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(world->peers.items[1].body, PREFIX_SIZE + 10);
}

static void check_no_retry(enum script script) {
	CONNECT_TO(rpc_channel_options_default, script, ANSWERS);
	struct call call = call_once(STR("hello"));
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_false(call.unprocessed);
	assert_int_equal(world->peers.dials, 1);
}

static void does_not_retry_a_call_that_goaway_includes(void **state UNUSED) {
	check_no_retry(GOAWAY_INCLUDING);
}

static void does_not_retry_a_call_whose_connection_broke(void **state UNUSED) {
	check_no_retry(BREAKS);
}

static void does_not_retry_a_request_too_large_to_keep(void **state UNUSED) {
	char *large = mem_zalloc(HTTP_KEEP_MAX);
	CONNECT_TO(rpc_channel_options_default, REFUSES, ANSWERS);
	struct call call = call_once(str_new(large, HTTP_KEEP_MAX));
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_true(call.unprocessed);
	assert_int_equal(world->peers.items[0].requests, 1);
	free(large);
}

static void leaves_the_retry_to_the_caller_with_no_retry(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, REFUSES, ANSWERS);
	struct call call = {0};
	rpc_half_close(start_with(&call, (struct rpc_call_options){.no_retry = true}));
	run_calls();
	assert_true(call.unprocessed);
	assert_int_equal(world->peers.items[0].requests, 1);
}

static void cancels_a_refused_call_while_it_waits(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_EXCLUDING, SILENT);
	struct call call = {0};
	struct rpc_stream *stream = start_with(&call, (struct rpc_call_options){.timeout_ms = 10000});
	while (world->peers.dials < 2 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	rpc_cancel(stream, CODE_CANCELLED, "enough");
	run_calls();
	assert_int_equal(call.status, CODE_CANCELLED);
}

static void queues_calls_past_the_peers_stream_limit(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.connections_max = 1;
	CONNECT_TO(options, ANSWERS_ONE_AT_A_TIME);
	struct call calls[20] = {0};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		start(&calls[i], STR("x"));
	run_calls();
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_int_equal(calls[i].status, CODE_OK);
	assert_int_equal(world->peers.dials, 1);
}

static struct call chained_calls[2];

static void call_after_close(void) {
	start(&chained_calls[1], STR("x"));
}

static void gives_no_call_to_a_closing_connection(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_INCLUDING, ANSWERS);
	memset(chained_calls, 0, sizeof chained_calls);
	chained_calls[0].then = call_after_close;
	start(&chained_calls[0], STR("x"));
	run_calls();
	assert_int_equal(chained_calls[0].status, CODE_UNAVAILABLE);
	assert_int_equal(chained_calls[1].status, CODE_OK);
	assert_int_equal(world->peers.dials, 2);
}

static void replaces_a_connection_that_reached_max_requests(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.http.requests = 3;
	CONNECT_TO(options, ANSWERS);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(call_once(STR("x")).status, CODE_OK);
	struct call calls[8] = {0};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		start(&calls[i], STR("x"));
	run_calls();
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_int_equal(calls[i].status, CODE_OK);
	assert_int_equal(world->peers.dials, 5);
	for (size_t i = 0; i < world->peers.dials; i++)
		assert_true(world->peers.items[i].requests <= 3);
	assert_null(world->peers.items[0].transport); /* closed */
}

/* --- silence ------------------------------------------------------------------------------------------------------ */

static void closes_the_connection_of_a_silent_peer(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.keepalive_ms = 20;
	CONNECT_TO(options, HANGS);
	struct call call = call_once(STR("x"));
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_false(call.unprocessed);
	assert_non_null(strstr(call.text, "unix:/a/peer has been silent for "));
}

static void keeps_the_connection_of_a_peer_that_answers_pings(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.keepalive_ms = 400;
	CONNECT_TO(options, ANSWERS_AFTER_PINGS);
	struct call call = call_once(STR("x"));
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(world->peers.items[0].pings, 2);
}

static void fails_calls_to_a_peer_that_never_sends_settings(void **state UNUSED) {
	enum { SENT = 100, ALL = 103 };
	struct rpc_channel_options options = rpc_channel_options_default;
	options.connect_timeout_ms = 50;
	CONNECT_TO(options, SILENT);
	struct call calls[ALL] = {0}, later = {0};
	for (size_t i = 0; i < ALL; i++)
		start(&calls[i], STR("x"));
	run_calls();
	for (size_t i = 0; i < ALL; i++) {
		assert_int_equal(calls[i].status, CODE_UNAVAILABLE);
		assert_non_null(strstr(calls[i].text,
				       "unix:/a/peer within 50 ms, which is connect-timeout: the peer accepted"));
		/* Calls past the stream limit were never sent. */
		assert_int_equal(calls[i].unprocessed, i >= SENT);
	}
	start(&later, STR("x"));
	run_calls();
	assert_int_equal(later.status, CODE_UNAVAILABLE);
	assert_true(later.unprocessed);
	assert_string_equal(later.text, calls[0].text);
	assert_int_equal(world->peers.dials, 1);
}

/* A socket that listens, but never accepts. */
static int listen_silently(const char *scheme, struct endpoint *ret_endpoint) {
	char text[64];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(text, sizeof text, "%s://127.0.0.1:%u", scheme, ntohs(address.sin_port));
	assert_int_equal(endpoint_parse(str_from(text), ret_endpoint, NULL), 0);
	return fd;
}

static void names_the_step_that_timed_out(void **state UNUSED) {
	static const char *const schemes[] = {"http", "https"};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct endpoint endpoint;
		int fd = listen_silently(schemes[i], &endpoint);
		struct rpc_channel_options options = rpc_channel_options_default;
		options.connect_timeout_ms = 500;
		world->channel = rpc_channel_new(&world->loop, &endpoint, &options);
		struct call call = call_once(STR("x"));
		assert_int_equal(call.status, CODE_UNAVAILABLE);
		assert_non_null(strstr(call.text, i == 0 ? "sends nothing" : "the TLS handshake does not complete"));
		assert_int_equal(call.unprocessed, i == 1);
		rpc_channel_close(world->channel);
		close(fd);
	}
	world->channel = NULL;
}

/* --- the end of a channel ----------------------------------------------------------------------------------------- */

static struct call waiting;

static void retire(struct timer *timer UNUSED) {
	struct rpc_stream *stream = start_with(&waiting, (struct rpc_call_options){.no_retry = true});
	rpc_half_close(stream);
	rpc_channel_retire(world->channel);
	world->channel = NULL;
}

/* The peer answers one call later; another one waits for a connection. */
static void retires_without_losing_a_call(void **state UNUSED) {
	struct call call = {0};
	waiting = (struct call){0};
	struct rpc_channel_options options = rpc_channel_options_default;
	options.connections_max = 1;
	options.keepalive_ms = 100;
	CONNECT_TO(options, ANSWERS_ONE_AFTER_PINGS);
	start(&call, STR("hello"));
	world->soon.fire = retire;
	timer_start(&world->loop, &world->soon, 50);
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_true(waiting.unprocessed);
	assert_int_equal(waiting.status, CODE_UNAVAILABLE);
	assert_string_equal(waiting.text, "the peer takes no more calls");
	assert_int_equal(world->peers.dials, 1);
}

/* --- backing off -------------------------------------------------------------------------------------------------- */

static void backoff_grows_and_is_jittered(void **state UNUSED) {
	const struct rpc_channel_options options = {.backoff_ms = 100, .backoff_max_ms = 1500};
	static const uint64_t middles[] = {100, 200, 400, 800, 1500, 1500, 1500};
	for (unsigned i = 0; i < ARRAY_LEN(middles); i++) {
		uint64_t least = UINT64_MAX, most = 0;
		for (uint64_t random = 0; random < 5000; random++) {
			uint64_t ms = rpc_backoff_ms(&options, i, random * 0x9E3779B97F4A7C15u);
			least = MIN(least, ms);
			most = MAX(most, ms);
		}
		assert_int_equal(least, middles[i] * 4 / 5);
		assert_int_equal(most, middles[i] * 6 / 5);
	}
	assert_int_equal(rpc_backoff_ms(&options, UINT32_MAX, 0), 1200);
	const struct rpc_channel_options never = {.backoff_max_ms = 1000};
	assert_int_equal(rpc_backoff_ms(&never, 5, 12345), 0);
}

static struct call eager;
static uint64_t dialled_ms[SCRIPTS_MAX];

static void call_again(struct timer *timer UNUSED) {
	if (world->peers.dials > 0 && dialled_ms[world->peers.dials - 1] == 0)
		dialled_ms[world->peers.dials - 1] = loop_now_ms(&world->loop);
	if (world->peers.dials == 6) {
		loop_stop(&world->loop);
		return;
	}
	if (eager.closed || world->peers.dials == 0) {
		eager = (struct call){0};
		start(&eager, STR("x"));
	}
	timer_start(&world->loop, &world->soon, 1);
}

/* A thousand calls a second make no more attempts to connect. */
static void backs_off_from_a_peer_that_fails(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = 10;
	options.backoff_max_ms = 80;
	CONNECT_TO(options, CLOSES);
	memset(dialled_ms, 0, sizeof dialled_ms);
	world->open_calls = 1; /* the loop is stopped by call_again */
	world->soon.fire = call_again;
	timer_start(&world->loop, &world->soon, 0);
	run_calls();
	uint64_t since_first = dialled_ms[5] - dialled_ms[0];
	/* 10 + 20 + 40 + 80 + 80 ms, less a fifth, less the difference of the clocks */
	assert_true(since_first >= 230 * 4 / 5 - 10);
	assert_int_equal(eager.status, CODE_UNAVAILABLE);
}

static void resets_the_backoff_when_the_peer_is_back(void **state UNUSED) {
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = options.backoff_max_ms = 1;
	CONNECT_TO(options, CLOSES, CLOSES, ANSWERS);
	struct call call;
	do {
		call = call_once(STR("x"));
		world->soon.fire = on_soon;
		timer_start(&world->loop, &world->soon, 2);
		loop_run(&world->loop);
	} while (call.status != CODE_OK && !world->timed_out);
	assert_int_equal(world->peers.dials, 3);
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		LOOP_TEST(retries_a_refused_call),
		LOOP_TEST(moves_calls_that_goaway_excludes_to_a_new_connection),
		LOOP_TEST(a_moved_call_continues),
		LOOP_TEST(does_not_retry_a_call_that_goaway_includes),
		LOOP_TEST(does_not_retry_a_call_whose_connection_broke),
		LOOP_TEST(does_not_retry_a_request_too_large_to_keep),
		LOOP_TEST(leaves_the_retry_to_the_caller_with_no_retry),
		LOOP_TEST(cancels_a_refused_call_while_it_waits),
		LOOP_TEST(queues_calls_past_the_peers_stream_limit),
		LOOP_TEST(gives_no_call_to_a_closing_connection),
		LOOP_TEST(replaces_a_connection_that_reached_max_requests),
		LOOP_TEST(closes_the_connection_of_a_silent_peer),
		LOOP_TEST(keeps_the_connection_of_a_peer_that_answers_pings),
		LOOP_TEST(fails_calls_to_a_peer_that_never_sends_settings),
		LOOP_TEST(names_the_step_that_timed_out),
		LOOP_TEST(retires_without_losing_a_call),
		cmocka_unit_test(backoff_grows_and_is_jittered),
		LOOP_TEST(backs_off_from_a_peer_that_fails),
		LOOP_TEST(resets_the_backoff_when_the_peer_is_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
