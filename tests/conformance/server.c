/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server under test of connectrpc/conformance; with --bind also the target of h2spec and others.
 *
 * A call collects requests; the first one defines the response, its delays and its error. `step` sends what is due.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "common.h"
#include "net/listener.h"
#include "net/tls.h"
#include "pb/wire.h"
#include "rpc/reflection.h"
#include "rpc/server.h"

enum { CALL_MAX = MIB(64) };

enum kind { UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI_STREAM };

struct request {
	struct str bytes;
};

struct call {
	struct rpc_stream *stream;
	enum kind kind;
	const char *request_type;
	struct timer timer;
	struct arena arena;
	struct buf incoming;
	struct request requests[1000];
	size_t request_count;
	size_t listed; /* requests that an answer has listed */
	struct str definition; /* of the answer */
	size_t answers, sent;
	bool defined, full_duplex, ended, waiting, waited, headers_listed;
};

static struct server {
	struct loop loop;
	struct rpc_server *rpc;
	struct listener listener;
} server;

/* --- the answer --------------------------------------------------------------------------------------------------- */

static bool is_stream(const struct call *call) {
	return call->kind == SERVER_STREAM || call->kind == BIDI_STREAM;
}

static void put_request_info(struct call *call, struct buf *info) {
	if (!call->headers_listed) {
		put_header_fields(info, 1, &call->stream->http.received);
		if (call->stream->deadline.timeout_ms > 0)
			must(wire_put_tag(info, 2, WIRE_VARINT) |
			     wire_put_varint(info, call->stream->deadline.timeout_ms));
	}
	for (; call->listed < call->request_count; call->listed++)
		put_any(info, 3, str_from(call->request_type), call->requests[call->listed].bytes);
	if (!call->headers_listed && str_eq(call->stream->http.method, STR("GET")))
		must(wire_put_bytes(info, 4, STR("")));
	call->headers_listed = true;
}

static bool lists_requests(const struct call *call) {
	return call->sent == 0 || call->full_duplex;
}

static void send_answer(struct call *call, struct str data) {
	struct buf message = BUF_INIT(CALL_MAX);
	must(wire_put_bytes(&message, 1, data));
	if (lists_requests(call)) {
		size_t offset = buf_len(&message);
		put_request_info(call, &message);
		must(wire_wrap(&message, offset, 2));
	}
	must(wire_wrap(&message, 0, 1));
	call->sent++;
	rpc_send(call->stream, buf_view(&message));
	buf_deinit(&message);
}

static void fail(struct call *call, struct str error) {
	struct wire_field field;
	struct str rest = error;
	while (wire_take(&rest, &field)) {
		if (field.number != 3)
			continue;
		rpc_add_detail(call->stream, wire_type_name(field_bytes(field.bytes, 1)), field_bytes(field.bytes, 2));
	}
	if (call->sent == 0) {
		struct buf info = BUF_INIT(CALL_MAX);
		put_request_info(call, &info);
		rpc_add_detail(call->stream, STR("connectrpc.conformance.v1.ConformancePayload.RequestInfo"),
			       buf_view(&info));
		buf_deinit(&info);
	}
	rpc_finish(call->stream, code_from_number((long)field_number(error, 1)),
		   arena_strdup(&call->arena, field_bytes(error, 2)));
}

/* Ends the call with the error of the definition, or with OK. */
static void end(struct call *call) {
	unsigned error = is_stream(call) ? 4 : 3;
	if (has_field(call->definition, error))
		fail(call, field_bytes(call->definition, error));
	else
		rpc_finish(call->stream, CODE_OK, "");
}

static struct str nth_answer(const struct call *call, size_t n) {
	struct wire_field field;
	struct str rest = call->definition;
	while (wire_take(&rest, &field))
		if (field.number == 2 && n-- == 0)
			return field.bytes;
	return STR("");
}

static void define(struct call *call) {
	struct str first = call->requests[0].bytes;
	struct wire_field field;
	call->defined = true;
	call->definition = field_bytes(first, 1);
	call->full_duplex = call->kind == BIDI_STREAM && field_number(first, 2) != 0;
	for (struct str rest = call->definition; is_stream(call) && wire_take(&rest, &field);)
		call->answers += field.number == 2;
	struct rpc_stream *stream = call->stream;
	add_header_fields(&stream->response_headers, &stream->http.arena, call->definition, 1);
	add_header_fields(&stream->http.send_trailers, &stream->http.arena, call->definition, is_stream(call) ? 5 : 4);
}

