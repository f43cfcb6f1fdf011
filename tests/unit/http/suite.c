/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../cmocka_test.h"

#include "../net/certificate.h"
#include "base/memory.h"
#include "http/server.h"
#include "net/listener.h"
#include "net/tls.h"
#include "net/transport.h"

enum { STREAMS_MAX = 8, TIMEOUT_MS = 100, TICK_MS = 5 };

/* --- the server's side -------------------------------------------------------------------------------------------- */

enum behaviour {
	ECHOES, /* consumes the body, and sends it back when the request has ended */
	HOLDS, /* consumes nothing */
	REFUSES, /* has no memory for the request */
};

/* A prefix and what its handler did. */
struct place {
	const char *prefix;
	enum behaviour behaviour;
	bool stalled; /* what is_stalled says */
	size_t requests, closed;
	struct served *last;
};

/* Kept until the end of the test, so that an event after `closed` is noticed. */
struct served {
	struct http_stream http;
	struct place *place;
	size_t received;
	bool is_closed;
	enum code why;
};

static struct world {
	const struct connection_kind *kind;
	struct loop loop;
	struct listener listener;
	struct http_server *server;
	struct tls_config *server_tls, *client_tls;
	struct place places[4];
	size_t place_count;
	struct served *served[STREAMS_MAX];
	size_t served_count;
	size_t drained;
	struct timer limit, tick;
	bool timed_out;
} * world;

static struct certificate certificate;

static struct served *served_of(struct http_stream *http) {
	struct served *served = CONTAINER_OF(http, struct served, http);
	assert_false(served->is_closed);
	return served;
}

static void on_served_data(struct http_stream *http, struct str bytes) {
	struct served *served = served_of(http);
	served->received += bytes.len;
	if (served->place->behaviour == ECHOES) {
		http_stream_write(http, bytes);
		http_stream_consume(http, bytes.len);
	}
}

static void respond(struct served *served) {
	struct http_header room[HTTP_HEADERS_ROOM];
	struct http_headers headers = HTTP_HEADERS_IN(room);
	http_headers_add(&headers, &served->http.arena, STR("x-place"), str_from(served->place->prefix));
	http_respond(&served->http, 200, &headers);
	http_stream_finish(&served->http);
}

static void on_served_end(struct http_stream *http) {
	struct served *served = served_of(http);
	if (served->place->behaviour == ECHOES)
		respond(served);
}

static void on_served_writable(struct http_stream *http) {
	served_of(http);
}

static void on_served_closed(struct http_stream *http, const struct error *why) {
	struct served *served = served_of(http);
	served->is_closed = true;
	served->why = why ? why->code : CODE_OK;
	served->place->closed++;
}

static const struct http_stream_events served_events = {
	.data = on_served_data,
	.end = on_served_end,
	.writable = on_served_writable,
	.closed = on_served_closed,
};

static struct http_stream *on_new_stream(void *owner, const struct http_request_head *head) {
	struct place *place = owner;
	assert_true(head->path.len > 0 && head->method.len > 0);
	if (place->behaviour == REFUSES)
		return NULL;
	struct served *served = mem_zalloc(sizeof *served);
	http_stream_init(&served->http, &served_events, HTTP_HEAD_ARENA_MAX);
	served->place = place;
	assert_true(world->served_count < STREAMS_MAX);
	world->served[world->served_count++] = served;
	return &served->http;
}

static void on_request(void *owner, struct http_stream *http) {
	struct place *place = owner;
	place->requests++;
	place->last = served_of(http);
	assert_ptr_equal(place->last->place, place);
	assert_true(str_eq(http_headers_get(&http->received, STR("x-asked")), http->path));
}

static bool on_is_stalled(void *owner, const struct http_stream *http UNUSED) {
	const struct place *place = owner;
	return place->stalled;
}

static const struct http_handler handler = {.new_stream = on_new_stream,
					    .request = on_request,
					    .is_stalled = on_is_stalled};

static void on_accept(struct listener *listener UNUSED, int fd) {
	http_server_accept(world->server, fd, false);
}

