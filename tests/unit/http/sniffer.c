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
static unsigned recognised_http; /* 0: none yet */
static char first_bytes[256];
static bool is_closed, timed_out;
static char closed_why[ERROR_TEXT_MAX];

static void on_limit(struct timer *timer UNUSED) {
	timed_out = true;
}

static void nothing(struct transport *transport UNUSED) {
}

static void on_recognised(void *owner, struct transport *transport, unsigned http, struct str first) {
	static const struct transport_events ignored = {.on_closed = nothing};
	assert_ptr_equal(owner, &peer);
	recognised_http = http;
	snprintf(first_bytes, sizeof first_bytes, "%.*s", STR_ARG(first));
	transport_hand_over(transport, &ignored, NULL);
	transport_close(transport);
}

static void on_closed(void *owner, const char *name UNUSED, const struct error *why) {
	assert_ptr_equal(owner, &peer);
	is_closed = true;
	snprintf(closed_why, sizeof closed_why, "%s", why ? why->msg : "");
}

static const struct sniffer_events events = {.recognised = on_recognised, .closed = on_closed};

static int set_up(void **state UNUSED) {
	int fds[2];
	recognised_http = 0;
	is_closed = timed_out = false;
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

static void send_bytes(const char *bytes, size_t len) {
	assert_int_equal(write(peer, bytes, len), len);
}

static void wait_for_event(void) {
	while (recognised_http == 0 && !is_closed && !timed_out)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_false(timed_out);
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void recognises_http2(void **state UNUSED) {
	send_bytes(preface, sizeof preface - 1);
	wait_for_event();
	assert_int_equal(recognised_http, 2);
	assert_string_equal(first_bytes, preface);
}

static void recognises_http2_byte_by_byte(void **state UNUSED) {
	for (size_t i = 0; i < sizeof preface - 1; i++) {
		assert_int_equal(recognised_http, 0);
		send_bytes(preface + i, 1);
		uv_run(&loop.uv, UV_RUN_ONCE);
	}
	wait_for_event();
	assert_int_equal(recognised_http, 2);
	assert_string_equal(first_bytes, preface);
}

/* Also a method that begins as the preface does. */
static void recognises_http1(void **state UNUSED) {
	static const char request[] = "PRI /x HTTP/1.1\r\n";
	send_bytes(request, 4);
	uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(recognised_http, 0);
	send_bytes(request + 4, sizeof request - 5);
	wait_for_event();
	assert_int_equal(recognised_http, 1);
	assert_string_equal(first_bytes, request);
}

/* HTTP/1.1 refuses bytes that are no HTTP. */
static void takes_everything_else_for_http1(void **state UNUSED) {
	send_bytes("\x01garbage", 8);
	wait_for_event();
	assert_int_equal(recognised_http, 1);
}

static void refuses_tls_without_a_certificate(void **state UNUSED) {
	send_bytes("\x16\x03\x01\x02\x00\x01", 6);
	wait_for_event();
	assert_true(is_closed);
	assert_non_null(strstr(closed_why, "this server has no certificate; use http://"));
}

static void reports_that_the_peer_closed(void **state UNUSED) {
	send_bytes(preface, 5);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	wait_for_event();
	assert_true(is_closed);
	assert_string_equal(closed_why, "");
}

static void is_closed_with_a_reason(void **state UNUSED) {
	struct error why;
	error_set(&why, CODE_DEADLINE_EXCEEDED, "header-timeout");
	sniffer_close(sniffer, &why);
	assert_false(is_closed);
	wait_for_event();
	assert_string_equal(closed_why, "header-timeout");
}

#define SNIFFER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		SNIFFER_TEST(recognises_http2),
		SNIFFER_TEST(recognises_http2_byte_by_byte),
		SNIFFER_TEST(recognises_http1),
		SNIFFER_TEST(takes_everything_else_for_http1),
		SNIFFER_TEST(refuses_tls_without_a_certificate),
		SNIFFER_TEST(reports_that_the_peer_closed),
		SNIFFER_TEST(is_closed_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
