/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server behind all routers that are measured: VerbService/Call returns the body of the request. With --register it is
 * also N Runners, which accept every deployment.
 *
 *   bench-echo --bind URL [--register URL] [--runners N] [--language NAME]
 *
 * Runner n listens on the n-th port after that of --bind. Prints "ready" when it listens.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "ftl.pb-c.h"
#include "net/listener.h"
#include "pb/wire.h"
#include "rpc/unary.h"

enum { CALL_MAX = 65 << 20, BODY = 3 };

static struct loop loop;
static struct rpc_channel *backplane;

struct runner {
	struct rpc_server *server;
	struct listener listener;
	char endpoint[ENDPOINT_MAX];
	char key[KEY_MAX];
	char deployment[KEY_MAX];
	struct rpc_stream *registration;
};

/* --- the echo ----------------------------------------------------------------------------------------------------- */

struct call {
	struct buf request;
};

static void must(int failed) {
	if (failed) {
		fprintf(stderr, "bench-echo: a message is larger than it can be\n");
		exit(1);
	}
}

static struct str body_of(struct str request) {
	struct wire_field field;
	while (wire_take(&request, &field))
		if (field.number == BODY && field.type == WIRE_BYTES)
			return field.bytes;
	return STR("");
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct call *call = stream->owner;
	must(buf_append(&call->request, bytes));
	rpc_consume(stream, bytes.len);
}

static void on_end(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	struct str body = body_of(buf_view(&call->request));
	struct buf head = BUF_INIT(16);
	must(wire_put_tag(&head, 1, WIRE_BYTES) | wire_put_varint(&head, body.len));
	rpc_begin(stream, buf_len(&head) + body.len);
	rpc_write(stream, buf_view(&head));
	rpc_write(stream, body);
	rpc_finish(stream, CODE_OK, "");
	buf_deinit(&head);
}

static void on_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	buf_deinit(&call->request);
	free(call);
}

static const struct rpc_events call_events = {
	.message = on_message, .data = on_data, .end = on_end, .closed = on_closed};

static void start_call(struct rpc_stream *stream) {
	struct call *call = mem_alloc(sizeof *call);
	call->request = BUF_INIT(CALL_MAX);
	stream->owner = call;
	stream->events = &call_events;
}

/* --- the Runner --------------------------------------------------------------------------------------------------- */

static void answer_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	rpc_unary_reply(unary, &response.base);
}

static void on_deployed_answered(void *owner UNUSED, const ProtobufCMessage *response UNUSED, const struct error *err) {
	if (err != NULL)
		fprintf(stderr, "bench-echo: Deployed: %s\n", err->msg);
}

static void report(const struct runner *runner, const char *deployment, const char *error) {
	Ftl__DeployedRequest request = FTL__DEPLOYED_REQUEST__INIT;
	request.deployment_key = (char *)deployment;
	request.runner_key = (char *)runner->key;
	request.error = (char *)error;
	rpc_unary_call(backplane,
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.BackplaneService/Deployed",
						   .response = &ftl__deployed_response__descriptor,
						   .done = on_deployed_answered},
		       &request.base);
}

static void deploy(struct rpc_unary *unary, const ProtobufCMessage *request) {
	struct runner *runner = unary->service;
	snprintf(runner->deployment, sizeof runner->deployment, "%s",
		 ((const Ftl__DeployRequest *)request)->deployment_key);
	Ftl__DeployResponse response = FTL__DEPLOY_RESPONSE__INIT;
	rpc_unary_reply(unary, &response.base);
	if (runner->key[0] != '\0')
		report(runner, runner->deployment, "");
}

static void terminate(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	struct runner *runner = unary->service;
	Ftl__TerminateResponse response = FTL__TERMINATE_RESPONSE__INIT;
	rpc_unary_reply(unary, &response.base);
	report(runner, runner->deployment, "it was told to end");
	runner->deployment[0] = '\0';
}

static const struct rpc_method methods[] = {
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = start_call},
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", answer_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Ping", answer_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Deploy", deploy, ftl__deploy_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Terminate", terminate, ftl__terminate_request__descriptor),
};

static void on_registered(struct rpc_stream *stream) {
	struct runner *runner = stream->owner;
	struct str key = http_headers_get(&stream->http.received, STR("ftl-runner-key"));
	snprintf(runner->key, sizeof runner->key, "%.*s", STR_ARG(key));
	/* The deploy request comes on another connection and may have arrived before this response. */
	if (runner->deployment[0] != '\0')
		report(runner, runner->deployment, "");
}

static void on_registration_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

/* Exits when the Backplane does. */
static void on_unregistered(struct rpc_stream *stream UNUSED) {
	loop_stop(&loop);
}

static const struct rpc_events registration_events = {
	.headers = on_registered, .message = on_message, .data = on_registration_data, .closed = on_unregistered};

static void register_runner(struct runner *runner, const char *language) {
	Ftl__RegisterRunnerRequest request = FTL__REGISTER_RUNNER_REQUEST__INIT;
	request.language = (char *)language;
	request.endpoint = runner->endpoint;
	runner->registration = rpc_call(
		backplane, &(struct rpc_call_options){.path = STR("/xyz.block.ftl.v1.BackplaneService/RegisterRunner"),
						      .events = &registration_events,
						      .owner = runner});
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(runner->registration, pb_pack(&request.base, &arena));
	arena_deinit(&arena);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static void stop_if(int failed, const struct error *err) {
	if (failed) {
		fprintf(stderr, "bench-echo: %s\n", err->msg);
		exit(1);
	}
}

static void on_accept(struct listener *listener, int fd) {
	struct runner *runner = listener->owner;
	rpc_server_accept(runner->server, fd, false);
}

static void start_runner(struct runner *runner, struct endpoint endpoint, unsigned index) {
	struct rpc_server_options options = rpc_server_options_default;
	struct error err;
	endpoint.port = (uint16_t)(endpoint.port + index);
	options.message_max = CALL_MAX;
	runner->server = rpc_server_new(&loop, &options);
	rpc_server_add(runner->server, methods, ARRAY_LEN(methods), runner);
	stop_if(listener_open(&runner->listener, &loop, &endpoint, on_accept, runner, &err), &err);
	endpoint_format(&runner->listener.endpoint, runner->endpoint);
}

int main(int argc, char **argv) {
	const char *bind = getenv("FTL_BIND"), *to = NULL, *language = "bench";
	unsigned count = 1;
	struct endpoint endpoint;
	struct error err;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_WARN, "bench-echo");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--bind") == 0)
			bind = argv[i + 1];
		else if (strcmp(argv[i], "--register") == 0)
			to = argv[i + 1];
		else if (strcmp(argv[i], "--runners") == 0)
			count = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--language") == 0)
			language = argv[i + 1];
	}
	loop_init(&loop);
	stop_if(endpoint_parse(str_from(bind ? bind : "http://127.0.0.1:0"), &endpoint, &err), &err);
	struct runner *runners = mem_zalloc(count * sizeof *runners);
	for (unsigned i = 0; i < count; i++)
		start_runner(&runners[i], endpoint, i);
	if (to != NULL) {
		struct endpoint at;
		stop_if(endpoint_parse(str_from(to), &at, &err), &err);
		backplane = rpc_channel_new(&loop, &at, &rpc_channel_options_default);
		for (unsigned i = 0; i < count; i++)
			register_runner(&runners[i], language);
	}
	printf("ready\n");
	fflush(stdout);
	loop_run(&loop);
	return 0;
}