static struct place *add_place(const char *prefix, enum behaviour behaviour) {
	struct place *place = &world->places[world->place_count++];
	*place = (struct place){.prefix = prefix, .behaviour = behaviour};
	http_server_route(world->server, prefix, &handler, place);
	return place;
}

/* --- the client's side -------------------------------------------------------------------------------------------- */

struct client {
	struct http_connection *connection;
	bool is_ready;
	size_t closed;
};

struct asked {
	struct http_stream http;
	char place[32];
	size_t received;
	bool has_ended;
	size_t closed;
	bool in_order;
};

static struct asked *asked_of(struct http_stream *http) {
	struct asked *asked = CONTAINER_OF(http, struct asked, http);
	assert_int_equal(asked->closed, 0);
	return asked;
}

static void on_headers(struct http_stream *http) {
	struct asked *asked = asked_of(http);
	snprintf(asked->place, sizeof asked->place, "%.*s", STR_ARG(http_headers_get(&http->received, STR("x-place"))));
}

static void on_data(struct http_stream *http, struct str bytes) {
	asked_of(http)->received += bytes.len;
	http_stream_consume(http, bytes.len);
}

static void on_end(struct http_stream *http) {
	asked_of(http)->has_ended = true;
}

static void on_writable(struct http_stream *http) {
	asked_of(http);
}

static void on_closed(struct http_stream *http, const struct error *why) {
	struct asked *asked = asked_of(http);
	asked->closed++;
	asked->in_order = why == NULL;
}

static const struct http_stream_events asked_events = {.headers = on_headers,
						       .data = on_data,
						       .end = on_end,
						       .writable = on_writable,
						       .closed = on_closed};

static void on_ready(struct http_connection *connection) {
	struct client *client = connection->owner;
	client->is_ready = true;
}

static void ignore(struct http_connection *connection UNUSED) {
}

static void on_client_closed(struct http_connection *connection, const struct error *why UNUSED) {
	struct client *client = connection->owner;
	client->connection = NULL;
	client->closed++;
}

static const struct http_connection_events client_events = {.ready = on_ready,
							    .proven = ignore,
							    .going_away = ignore,
							    .closed = on_client_closed};

#define RUN_UNTIL(condition)                                  \
	do {                                                  \
		while (!(condition) && !world->timed_out)     \
			uv_run(&world->loop.uv, UV_RUN_ONCE); \
		assert_true(condition);                       \
	} while (0)

static void connect_client(struct client *client) {
	*client = (struct client){0};
	client->connection = world->kind->connect(&world->loop, &world->listener.endpoint, world->client_tls,
						  &http_limits_default, &client_events, client);
	RUN_UNTIL(client->is_ready || client->closed > 0);
}

static void close_client(struct client *client) {
	if (client->connection != NULL)
		http_connection_close(client->connection, NULL);
	RUN_UNTIL(client->closed == 1);
}

/* Sends the headers of a request, with those of `more`; its body is still to come. */
static void begin_with(struct client *client, struct asked *asked, const char *method, const char *path,
		       const struct http_header *more, size_t count) {
	struct http_header room[HTTP_HEADERS_ROOM];
	struct http_headers headers = HTTP_HEADERS_IN(room);
	*asked = (struct asked){0};
	http_stream_init(&asked->http, &asked_events, KIB(64));
	asked->http.method = str_from(method);
	asked->http.path = str_from(path);
	asked->http.authority = STR("127.0.0.1");
	http_headers_add(&headers, &asked->http.arena, STR("x-asked"), str_from(path));
	for (size_t i = 0; i < count; i++)
		http_headers_pass(&headers, &asked->http.arena, &more[i]);
	http_request(client->connection, &asked->http, &headers);
}

static void begin(struct client *client, struct asked *asked, const char *path) {
	begin_with(client, asked, "POST", path, NULL, 0);
}

static void ask(struct client *client, struct asked *asked, const char *path) {
	begin(client, asked, path);
	http_stream_write(&asked->http, STR("body"));
	http_stream_finish(&asked->http);
	RUN_UNTIL(asked->closed > 0);
}