/* Whether the next answer is due; if not, a timer calls step when it is. */
static bool is_due(struct call *call) {
	uint64_t delay = field_number(call->definition, is_stream(call) ? 3 : 6);
	if (delay == 0 || call->waited) {
		call->waited = false;
		return true;
	}
	call->waiting = true;
	timer_start(&server.loop, &call->timer, delay);
	return false;
}

static void answer_once(struct call *call) {
	if (!is_due(call))
		return;
	if (has_field(call->definition, 3)) {
		end(call);
		return;
	}
	send_answer(call, field_bytes(call->definition, 2));
	rpc_finish(call->stream, CODE_OK, "");
}

static void answer_stream(struct call *call) {
	bool can_begin = call->full_duplex ? call->request_count > 0 : call->ended;
	if (!can_begin)
		return;
	rpc_respond(call->stream);
	while (call->sent < call->answers) {
		if (call->full_duplex && !call->ended && call->sent >= call->request_count)
			return;
		if (!is_due(call))
			return;
		send_answer(call, nth_answer(call, call->sent));
	}
	if (call->ended || (call->full_duplex && call->request_count > call->answers))
		end(call);
}

static void step(struct call *call) {
	if (call->stream == NULL || rpc_has_ended(call->stream) || call->waiting)
		return;
	if (!call->defined && call->request_count > 0)
		define(call);
	if (is_stream(call))
		answer_stream(call);
	else if (call->ended)
		answer_once(call);
}

static void on_timer(struct timer *timer) {
	struct call *call = CONTAINER_OF(timer, struct call, timer);
	call->waiting = false;
	call->waited = true;
	step(call);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static void take_request(struct call *call) {
	bool single = call->kind == UNARY || call->kind == SERVER_STREAM;
	if (call->request_count == ARRAY_LEN(call->requests) || (single && call->request_count == 1)) {
		rpc_finish(call->stream, CODE_UNIMPLEMENTED, "more messages than this method takes");
		return;
	}
	call->requests[call->request_count++].bytes = arena_copy(&call->arena, buf_view(&call->incoming));
	buf_clear(&call->incoming);
	step(call);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	if (size == 0)
		take_request(stream->owner);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct call *call = stream->owner;
	must(buf_append(&call->incoming, bytes));
	rpc_consume(stream, bytes.len);
	if (stream->message_left == 0)
		take_request(call);
}

static void on_end(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	bool single = call->kind == UNARY || call->kind == SERVER_STREAM;
	call->ended = true;
	if (single && call->request_count == 0)
		rpc_finish(stream, CODE_UNIMPLEMENTED, "this method takes one message");
	else
		step(call);
}

static void on_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	timer_stop(&server.loop, &call->timer);
	buf_deinit(&call->incoming);
	arena_deinit(&call->arena);
	free(call);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .end = on_end, .closed = on_closed};

static void start(struct rpc_stream *stream, enum kind kind, const char *request_type) {
	struct call *call = mem_zalloc(sizeof *call);
	call->stream = stream;
	call->kind = kind;
	call->request_type = request_type;
	call->timer.fire = on_timer;
	arena_init(&call->arena, CALL_MAX);
	buf_init(&call->incoming, CALL_MAX);
	stream->owner = call;
	stream->events = &events;
}

#define PACKAGE "connectrpc.conformance.v1."
#define METHOD(name) "/" PACKAGE "ConformanceService/" name

static void start_unary(struct rpc_stream *stream) {
	start(stream, UNARY, PACKAGE "UnaryRequest");
}

static void start_idempotent(struct rpc_stream *stream) {
	start(stream, UNARY, PACKAGE "IdempotentUnaryRequest");
}

static void start_client_stream(struct rpc_stream *stream) {
	start(stream, CLIENT_STREAM, PACKAGE "ClientStreamRequest");
}

static void start_server_stream(struct rpc_stream *stream) {
	start(stream, SERVER_STREAM, PACKAGE "ServerStreamRequest");
}

static void start_bidi_stream(struct rpc_stream *stream) {
	start(stream, BIDI_STREAM, PACKAGE "BidiStreamRequest");
}

