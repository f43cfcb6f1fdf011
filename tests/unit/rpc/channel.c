/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel against scripted peers, which read and write frames of HTTP/2 by hand on the other end of a socket pair.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "net/listener.h"
#include "net/transport.h"
#include "rpc/channel.h"

/* --- peers -------------------------------------------------------------------------------------------------------- */

enum script {
	ANSWERS,
	ANSWERS_AFTER_PINGS, /* holds its answers until two pings have come */
	ANSWERS_ONE_AT_A_TIME,
	ANSWERS_ONE_AFTER_PINGS, /* both of the above */
	SILENT, /* sends nothing, not even SETTINGS */
	HANGS, /* sends nothing after its SETTINGS */
	REFUSES, /* resets each stream with REFUSED_STREAM */
	GOAWAY_EXCLUDING, /* answers the first request with a GOAWAY that excludes it */
	GOAWAY_INCLUDING, /* answers the first request with a GOAWAY that includes it, then closes */
	BREAKS, /* closes at the first request */
	CLOSES, /* closes before its SETTINGS */
};

enum { PREFACE_SIZE = 24, FRAME_HEAD = 9, SCRIPTS_MAX = 16, HOLD_MAX = 8 };
enum frame { FRAME_DATA, FRAME_HEADERS, FRAME_RST = 3, FRAME_SETTINGS = 4, FRAME_PING = 6, FRAME_GOAWAY };

struct peer {
	enum script script;
	struct transport *transport;
	struct buf received;
	unsigned pings, requests;
	size_t body;
	unsigned held[HOLD_MAX]; /* streams to answer later */
	size_t held_count;
	bool greeted;
};

struct world {
	struct loop loop;
	struct timer limit, soon;
	struct rpc_channel *channel;
	enum script scripts[SCRIPTS_MAX]; /* of the connections in their order; the last one repeats */
	size_t script_count;
	struct peer peers[SCRIPTS_MAX];
	size_t dials;
	int open_calls;
	bool timed_out;
};

static struct world *world;

static void send_frame(struct peer *peer, enum frame type, unsigned char flags, unsigned stream, const char *body,
		       size_t len) {
	char frame[64];
	char head[FRAME_HEAD] = {0, 0, (char)len, (char)type, (char)flags, 0, 0, (char)(stream >> 8), (char)stream};
	memcpy(frame, head, sizeof head);
	memcpy(frame + sizeof head, body, len);
	transport_write(peer->transport, str_new(frame, sizeof head + len));
}

/* ":status: 200", "content-type: application/grpc", "grpc-status: 0": a complete response without a message. */
static void answer(struct peer *peer, unsigned stream) {
	static const char block[] = "\x88\x0F\x10\x10"
				    "application/grpc"
				    "\x00\x0B"
				    "grpc-status"
				    "\x01"
				    "0";
	send_frame(peer, FRAME_HEADERS, 0x5, stream, block, sizeof block - 1);
}

static void send_goaway(struct peer *peer, unsigned last) {
	const char body[8] = {0, 0, 0, (char)last};
	send_frame(peer, FRAME_GOAWAY, 0, 0, body, sizeof body);
}

static void answer_held(struct peer *peer) {
	for (size_t i = 0; i < peer->held_count; i++)
		answer(peer, peer->held[i]);
	peer->held_count = 0;
}

static void on_request(struct peer *peer, unsigned stream) {
	static const char refused[] = {0, 0, 0, 7};
	peer->requests++;
	switch (peer->script) {
	case ANSWERS:
	case ANSWERS_ONE_AT_A_TIME:
	case SILENT:
	case HANGS:
	case CLOSES:
		return;
	case ANSWERS_AFTER_PINGS:
	case ANSWERS_ONE_AFTER_PINGS:
		peer->held[peer->held_count++] = stream;
		return;
	case REFUSES:
		send_frame(peer, FRAME_RST, 0, stream, refused, sizeof refused);
		return;
	case GOAWAY_EXCLUDING:
		send_goaway(peer, 0);
		return;
	case GOAWAY_INCLUDING:
		send_goaway(peer, stream);
		transport_close(peer->transport);
		return;
	case BREAKS:
		transport_close(peer->transport);
		return;
	}
}

static void on_request_end(struct peer *peer, unsigned stream) {
	if (peer->script == ANSWERS || peer->script == ANSWERS_ONE_AT_A_TIME)
		answer(peer, stream);
}

static void on_frame(struct peer *peer, unsigned char type, unsigned char flags, unsigned stream, struct str body) {
	if (type == FRAME_HEADERS)
		on_request(peer, stream);
	if (type == FRAME_DATA)
		peer->body += body.len;
	if ((type == FRAME_HEADERS || type == FRAME_DATA) && (flags & 1))
		on_request_end(peer, stream);
	if (type == FRAME_PING && !(flags & 1) && peer->script != HANGS) {
		send_frame(peer, FRAME_PING, 1, 0, body.ptr, body.len);
		if (++peer->pings >= 2)
			answer_held(peer);
	}
}

static void on_peer_read(struct transport *transport, struct str bytes) {
	struct peer *peer = transport->owner;
	assert_int_equal(buf_append(&peer->received, bytes), 0);
	struct str view = buf_view(&peer->received);
	if (peer->script == SILENT || (!peer->greeted && view.len < PREFACE_SIZE))
		return;
	if (!peer->greeted) {
		static const char one_stream[] = {0, 3, 0, 0, 0, 1};
		peer->greeted = true;
		buf_consume(&peer->received, PREFACE_SIZE);
		bool one = peer->script == ANSWERS_ONE_AT_A_TIME || peer->script == ANSWERS_ONE_AFTER_PINGS;
		send_frame(peer, FRAME_SETTINGS, 0, 0, one_stream, one ? sizeof one_stream : 0);
	}
	while (view = buf_view(&peer->received), view.len >= FRAME_HEAD && !transport_is_closed(transport)) {
		const unsigned char *head = (const unsigned char *)view.ptr;
		size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		if (view.len < FRAME_HEAD + len)
			return;
		on_frame(peer, head[3], head[4], (unsigned)head[7] << 8 | head[8], str_new(view.ptr + FRAME_HEAD, len));
		buf_consume(&peer->received, FRAME_HEAD + len);
	}
}