static void forget(struct asked *asked) {
	assert_int_equal(asked->closed, 1);
	http_stream_deinit(&asked->http);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer UNUSED) {
	world->timed_out = true;
}

/* A turn of the loop that runs a timer may then wait for the next event, so there is one soon. */
static void on_tick(struct timer *timer) {
	timer_start(&world->loop, timer, TICK_MS);
}

static void make_tls(void) {
	struct error err;
	struct tls_options server = {.cert_file = certificate.cert_file, .key_file = certificate.key_file},
			   client = {.ca_file = certificate.cert_file, .http1_only = world->kind->http1_only};
	world->server_tls = tls_config_new(true, &server, &err);
	world->client_tls = tls_config_new(false, &client, &err);
	assert_non_null(world->server_tls);
	assert_non_null(world->client_tls);
}

static void open_server(const struct http_limits *limits) {
	world->server = http_server_new(&world->loop, &(struct http_server_options){.limits = *limits,
										    .connections_max = 4,
										    .tls = world->server_tls,
										    .tls_only = world->kind->tls});
}

static int set_up(void **state) {
	struct endpoint any;
	struct error err;
	world = mem_zalloc(sizeof *world);
	world->kind = *state;
	loop_init(&world->loop);
	world->limit.fire = on_limit;
	timer_start(&world->loop, &world->limit, 20000);
	world->tick.fire = on_tick;
	timer_start(&world->loop, &world->tick, TICK_MS);
	if (world->kind->tls)
		make_tls();
	open_server(&http_limits_default);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &any, &err), 0);
	assert_int_equal(listener_open(&world->listener, &world->loop, &any, on_accept, NULL, &err), 0);
	return 0;
}

/* Every stream that a handler gave is closed by the end of its server. */
static int tear_down(void **state UNUSED) {
	timer_stop(&world->loop, &world->limit);
	timer_stop(&world->loop, &world->tick);
	http_server_close(world->server);
	listener_close(&world->listener);
	loop_run_out(&world->loop);
	for (size_t i = 0; i < world->served_count; i++) {
		assert_true(world->served[i]->is_closed);
		http_stream_deinit(&world->served[i]->http);
		free(world->served[i]);
	}
	tls_config_unref(world->server_tls);
	tls_config_unref(world->client_tls);
	loop_deinit(&world->loop);
	free(world);
	return 0;
}

/* A server whose peers have TIMEOUT_MS, in place of the one that set_up made. */
static void hurry(void) {
	struct http_limits limits = http_limits_default;
	limits.header_ms = limits.stall_ms = TIMEOUT_MS;
	http_server_close(world->server);
	open_server(&limits);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void the_longest_prefix_wins(void **state UNUSED) {
	static const struct {
		const char *path, *prefix;
	} cases[] = {{"/call/deep/x", "/call/deep"},
		     {"/call/deep", "/call/deep"},
		     {"/call/deep?x=1", "/call/deep"},
		     {"/call/deeper", "/call/"},
		     {"/call/x", "/call/"},
		     {"/call", "/"},
		     {"/calls", "/"},
		     {"/", "/"}};
	struct client client;
	add_place("/call/", ECHOES);
	add_place("/", ECHOES);
	add_place("/call/deep", ECHOES);
	connect_client(&client);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked asked;
		ask(&client, &asked, cases[i].path);
		assert_int_equal(asked.http.status, 200);
		assert_string_equal(asked.place, cases[i].prefix);
		assert_int_equal(asked.received, 4);
		assert_true(asked.in_order);
		forget(&asked);
	}
	close_client(&client);
}

static void a_path_below_no_prefix_is_not_found(void **state UNUSED) {
	struct client client;
	struct asked asked;
	struct place *place = add_place("/call/", ECHOES);
	connect_client(&client);
	ask(&client, &asked, "/other");
	assert_int_equal(asked.http.status, 404);
	assert_int_equal(place->requests, 0);
	forget(&asked);
	ask(&client, &asked, "/call/x"); /* the connection goes on */
	assert_int_equal(asked.http.status, 200);
	forget(&asked);
	close_client(&client);
}

