/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main program of a C module that runs as a process: serves VerbService on FTL_BIND until SIGTERM, and then finishes
 * the calls in progress. It has no limit for that: the Runner kills it when they take too long.
 *
 *   STARTING ──started──▶ SERVING ──SIGTERM──▶ FINISHING ──no calls──▶ STOPPING ──stopped──▶ STOPPED ──drained──▶ exit
 *      │ SIGTERM                                   ▲
 *      └─────────▶ STARTING_TO_END ──started───────┘
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/startup.h"
#include "base/text.h"
#include "ftl.pb-c.h"
#include "module/backplane_retry.h"
#include "module/module_host.h"
#include "net/listener.h"
#include "rpc/unary.h"

enum program_state {
	PROGRAM_STARTING, /* the module's start runs */
	PROGRAM_STARTING_TO_END, /* SIGTERM came while the module's start runs */
	PROGRAM_SERVING,
	PROGRAM_FINISHING, /* takes no new calls */
	PROGRAM_STOPPING, /* the module's stop runs */
	PROGRAM_STOPPED,
};

struct program {
	enum program_state state;
	struct loop loop;
	struct listener listener;
	struct rpc_server *server;
	struct rpc_channel *backplane; /* NULL: FTL_ENDPOINT is not set */
	struct module_host *module;
	uv_signal_t signals[2];
	bool is_drained; /* the last response has been sent */
	struct error failure;
};

/* --- logs --------------------------------------------------------------------------------------------------------- */

/* Writes a JSON object as one line on stdout, in one write. */
static void on_log(void *owner UNUSED, const struct module_log *said) {
	char time[TIME_TEXT_MAX];
	time_format(time, clock_wall_ms());
	size_t size = (strlen(said->message) + strlen(said->verb) + strlen(said->request_id)) * 6 + 256;
	struct buf line = BUF_INIT(size);
	int over =
		buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, log_level_name(said->level));
	text_quote(&line, str_from(said->message));
	if (said->verb[0] != '\0') {
		over |= buf_append(&line, STR(",\"verb\":"));
		text_quote(&line, str_from(said->verb));
		over |= buf_append(&line, STR(",\"request_id\":"));
		text_quote(&line, str_from(said->request_id));
	}
	over |= buf_append(&line, STR("}\n"));
	ASSERT(over == 0);
	ssize_t written UNUSED = write(STDOUT_FILENO, buf_view(&line).ptr, buf_len(&line));
	buf_deinit(&line);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

#define TO(state) (1u << (state))

static void move_to(struct program *program, enum program_state next) {
	static const unsigned allowed[] = {
		[PROGRAM_STARTING] = TO(PROGRAM_STARTING_TO_END) | TO(PROGRAM_SERVING),
		[PROGRAM_STARTING_TO_END] = TO(PROGRAM_FINISHING),
		[PROGRAM_SERVING] = TO(PROGRAM_FINISHING),
		[PROGRAM_FINISHING] = TO(PROGRAM_STOPPING),
		[PROGRAM_STOPPING] = TO(PROGRAM_STOPPED),
		[PROGRAM_STOPPED] = 0,
	};
	ASSERT(allowed[program->state] & TO(next));
	program->state = next;
}

static void end_if_done(struct program *program) {
	if (program->state == PROGRAM_STOPPED && program->is_drained)
		loop_stop(&program->loop);
}

static void on_drained(void *data) {
	struct program *program = data;
	program->is_drained = true;
	end_if_done(program);
}

static void on_stopped(void *owner) {
	struct program *program = owner;
	move_to(program, PROGRAM_STOPPED);
	end_if_done(program);
}

static void stop_when_idle(struct program *program) {
	if (program->state != PROGRAM_FINISHING || module_host_calls(program->module) > 0)
		return;
	move_to(program, PROGRAM_STOPPING);
	module_host_stop(program->module);
}

static void on_idle(void *owner) {
	stop_when_idle(owner);
}

static void on_signal(uv_signal_t *handle, int number UNUSED) {
	struct program *program = handle->data;
	if (program->state != PROGRAM_STARTING && program->state != PROGRAM_SERVING)
		return;
	listener_close(&program->listener);
	rpc_server_drain(program->server, on_drained, program);
	move_to(program, program->state == PROGRAM_STARTING ? PROGRAM_STARTING_TO_END : PROGRAM_FINISHING);
	stop_when_idle(program);
}

static void on_started(void *owner, const struct error *err) {
	struct program *program = owner;
	if (err != NULL) {
		program->failure = *err;
		loop_stop(&program->loop);
		return;
	}
	move_to(program, program->state == PROGRAM_STARTING ? PROGRAM_SERVING : PROGRAM_FINISHING);
	stop_when_idle(program);
}

static const struct module_events module_events = {
	.started = on_started, .idle = on_idle, .stopped = on_stopped, .log = on_log};

/* --- the service -------------------------------------------------------------------------------------------------- */

