/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "http/sniffer.h"
#include "net/transport.h"

static struct loop loop;
static struct timer limit;
static struct sniffer *sniffer;
static int peer; /* the other end */
static unsigned entered_http; /* 0: not entered */
static char first_bytes[256];
static bool left, timed_out;
static char left_why[ERROR_TEXT_MAX];

static void on_limit(struct timer *timer UNUSED) {
	timed_out = true;
}

static void nothing(struct transport *transport UNUSED) {
}

static void on_entered(void *owner, struct transport *transport, unsigned http, struct str first) {
	static const struct transport_events ignored = {.on_closed = nothing};
	assert_ptr_equal(owner, &peer);
	entered_http = http;
	snprintf(first_bytes, sizeof first_bytes, "%.*s", STR_ARG(first));
	transport_hand_over(transport, &ignored, NULL);
	transport_close(transport);
}

static void on_left(void *owner, const char *name UNUSED, const struct error *why) {
	assert_ptr_equal(owner, &peer);
	left = true;
	snprintf(left_why, sizeof left_why, "%s", why ? why->msg : "");
}

static const struct sniffer_events events = {.entered = on_entered, .left = on_left};

static int set_up(void **state UNUSED) {
	int fds[2];
	entered_http = 0;
	left = timed_out = false;
	loop_init(&loop);
	limit.fire = on_limit;
	timer_start(&loop, &limit, 20000);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer = fds[1];
	sniffer = sniffer_open(&loop, fds[0], NULL, &events, &peer);
	assert_non_null(sniffer);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&loop, &limit);
	close(peer);
	loop_run_out(&loop);
	loop_deinit(&loop);
	return 0;
}

static void say(const char *bytes, size_t len) {
	assert_int_equal(write(peer, bytes, len), len);
}

static void wait_until_told(void) {
	while (entered_http == 0 && !left && !timed_out)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_false(timed_out);
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void knows_http2(void **state UNUSED) {
	say(preface, sizeof preface - 1);
	wait_until_told();
	assert_int_equal(entered_http, 2);
	assert_string_equal(first_bytes, preface);
}

static void knows_http2_byte_by_byte(void **state UNUSED) {
	for (size_t i = 0; i < sizeof preface - 1; i++) {
		assert_int_equal(entered_http, 0);
		say(preface + i, 1);
		uv_run(&loop.uv, UV_RUN_ONCE);
	}
	wait_until_told();
	assert_int_equal(entered_http, 2);
	assert_string_equal(first_bytes, preface);
}

/* Also "PUT" and "PRI /", which begin as the preface does. */
static void knows_http1(void **state UNUSED) {
	static const char request[] = "PRI /x HTTP/1.1\r\n";
	say(request, 4);
	uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(entered_http, 0);
	say(request + 4, sizeof request - 5);
	wait_until_told();
	assert_int_equal(entered_http, 1);
	assert_string_equal(first_bytes, request);
}

/* What is none is left for HTTP/1.1 to refuse. */
static void takes_anything_else_for_http1(void **state UNUSED) {
	say("\x01garbage", 8);
	wait_until_told();
	assert_int_equal(entered_http, 1);
}

static void refuses_tls_without_a_certificate(void **state UNUSED) {
	say("\x16\x03\x01\x02\x00\x01", 6);
	wait_until_told();
	assert_true(left);
	assert_non_null(strstr(left_why, "no certificate is set here; use http://"));
}

static void tells_that_the_peer_left(void **state UNUSED) {
	say(preface, 5);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	wait_until_told();
	assert_true(left);
	assert_string_equal(left_why, "");
}

static void is_closed_with_a_reason(void **state UNUSED) {
	struct error why;
	error_set(&why, CODE_DEADLINE_EXCEEDED, "header-timeout");
	sniffer_close(sniffer, &why);
	assert_false(left);
	wait_until_told();
	assert_string_equal(left_why, "header-timeout");
}

#define DOOR_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		DOOR_TEST(knows_http2),
		DOOR_TEST(knows_http2_byte_by_byte),
		DOOR_TEST(knows_http1),
		DOOR_TEST(takes_anything_else_for_http1),
		DOOR_TEST(refuses_tls_without_a_certificate),
		DOOR_TEST(tells_that_the_peer_left),
		DOOR_TEST(is_closed_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