static void ask_from_origin(struct client *client, struct asked *asked, const char *method, const char *origin) {
	const struct http_header headers[] = {{.name = STR("origin"), .value = str_from(origin)},
					      {.name = STR("access-control-request-method"), .value = STR("POST")}};
	begin_with(client, asked, method, "/", headers, ARRAY_LEN(headers));
	http_stream_finish(&asked->http);
	RUN_UNTIL(asked->closed > 0);
}

static void the_server_answers_pages_itself(void **state UNUSED) {
	static const struct str allowed = STR_INIT("access-control-allow-origin");
	struct client client;
	struct asked asked;
	struct place *place = add_place("/", ECHOES);
	connect_client(&client);
	ask_from_origin(&client, &asked, "POST", "https://example.org");
	assert_int_equal(asked.http.status, 403);
	assert_null(http_headers_find(&asked.http.received, allowed));
	forget(&asked);
	ask_from_origin(&client, &asked, "OPTIONS", "http://localhost:3000");
	assert_int_equal(asked.http.status, 204);
	assert_true(str_eq(http_headers_get(&asked.http.received, allowed), STR("http://localhost:3000")));
	assert_int_equal(place->requests, 0);
	forget(&asked);
	ask_from_origin(&client, &asked, "POST", "http://localhost:3000");
	assert_int_equal(asked.http.status, 200);
	assert_int_equal(place->requests, 1);
	forget(&asked);
	close_client(&client);
}

static void a_body_comes_as_it_is_consumed(void **state UNUSED) {
	enum { BODY = 2 << 20, PIECE = 64 << 10 };
	static const char piece[PIECE];
	struct client client;
	struct asked asked;
	struct place *place = add_place("/", HOLDS);
	connect_client(&client);
	begin(&client, &asked, "/");
	for (size_t i = 0; i < BODY / PIECE; i++)
		http_stream_write(&asked.http, str_new(piece, PIECE));
	http_stream_finish(&asked.http);
	RUN_UNTIL(place->last != NULL && place->last->http.lent >= http_limits_default.window);
	struct served *served = place->last;
	while (served->received < BODY) {
		size_t lent = served->http.lent;
		assert_true(lent <= http_limits_default.window + LOOP_READ_SIZE);
		assert_false(served->http.received_end);
		http_stream_consume(&served->http, lent);
		RUN_UNTIL(served->http.lent > 0);
	}
	RUN_UNTIL(served->http.received_end);
	assert_int_equal(served->received, BODY);
	respond(served);
	RUN_UNTIL(asked.closed > 0);
	assert_int_equal(asked.http.status, 200);
	forget(&asked);
	close_client(&client);
}

static void on_drained(void *data) {
	assert_ptr_equal(data, world);
	world->drained++;
}

static void a_drain_waits_for_requests_in_progress(void **state UNUSED) {
	struct client client, late;
	struct asked asked;
	struct place *place = add_place("/", HOLDS);
	connect_client(&client);
	begin(&client, &asked, "/");
	http_stream_finish(&asked.http);
	RUN_UNTIL(place->last != NULL && place->last->http.received_end);
	http_server_drain(world->server, on_drained, world);
	assert_int_equal(http_server_requests(world->server), 1);
	connect_client(&late);
	RUN_UNTIL(late.closed == 1); /* taken by nobody */
	assert_int_equal(world->drained, 0);
	respond(place->last);
	RUN_UNTIL(world->drained > 0);
	assert_int_equal(asked.http.status, 200);
	assert_true(asked.in_order);
	forget(&asked);
	RUN_UNTIL(client.closed == 1);
	assert_int_equal(world->drained, 1);
}

static void a_drain_without_connections_is_done_later(void **state UNUSED) {
	http_server_drain(world->server, on_drained, world);
	assert_int_equal(world->drained, 0);
	RUN_UNTIL(world->drained == 1);
}

/* Whether the client learned that nothing was done about its request: HTTP/1.1 has no other word for it than 503. */
static bool was_refused(const struct asked *asked) {
	return asked->http.unprocessed || asked->http.status == 503;
}