static void on_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct program *program = unary->service;
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	if (program->state == PROGRAM_STARTING || program->state == PROGRAM_STARTING_TO_END)
		response.not_ready = (char *)"the module's start is running";
	rpc_unary_reply(unary, &response.base);
}

static void start_call(struct rpc_stream *stream) {
	const struct program *program = stream->service;
	if (program->state == PROGRAM_SERVING)
		module_host_call(program->module, stream);
	else
		rpc_refuse(stream);
}

static void start_list(struct rpc_stream *stream) {
	const struct program *program = stream->service;
	module_host_list(program->module, stream);
}

static const struct rpc_method methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", on_ping, ftl__ping_request__descriptor),
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = start_call},
	{.path = "/xyz.block.ftl.v1.VerbService/List", .start = start_list},
};

static void on_accept(struct listener *listener, int fd) {
	struct program *program = listener->owner;
	rpc_server_accept(program->server, fd, false);
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

static int read_endpoint(const char *name, struct endpoint *ret_endpoint, struct error *err) {
	const char *text = getenv(name);
	return endpoint_parse(str_from(text), ret_endpoint, err) < 0 ? error_wrap(err, "%s", name) : 0;
}

static int check_environment(struct endpoint *ret_bind, struct error *err) {
	const char *module = getenv("FTL_MODULE");
	if (getenv("FTL_BIND") == NULL)
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"FTL_BIND is not set: the Runner that starts this program sets it to the address to serve on. To start it "
			"by hand, set FTL_BIND=http://127.0.0.1:9000");
	if (module_check(&ftl_module, err) < 0 || read_endpoint("FTL_BIND", ret_bind, err) < 0)
		return -1;
	if (module != NULL && strcmp(module, ftl_module.name) != 0)
		return error_set(err, CODE_FAILED_PRECONDITION, "this program is the module %s, and was deployed as %s",
				 ftl_module.name, module);
	return 0;
}

static int connect_backplane(struct program *program, struct error *err) {
	struct endpoint endpoint;
	if (getenv("FTL_ENDPOINT") == NULL)
		return 0; /* started by hand: only calls to other modules need it */
	if (read_endpoint("FTL_ENDPOINT", &endpoint, err) < 0)
		return -1;
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = BACKPLANE_RETRY_FIRST_MS;
	options.backoff_max_ms = BACKPLANE_RETRY_LAST_MS;
	program->backplane = rpc_channel_new(&program->loop, &endpoint, &options);
	return 0;
}

static void catch_signals(struct program *program) {
	static const int numbers[ARRAY_LEN(program->signals)] = {SIGTERM, SIGINT};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&program->loop.uv, &program->signals[i]);
		program->signals[i].data = program;
		uv_signal_start(&program->signals[i], on_signal, numbers[i]);
	}
}

static const char *environment(const char *name) {
	const char *text = getenv(name);
	return text ? text : "";
}

static int serve(struct program *program, const struct endpoint *bind, struct error *err) {
	if (listener_open(&program->listener, &program->loop, bind, on_accept, program, err) < 0)
		return -1;
	catch_signals(program);
	program->module = module_host_new(&(struct module_host_options){
		.loop = &program->loop,
		.module = &ftl_module,
		.deployment = environment("FTL_DEPLOYMENT"),
		.working_dir = environment("FTL_WORKING_DIR"),
		.backplane = program->backplane,
		.events = &module_events,
		.owner = program,
	});
	loop_run(&program->loop);
	/* Ends the threads of verbs, which hear signals, before the signals are closed. */
	module_host_free(program->module);
	for (size_t i = 0; i < ARRAY_LEN(program->signals); i++)
		loop_close_signal(&program->signals[i]);
	listener_close(&program->listener);
	*err = program->failure;
	return program->failure.code == CODE_OK ? 0 : -1;
}

static int run(struct program *program, struct error *err) {
	struct endpoint bind;
	if (check_environment(&bind, err) < 0)
		return -1;
	loop_init(&program->loop);
	struct rpc_server_options options = rpc_server_options_default;
	options.http.header_bytes = HTTP_HEADER_BYTES_MAX; /* the limit of a Runner */
	options.http.resets = HTTP_NEVER; /* the Runner resets the calls that its clients cancel, however many */
	program->server = rpc_server_new(&program->loop, &options);
	rpc_server_add(program->server, methods, ARRAY_LEN(methods), program);
	int result = connect_backplane(program, err);
	if (result == 0)
		result = serve(program, &bind, err);
	rpc_server_close(program->server);
	rpc_channel_close(program->backplane);
	loop_run_out(&program->loop);
	loop_deinit(&program->loop);
	return result;
}

FTL_EXPORT int main(void) {
	static struct program program;
	struct error err;
	startup_hold_streams();
	startup_catch_write_signals();
	/* Line by line: stdio would buffer whole blocks for a pipe, and logs are read while they are written. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (run(&program, &err) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "%s: %s\n", ftl_module.name ? ftl_module.name : "ftl", err.msg);
	return EXIT_FAILURE;
}