static void on_peer_end(struct transport *transport, const struct error *err UNUSED) {
	transport_close(transport);
}

static void on_peer_drained(struct transport *transport UNUSED) {
}

static void on_peer_closed(struct transport *transport) {
	struct peer *peer = transport->owner;
	peer->transport = NULL;
	buf_deinit(&peer->received);
}

static const struct transport_events peer_events = {
	.on_read = on_peer_read, .on_end = on_peer_end, .on_drained = on_peer_drained, .on_closed = on_peer_closed};

static int dial(void *data UNUSED) {
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	size_t at = world->dials++;
	enum script script = world->scripts[MIN(at, world->script_count - 1)];
	if (script == CLOSES) {
		close(fds[1]);
		return fds[0];
	}
	assert_true(at < SCRIPTS_MAX);
	struct peer *peer = &world->peers[at];
	*peer = (struct peer){.script = script, .received = BUF_INIT(MIB(1))};
	peer->transport = transport_open(&world->loop, fds[1], &peer_events, peer);
	transport_start_reading(peer->transport);
	return fds[0];
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer UNUSED) {
	world->timed_out = true;
	loop_stop(&world->loop);
}

static int set_up(void **state UNUSED) {
	world = mem_zalloc(sizeof *world);
	loop_init(&world->loop);
	world->limit.fire = on_limit;
	timer_start(&world->loop, &world->limit, 30000);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world->loop, &world->limit);
	timer_stop(&world->loop, &world->soon);
	rpc_channel_close(world->channel);
	for (size_t i = 0; i < SCRIPTS_MAX; i++)
		if (world->peers[i].transport != NULL)
			transport_close(world->peers[i].transport);
	loop_run_out(&world->loop);
	loop_deinit(&world->loop);
	free(world);
	return 0;
}

static void connect_to(struct rpc_channel_options options, const enum script *scripts, size_t count) {
	struct endpoint endpoint;
	struct error err;
	assert_int_equal(endpoint_parse(STR("unix:/a/peer"), &endpoint, &err), 0);
	memcpy(world->scripts, scripts, count * sizeof *scripts);
	world->script_count = count;
	options.dial = dial;
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
	assert_int_equal(world->peers[0].requests, 1 + RPC_RETRIES_MAX);
}

static void moves_calls_that_goaway_excludes_to_a_new_connection(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_EXCLUDING, ANSWERS);
	struct call calls[2] = {0};
	start(&calls[0], STR("hello"));
	start(&calls[1], STR(""));
	run_calls();
	assert_int_equal(calls[0].status, CODE_OK);
	assert_int_equal(calls[1].status, CODE_OK);
	assert_int_equal(world->dials, 2);
	assert_int_equal(world->peers[1].requests, 2);
	assert_int_equal(world->peers[1].body, PREFIX_SIZE + 5 + PREFIX_SIZE);
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
	while (world->peers[1].body < PREFIX_SIZE + 5 && !world->timed_out)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	rpc_write(stream, STR("again"));
	rpc_half_close(stream);
	run_calls();
	assert_int_equal(call.status, CODE_OK);
	assert_int_equal(world->peers[1].body, PREFIX_SIZE + 10);
}

static void check_no_retry(enum script script) {
	CONNECT_TO(rpc_channel_options_default, script, ANSWERS);
	struct call call = call_once(STR("hello"));
	assert_int_equal(call.status, CODE_UNAVAILABLE);
	assert_false(call.unprocessed);
	assert_int_equal(world->dials, 1);
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
	assert_int_equal(world->peers[0].requests, 1);
	free(large);
}

static void leaves_the_retry_to_the_caller_with_no_retry(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, REFUSES, ANSWERS);
	struct call call = {0};
	rpc_half_close(start_with(&call, (struct rpc_call_options){.no_retry = true}));
	run_calls();
	assert_true(call.unprocessed);
	assert_int_equal(world->peers[0].requests, 1);
}

static void cancels_a_refused_call_while_it_waits(void **state UNUSED) {
	CONNECT_TO(rpc_channel_options_default, GOAWAY_EXCLUDING, SILENT);
	struct call call = {0};
	struct rpc_stream *stream = start_with(&call, (struct rpc_call_options){.timeout_ms = 10000});
	while (world->dials < 2 && !world->timed_out)
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
	assert_int_equal(world->dials, 1);
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
	assert_int_equal(world->dials, 2);
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
	assert_int_equal(world->dials, 5);
	for (size_t i = 0; i < world->dials; i++)
		assert_true(world->peers[i].requests <= 3);
	assert_null(world->peers[0].transport); /* closed */
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
	assert_int_equal(world->peers[0].pings, 2);
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
	assert_int_equal(world->dials, 1);
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
	assert_int_equal(world->dials, 1);
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
	if (world->dials > 0 && dialled_ms[world->dials - 1] == 0)
		dialled_ms[world->dials - 1] = loop_now_ms(&world->loop);
	if (world->dials == 6) {
		loop_stop(&world->loop);
		return;
	}
	if (eager.closed || world->dials == 0) {
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
	assert_int_equal(world->dials, 3);
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