static void a_server_refuses_and_takes_again(void **state UNUSED) {
	struct client client;
	struct asked asked;
	struct place *place = add_place("/", ECHOES);
	http_server_refuse(world->server, true);
	connect_client(&client);
	ask(&client, &asked, "/");
	assert_true(was_refused(&asked));
	assert_int_equal(place->requests, 0);
	forget(&asked);
	close_client(&client);
	http_server_refuse(world->server, false);
	connect_client(&client);
	ask(&client, &asked, "/");
	assert_int_equal(asked.http.status, 200);
	assert_int_equal(place->requests, 1);
	forget(&asked);
	close_client(&client);
}

static void a_handler_refuses_a_request(void **state UNUSED) {
	struct client client;
	struct asked asked;
	struct place *place = add_place("/", REFUSES);
	connect_client(&client);
	ask(&client, &asked, "/");
	assert_true(was_refused(&asked));
	assert_int_equal(place->requests + place->closed, 0);
	forget(&asked);
	close_client(&client);
}

static void a_stream_that_is_stalled_closes_its_connection(void **state UNUSED) {
	struct client client;
	struct asked asked;
	hurry();
	struct place *place = add_place("/", ECHOES);
	place->stalled = true;
	connect_client(&client);
	begin(&client, &asked, "/");
	http_stream_write(&asked.http, STR("half"));
	RUN_UNTIL(client.closed == 1);
	assert_int_equal(place->closed, 1);
	assert_int_equal(place->last->why, CODE_DEADLINE_EXCEEDED);
	assert_false(asked.in_order);
	forget(&asked);
}

static void a_stream_between_two_messages_may_be_silent(void **state UNUSED) {
	struct client client;
	struct asked asked;
	hurry();
	struct place *place = add_place("/", ECHOES);
	connect_client(&client);
	begin(&client, &asked, "/");
	http_stream_write(&asked.http, STR("whole"));
	for (uint64_t until = loop_now_ms(&world->loop) + 4 * TIMEOUT_MS; loop_now_ms(&world->loop) < until;)
		uv_run(&world->loop.uv, UV_RUN_ONCE);
	assert_int_equal(place->closed, 0);
	http_stream_finish(&asked.http);
	RUN_UNTIL(asked.closed > 0);
	assert_int_equal(asked.http.status, 200);
	forget(&asked);
	close_client(&client);
}

/* A client below HTTP. */
struct raw {
	struct transport *transport;
	struct str first;
	bool has_ended, is_closed;
};

static void on_raw_connected(struct transport *transport, const struct error *err) {
	struct raw *raw = transport->owner;
	assert_null(err);
	transport_start_reading(transport);
	transport_write(transport, raw->first);
}

static void on_raw_read(struct transport *transport UNUSED, struct str bytes UNUSED) {
}

static void on_raw_end(struct transport *transport, const struct error *err UNUSED) {
	struct raw *raw = transport->owner;
	raw->has_ended = true;
	transport_close(transport);
}

static void on_raw_drained(struct transport *transport UNUSED) {
}

static void on_raw_closed(struct transport *transport) {
	struct raw *raw = transport->owner;
	raw->is_closed = true;
}

static const struct transport_events raw_events = {.on_connected = on_raw_connected,
						   .on_read = on_raw_read,
						   .on_end = on_raw_end,
						   .on_drained = on_raw_drained,
						   .on_closed = on_raw_closed};

static void headers_have_a_time_limit(void **state UNUSED) {
	struct raw raw = {.first = world->kind->half_a_head};
	hurry();
	struct place *place = add_place("/", ECHOES);
	raw.transport =
		transport_connect(&world->loop, &world->listener.endpoint, world->client_tls, &raw_events, &raw);
	uint64_t since = loop_now_ms(&world->loop);
	RUN_UNTIL(raw.has_ended);
	assert_true(loop_now_ms(&world->loop) - since >= TIMEOUT_MS);
	assert_int_equal(place->requests, 0);
	RUN_UNTIL(raw.is_closed);
}