static const struct rpc_method methods[] = {
	{.path = METHOD("Unary"), .start = start_unary},
	{.path = METHOD("IdempotentUnary"), .start = start_idempotent},
	{.path = METHOD("ClientStream"), .start = start_client_stream},
	{.path = METHOD("ServerStream"), .start = start_server_stream},
	{.path = METHOD("BidiStream"), .start = start_bidi_stream},
};

/* --- the program -------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *listener UNUSED, int fd) {
	rpc_server_accept(server.rpc, fd, false);
}

static void stop_if(int failed, const struct error *err) {
	if (!failed)
		return;
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

static void listen_on(const char *text, const struct rpc_server_options *options) {
	struct endpoint endpoint;
	struct error err;
	server.rpc = rpc_server_new(&server.loop, options);
	rpc_server_add(server.rpc, methods, ARRAY_LEN(methods), NULL);
	rpc_reflection_new(server.rpc, options->types);
	stop_if(endpoint_parse(str_from(text), &endpoint, &err), &err);
	stop_if(listener_open(&server.listener, &server.loop, &endpoint, on_accept, NULL, &err), &err);
}

static struct tls_config *make_tls(const char *cert, const char *key, const char *ca) {
	struct error err;
	struct tls_options options = {.cert_file = cert, .key_file = key, .ca_file = ca};
	struct tls_config *config = tls_config_new(true, &options, &err);
	stop_if(config == NULL, &err);
	return config;
}

/* Reads from standard input what the suite wants, listens, and writes the address. */
static void configure_from_stdin(struct rpc_server_options *options) {
	struct buf asked = BUF_INIT(CALL_MAX), answer = BUF_INIT(CALL_MAX);
	if (!read_frame(STDIN_FILENO, &asked))
		exit(1);
	struct str request = buf_view(&asked), creds = field_bytes(request, 7), ca = field_bytes(request, 5);
	bool tls = field_number(request, 4) != 0;
	if (tls)
		options->tls = make_tls(temporary_file(field_bytes(creds, 1)), temporary_file(field_bytes(creds, 2)),
					ca.len > 0 ? temporary_file(ca) : NULL);
	if (field_number(request, 6) > 0)
		options->message_max = field_number(request, 6);
	listen_on("http://127.0.0.1:0", options);
	must(wire_put_bytes(&answer, 1, STR("127.0.0.1")) | wire_put_tag(&answer, 2, WIRE_VARINT) |
	     wire_put_varint(&answer, server.listener.endpoint.port));
	if (tls)
		must(wire_put_bytes(&answer, 3, field_bytes(creds, 1)));
	write_frame(STDOUT_FILENO, buf_view(&answer));
	buf_deinit(&asked);
	buf_deinit(&answer);
}

int main(int argc, char **argv) {
	struct rpc_server_options options = rpc_server_options_default;
	const char *cert = NULL, *key = NULL, *ca = NULL, *bind = NULL;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_DEBUG, "server");
	for (int i = 1; i + 1 < argc; i += 2) {
		long number = atol(argv[i + 1]);
		if (strcmp(argv[i], "--bind") == 0)
			bind = argv[i + 1];
		else if (strcmp(argv[i], "--cert") == 0)
			cert = argv[i + 1];
		else if (strcmp(argv[i], "--key") == 0)
			key = argv[i + 1];
		else if (strcmp(argv[i], "--ca") == 0)
			ca = argv[i + 1];
		else if (strcmp(argv[i], "--max-held") == 0)
			options.held_max = (size_t)number;
		else if (strcmp(argv[i], "--max-connections") == 0)
			options.connections_max = (size_t)number;
		else if (strcmp(argv[i], "--idle") == 0)
			options.http.idle_ms = (uint32_t)number;
		else if (strcmp(argv[i], "--timeouts") == 0) /* short ones, for tests */
			options.http.header_ms = options.http.stall_ms = (uint32_t)number;
	}
	loop_init(&server.loop);
	options.types = conformance_types_new();
	if (bind == NULL) {
		configure_from_stdin(&options);
	} else {
		if (cert != NULL)
			options.tls = make_tls(cert, key, ca);
		listen_on(bind, &options);
		printf("%u\n", server.listener.endpoint.port);
		fflush(stdout);
	}
	loop_run(&server.loop);
	return 0;
}
