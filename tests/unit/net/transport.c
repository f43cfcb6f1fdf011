/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to names that have several addresses, and closing at any time.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "net/listener.h"
#include "net/transport.h"

static struct {
	struct loop loop;
	struct timer limit;
	struct listener listener;
	struct transport *transport;
	int accepted;
	bool connected, failed, timed_out;
	struct error why;
} world;

typedef int look_up(const char *name, const char *service, const struct addrinfo *hints,
		    struct addrinfo **ret_addresses);

/* Replaces the system's: "two.example" is ::1, where no process listens, and 127.0.0.1. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
						       const struct addrinfo *hints, struct addrinfo **ret_addresses) {
	look_up *real;
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	memcpy(&real, &symbol, sizeof real);
	if (name == NULL || strcmp(name, "two.example") != 0)
		return real(name, service, hints, ret_addresses);
	int failed = real("::1", service, hints, ret_addresses);
	return failed ? failed : real("127.0.0.1", service, hints, &(*ret_addresses)->ai_next);
}

static void on_connected(struct transport *transport, const struct error *err) {
	world.connected = err == NULL;
	world.failed = err != NULL;
	if (err != NULL)
		world.why = *err;
	transport_close(transport);
}

static void on_read(struct transport *transport UNUSED, struct str bytes UNUSED) {
}

static void on_end(struct transport *transport, const struct error *err UNUSED) {
	transport_close(transport);
}

static void on_drained(struct transport *transport UNUSED) {
}

static void on_closed(struct transport *transport UNUSED) {
	world.transport = NULL;
	loop_stop(&world.loop);
}

static const struct transport_events events = {.on_connected = on_connected,
					       .on_read = on_read,
					       .on_end = on_end,
					       .on_drained = on_drained,
					       .on_closed = on_closed};

static void on_accept(struct listener *listener UNUSED, int fd) {
	world.accepted++;
	close(fd);
}

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
	timer_start(&world.loop, &world.limit, 20000);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(&world.listener, &world.loop, &any, on_accept, NULL, &err), 0);
	return 0;
}

static int tear_down(void **state UNUSED) {
	timer_stop(&world.loop, &world.limit);
	listener_close(&world.listener);
	loop_run_out(&world.loop);
	loop_deinit(&world.loop);
	return 0;
}

static void connect_to(uint16_t port) {
	struct endpoint endpoint = {.kind = ENDPOINT_TCP, .port = port, .host = "two.example"};
	world.transport = transport_connect(&world.loop, &endpoint, NULL, &events, NULL);
}

static void run(void) {
	loop_run(&world.loop);
	assert_false(world.timed_out);
	assert_null(world.transport);
}

static void tries_the_addresses_in_order(void **state UNUSED) {
	connect_to(world.listener.endpoint.port);
	run();
	assert_true(world.connected);
}

/* The port is held and not listened on, so that no other process can take it meanwhile. */
static void reports_that_no_address_answers(void **state UNUSED) {
	struct sockaddr_in held = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof held;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&held, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&held, &size), 0);
	connect_to(ntohs(held.sin_port));
	run();
	close(fd);
	assert_true(world.failed);
	assert_non_null(strstr(world.why.msg, "connection refused"));
}

/* In each state of connecting. */
static void can_be_closed_at_any_time(void **state UNUSED) {
	for (int turns = 0; turns < 12; turns++) {
		connect_to(world.listener.endpoint.port);
		for (int i = 0; i < turns && world.transport != NULL; i++)
			uv_run(&world.loop.uv, UV_RUN_ONCE);
		if (world.transport == NULL)
			continue;
		transport_close(world.transport);
		run();
	}
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		LOOP_TEST(tries_the_addresses_in_order),
		LOOP_TEST(reports_that_no_address_answers),
		LOOP_TEST(can_be_closed_at_any_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