static void headers_have_a_size_limit(void **state UNUSED) {
	static char path[KIB(20)];
	struct client client;
	struct asked asked;
	struct place *place = add_place("/", ECHOES);
	memset(path, 'x', sizeof path - 1);
	path[0] = '/';
	connect_client(&client);
	begin(&client, &asked, path);
	http_stream_finish(&asked.http);
	RUN_UNTIL(asked.closed > 0);
	assert_int_equal(asked.http.status, 431);
	assert_int_equal(place->requests, 0);
	forget(&asked);
	close_client(&client);
}

static void each_open_stream_is_closed_once_and_last(void **state UNUSED) {
	struct client client;
	struct asked asked[STREAMS_MAX];
	struct place *place = add_place("/", HOLDS);
	size_t count = world->kind->streams_max;
	connect_client(&client);
	for (size_t i = 0; i < count; i++) {
		begin(&client, &asked[i], "/");
		http_stream_write(&asked[i].http, STR("half"));
	}
	RUN_UNTIL(place->requests == count);
	assert_int_equal(http_server_requests(world->server), count);
	http_server_close(world->server);
	assert_int_equal(place->closed, 0); /* never from inside */
	RUN_UNTIL(place->closed == count && client.closed == 1);
	world->server = NULL;
	for (size_t i = 0; i < count; i++) {
		assert_false(asked[i].in_order);
		forget(&asked[i]);
	}
}

static void count_stream(struct http_stream *http, void *data) {
	size_t *count = data;
	assert_non_null(served_of(http));
	++*count;
}

static void streams_are_visited_by_owner(void **state UNUSED) {
	struct client client;
	struct asked asked;
	size_t count = 0;
	struct place *place = add_place("/", HOLDS), *other = add_place("/other", HOLDS);
	connect_client(&client);
	begin(&client, &asked, "/");
	RUN_UNTIL(place->requests == 1);
	http_server_visit(world->server, other, count_stream, &count);
	assert_int_equal(count, 0);
	http_server_visit(world->server, place, count_stream, &count);
	assert_int_equal(count, 1);
	close_client(&client);
	forget(&asked);
}

/* --- the suite ---------------------------------------------------------------------------------------------------- */

#define SUITE_TEST(function) \
	{ .name = #function, .test_func = function }

static const struct CMUnitTest cases[] = {
	SUITE_TEST(the_longest_prefix_wins),
	SUITE_TEST(a_path_below_no_prefix_is_not_found),
	SUITE_TEST(the_server_answers_pages_itself),
	SUITE_TEST(a_body_comes_as_it_is_consumed),
	SUITE_TEST(a_drain_waits_for_requests_in_progress),
	SUITE_TEST(a_drain_without_connections_is_done_later),
	SUITE_TEST(a_server_refuses_and_takes_again),
	SUITE_TEST(a_handler_refuses_a_request),
	SUITE_TEST(a_stream_that_is_stalled_closes_its_connection),
	SUITE_TEST(a_stream_between_two_messages_may_be_silent),
	SUITE_TEST(headers_have_a_time_limit),
	SUITE_TEST(headers_have_a_size_limit),
	SUITE_TEST(each_open_stream_is_closed_once_and_last),
	SUITE_TEST(streams_are_visited_by_owner),
};

static int make_certificate(void **state UNUSED) {
	certificate_make(&certificate);
	return 0;
}

static int remove_certificate(void **state UNUSED) {
	certificate_remove(&certificate);
	return 0;
}

int http_suite_run(const struct connection_kind *kinds, size_t count) {
	size_t total = count * ARRAY_LEN(cases);
	struct CMUnitTest *tests = mem_alloc(total * sizeof *tests);
	for (size_t i = 0; i < total; i++) {
		const struct connection_kind *kind = &kinds[i / ARRAY_LEN(cases)];
		tests[i] = cases[i % ARRAY_LEN(cases)];
		tests[i].name = mem_printf("%s: %s", kind->name, tests[i].name);
		tests[i].setup_func = set_up;
		tests[i].teardown_func = tear_down;
		tests[i].initial_state = (void *)kind;
	}
	int failed = _cmocka_run_group_tests("http server", tests, total, make_certificate, remove_certificate);
	for (size_t i = 0; i < total; i++)
		free((char *)tests[i].name);
	free(tests);
	return failed;
}
