/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   REGISTERING ──accepted──▶ SERVING ──lost──▶ REGISTERING      (registrar.c; calls go on meanwhile)
 *        │ refused, orphaned     │
 *        └──────────┬────────────┘ SIGTERM, Terminate, a library's end
 *                   ▼
 *               STOPPING ──nothing is hosted──▶ FINISHING ──all is said, or it takes too long──▶ the end
 *
 * What is hosted has a machine of its own (hosting.c); a Runner without one is idle.
 */
#include "runner/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "ftl.pb-c.h"
#include "ftl_descriptors.h"
#include "net/listener.h"
#include "net/tls.h"
#include "rpc/unary.h"
#include "runner/hosting.h"
#include "runner/registrar.h"
#include "runner/reports.h"

enum {
	KEEPALIVE_MS = 2000, /* a Backplane that is silent for twice as long is gone */
	BACKOFF_FIRST_MS = 50,
	BACKOFF_LAST_MS = 250, /* as of the registration: one that comes back is found within a second */
	STOP_GRACE_MS = 30000, /* for calls in progress, when the Runner is told to stop by a signal */
	FINISHING_MAX_MS = 1000, /* for the last words */
	FINISHING_POLL_MS = 5,
};

enum runner_process_state {
	RUNNER_PROCESS_REGISTERING,
	RUNNER_PROCESS_SERVING,
	RUNNER_PROCESS_STOPPING,
	RUNNER_PROCESS_FINISHING
};

struct runner_process {
	const struct runner_options *options;
	enum runner_process_state state;
	struct loop loop;
	struct listener listener;
	struct rpc_server *server;
	struct types *types; /* so that people can ask a Runner in JSON */
	struct rpc_channel *backplane;
	char endpoint[ENDPOINT_MAX]; /* our own */
	struct tls_config *server_tls, *client_tls; /* NULL: none */
	char *work_folder;
	bool made_work_folder;
	struct registrar registrar;
	struct logs logs;
	struct reports reports;
	struct hosting *hosting; /* NULL: idle */
	uint64_t attempt; /* what the Backplane called the order to host it */
	uv_signal_t signals[2];
	bool stuck; /* a thread of a shared object could not be ended */
	struct timer finishing;
	uint64_t finishing_since_ms;
	struct error failure; /* CODE_OK: it ended in order */
};

/* --- stopping ----------------------------------------------------------------------------------------------------- */

static void on_finishing(struct timer *timer) {
	struct runner_process *runner = CONTAINER_OF(timer, struct runner_process, finishing);
	bool said = reports_are_sent(&runner->reports) && logs_is_sent(&runner->logs) &&
		    rpc_server_calls(runner->server) == 0;
	if (said || loop_now_ms(&runner->loop) - runner->finishing_since_ms > FINISHING_MAX_MS)
		loop_stop(&runner->loop);
	else
		timer_start(&runner->loop, timer, FINISHING_POLL_MS);
}

static void finish_when_idle(struct runner_process *runner) {
	if (runner->state != RUNNER_PROCESS_STOPPING || runner->hosting != NULL)
		return;
	runner->state = RUNNER_PROCESS_FINISHING;
	logs_end(&runner->logs);
	runner->finishing_since_ms = loop_now_ms(&runner->loop);
	runner->finishing.fire = on_finishing;
	timer_start(&runner->loop, &runner->finishing, FINISHING_POLL_MS);
}

static void stop(struct runner_process *runner, uint64_t grace_ms) {
	if (runner->state == RUNNER_PROCESS_FINISHING)
		return;
	runner->state = RUNNER_PROCESS_STOPPING;
	registrar_leave(&runner->registrar);
	if (runner->hosting != NULL)
		hosting_terminate(runner->hosting, grace_ms);
	finish_when_idle(runner);
}

static void on_signal(uv_signal_t *handle, int number) {
	struct runner_process *runner = handle->data;
	/* Who asks twice does not want to wait. */
	bool again = runner->state == RUNNER_PROCESS_STOPPING;
	log_info("stopping: %s", sigdescr_np(number));
	stop(runner, again ? 0 : STOP_GRACE_MS);
}

static void report_alive(struct runner_process *runner) {
	const struct hosting *hosting = runner->hosting;
	reports_send(&runner->reports, &(struct report_options){
					       .deployment_key = hosting_key(hosting),
					       .attempt = runner->attempt,
					       .fetch_us = hosting_fetch_us(hosting),
					       .start_us = hosting_start_us(hosting),
				       });
}

/* --- registration ------------------------------------------------------------------------------------------------- */

static void on_accepted(struct registrar *registrar) {
	struct runner_process *runner = registrar->owner;
	log_info("%s for %s at %s, registered with %s", registrar->key, runner->options->language, runner->endpoint,
		 runner->options->backplane);
	if (runner->state == RUNNER_PROCESS_REGISTERING)
		runner->state = RUNNER_PROCESS_SERVING;
	/* Alive since we asked: the report may have come before we counted. */
	if (registrar->said_hosted[0] == '\0' && registrar->hosted[0] != '\0')
		report_alive(runner);
}

static void on_refused(struct registrar *registrar, const struct error *why) {
	struct runner_process *runner = registrar->owner;
	runner->failure = *why;
	error_wrap(&runner->failure, "the Backplane at %s does not accept this Runner", runner->options->backplane);
	stop(runner, STOP_GRACE_MS);
}

static void on_orphaned(struct registrar *registrar) {
	struct runner_process *runner = registrar->owner;
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)runner->options->orphan_timeout_ms);
	log_warn("stopping: no Backplane at %s for %s", runner->options->backplane, limit);
	stop(runner, STOP_GRACE_MS);
}

static const struct registrar_events registrar_events = {
	.accepted = on_accepted,
	.refused = on_refused,
	.orphaned = on_orphaned,
};

/* --- the deployment ----------------------------------------------------------------------------------------------- */

static void on_alive(struct hosting *hosting) {
	struct runner_process *runner = hosting_owner(hosting);
	registrar_set_hosted(&runner->registrar, hosting_key(hosting));
	report_alive(runner);
	log_info("%s is alive", hosting_key(hosting));
}

static void on_ended(struct hosting *hosting, const struct error *why, const struct last_lines *last_lines) {
	struct runner_process *runner = hosting_owner(hosting);
	registrar_set_hosted(&runner->registrar, "");
	reports_send(&runner->reports, &(struct report_options){
					       .deployment_key = hosting_key(hosting),
					       .attempt = runner->attempt,
					       .error = why,
					       .runner_fault = hosting_was_unreachable(hosting),
					       .last_lines = last_lines,
				       });
	log_failure(LOG_INFO, why, "%s ended", hosting_key(hosting));
	runner->hosting = NULL;
	runner->stuck |= hosting_is_stuck(hosting);
	/* What a shared object has left in this process no later deployment shall meet. */
	if (hosting_is_library(hosting) && runner->state < RUNNER_PROCESS_STOPPING)
		stop(runner, 0);
	finish_when_idle(runner);
}

static const struct hosting_events hosting_events = {.alive = on_alive, .ended = on_ended};

static int deploy(struct runner_process *runner, const char *key, uint64_t attempt, struct error *err) {
	if (hosting_check_key(key, err) < 0)
		return -1;
	if (runner->state >= RUNNER_PROCESS_STOPPING)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner is stopping");
	bool same = runner->hosting != NULL && strcmp(hosting_key(runner->hosting), key) == 0;
	if (same && !hosting_is_ending(runner->hosting)) {
		/* A Backplane that restarted does not know: the reports that it waits for name its own attempt. */
		runner->attempt = MAX(runner->attempt, attempt);
		if (hosting_is_alive(runner->hosting))
			report_alive(runner);
		return 0;
	}
	if (runner->hosting != NULL)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner hosts %s already, which is %s",
				 hosting_key(runner->hosting), hosting_state_text(runner->hosting));
	runner->attempt = attempt;
	runner->hosting = hosting_new(key, &(struct hosting_options){
						   .loop = &runner->loop,
						   .work_folder = runner->work_folder,
						   .backplane_endpoint = runner->options->backplane,
						   .backplane = runner->backplane,
						   .logs = &runner->logs,
						   .start_timeout_ms = runner->options->start_timeout_ms,
						   .kill_timeout_ms = runner->options->kill_timeout_ms,
						   .events = &hosting_events,
						   .owner = runner,
					   });
	return 0;
}

static int terminate(struct runner_process *runner, const char *key, uint64_t grace_ms, struct error *err) {
	if (key[0] == '\0') {
		stop(runner, grace_ms);
		return 0;
	}
	/* What ended already needs no order. */
	if (runner->hosting == NULL)
		return 0;
	if (strcmp(hosting_key(runner->hosting), key) != 0)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner hosts %s and not %s",
				 hosting_key(runner->hosting), key);
	registrar_set_hosted(&runner->registrar, "");
	hosting_terminate(runner->hosting, grace_ms);
	return 0;
}

static void on_unwanted(struct reports *reports, const char *key) {
	struct runner_process *runner = CONTAINER_OF(reports, struct runner_process, reports);
	struct error err;
	if (terminate(runner, key, 0, &err) < 0)
		log_failure(LOG_WARN, &err, "could not end %s, which the Backplane does not want", key);
}

/* --- the services ------------------------------------------------------------------------------------------------- */

static void on_runner_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	rpc_unary_reply(unary, &response.base);
}

static void on_deploy(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const Ftl__DeployRequest *request = (const Ftl__DeployRequest *)message;
	Ftl__DeployResponse response = FTL__DEPLOY_RESPONSE__INIT;
	struct error err;
	if (deploy(unary->service, request->deployment_key, request->attempt, &err) < 0)
		rpc_unary_fail(unary, &err);
	else
		rpc_unary_reply(unary, &response.base);
}

static void on_terminate(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const Ftl__TerminateRequest *request = (const Ftl__TerminateRequest *)message;
	Ftl__TerminateResponse response = FTL__TERMINATE_RESPONSE__INIT;
	struct error err;
	if (terminate(unary->service, request->deployment_key, request->grace_ms, &err) < 0)
		rpc_unary_fail(unary, &err);
	else
		rpc_unary_reply(unary, &response.base);
}

static void on_verb_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct runner_process *runner = unary->service;
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	char text[KEY_MAX + 64] = "nothing is deployed here";
	if (runner->hosting != NULL)
		snprintf(text, sizeof text, "%s is %s", hosting_key(runner->hosting),
			 hosting_state_text(runner->hosting));
	if (runner->hosting == NULL || !hosting_is_alive(runner->hosting))
		response.not_ready = text;
	rpc_unary_reply(unary, &response.base);
}

/* Answers a call that is not for what is alive here; false: it is. */
static bool turn_away(const struct runner_process *runner, struct rpc_stream *stream) {
	bool alive = runner->hosting != NULL && hosting_is_alive(runner->hosting);
	struct str wanted = http_headers_get(&stream->http.received, STR("ftl-deployment"));
	if (wanted.len > 0) {
		/* From the Backplane, which tries elsewhere. */
		if (alive && str_eq_c(wanted, hosting_key(runner->hosting)))
			return false;
		rpc_refuse(stream);
		return true;
	}
	if (!alive)
		rpc_finish(stream, CODE_UNAVAILABLE, "nothing that takes calls is deployed here");
	return !alive;
}

static void start_call(struct rpc_stream *stream) {
	const struct runner_process *runner = stream->service;
	if (!turn_away(runner, stream))
		hosting_call(runner->hosting, stream);
}

static void start_list(struct rpc_stream *stream) {
	const struct runner_process *runner = stream->service;
	if (!turn_away(runner, stream))
		hosting_list(runner->hosting, stream);
}

static const struct rpc_method methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Ping", on_runner_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Deploy", on_deploy, ftl__deploy_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Terminate", on_terminate, ftl__terminate_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", on_verb_ping, ftl__ping_request__descriptor),
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = start_call},
	{.path = "/xyz.block.ftl.v1.VerbService/List", .start = start_list},
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_accept(struct listener *listener, int fd) {
	struct runner_process *runner = listener->owner;
	rpc_server_accept(runner->server, fd, false);
}

/* Only a folder that was made here is removed as a whole at the end. */
static int make_work_folder(struct runner_process *runner, struct error *err) {
	if (runner->options->work_folder != NULL) {
		if (path_make_folders(runner->options->work_folder, err) < 0)
			return -1;
		runner->work_folder = realpath(runner->options->work_folder, NULL);
		if (runner->work_folder == NULL)
			return error_set_errno(err, errno, "could not use the folder %s", runner->options->work_folder);
		return 0;
	}
	const char *base = getenv("TMPDIR");
	runner->work_folder = mem_printf("%s/ftl-runner-XXXXXX", base && base[0] == '/' ? base : "/tmp");
	if (mkdtemp(runner->work_folder) == NULL)
		return error_set_errno(err, errno, "could not make the folder %s", runner->work_folder);
	runner->made_work_folder = true;
	return 0;
}

static int check_options(const struct runner_options *options, struct endpoint *ret_backplane,
			 struct endpoint *ret_bind, struct error *err) {
	if (endpoint_parse(str_from(options->backplane), ret_backplane, err) < 0)
		return error_wrap(err, "the Backplane's endpoint");
	if (endpoint_parse(str_from(options->bind), ret_bind, err) < 0)
		return error_wrap(err, "the endpoint to serve on");
	if (options->language == NULL || options->language[0] == '\0')
		return error_set(err, CODE_INVALID_ARGUMENT, "the language is missing");
	if (options->key != NULL && strlen(options->key) >= KEY_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "the Runner's key has %zu bytes; at most %d are allowed",
				 strlen(options->key), KEY_MAX - 1);
	return 0;
}

static void catch_signals(struct runner_process *runner) {
	static const int numbers[] = {SIGTERM, SIGINT};
	for (size_t i = 0; i < ARRAY_LEN(runner->signals); i++) {
		uv_signal_init(&runner->loop.uv, &runner->signals[i]);
		runner->signals[i].data = runner;
		uv_signal_start(&runner->signals[i], on_signal, numbers[i]);
	}
}

static void ignore_signals(struct runner_process *runner) {
	for (size_t i = 0; i < ARRAY_LEN(runner->signals); i++)
		loop_close_signal(&runner->signals[i]);
}

static void start_registration(struct runner_process *runner) {
	const struct runner_options *options = runner->options;
	runner->registrar = (struct registrar){
		.loop = &runner->loop,
		.backplane = runner->backplane,
		.language = options->language,
		.endpoint = runner->endpoint,
		.orphan_timeout_ms = options->orphan_timeout_ms,
		.events = &registrar_events,
		.owner = runner,
	};
	snprintf(runner->registrar.key, sizeof runner->registrar.key, "%s", options->key ? options->key : "");
	registrar_start(&runner->registrar);
}

/* A thread that we cannot end uses what we would free: the loop, the log, the module itself. */
_Noreturn static void end_at_once(struct runner_process *runner) {
	struct error err;
	log_warn("a verb still runs, and is ended with this process");
	listener_close(&runner->listener);
	if (runner->made_work_folder && path_remove_tree(runner->work_folder, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from this Runner");
	_exit(0);
}

/* Runs with everything open, and returns when the Runner is at its end. */
static void serve(struct runner_process *runner, const struct endpoint *backplane) {
	struct rpc_channel_options channel_options = rpc_channel_options_default;
	channel_options.keepalive_ms = KEEPALIVE_MS;
	channel_options.backoff_ms = BACKOFF_FIRST_MS;
	channel_options.backoff_max_ms = BACKOFF_LAST_MS;
	channel_options.tls = runner->client_tls;
	runner->backplane = rpc_channel_new(&runner->loop, backplane, &channel_options);
	endpoint_format(&runner->listener.endpoint, runner->endpoint);
	logs_init(&runner->logs, &runner->loop, runner->backplane, runner->registrar.key);
	reports_init(&runner->reports, &runner->loop, runner->backplane, runner->registrar.key);
	runner->reports.unwanted = on_unwanted;
	start_registration(runner);
	loop_run(&runner->loop);
	if (runner->stuck)
		end_at_once(runner);
	registrar_end(&runner->registrar);
	reports_end(&runner->reports);
	logs_stop(&runner->logs);
	rpc_channel_close(runner->backplane);
}

static int read_tls(struct runner_process *runner, bool needed, struct error *err) {
	const struct runner_options *options = runner->options;
	const struct tls_options server = {
		.cert_file = options->tls_cert, .key_file = options->tls_key, .ca_file = options->tls_client_ca};
	const struct tls_options client = {
		.cert_file = options->tls_cert, .key_file = options->tls_key, .ca_file = options->ca};
	if ((options->tls_cert == NULL) != (options->tls_key == NULL) || (needed && options->tls_cert == NULL))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "TLS needs a certificate and its key: give --tls-cert and --tls-key");
	if (options->tls_cert != NULL && (runner->server_tls = tls_config_new(true, &server, err)) == NULL)
		return -1;
	bool is_client = options->tls_cert != NULL || options->ca != NULL;
	if (is_client && (runner->client_tls = tls_config_new(false, &client, err)) == NULL)
		return -1;
	return 0;
}

static int run(struct runner_process *runner, struct error *err) {
	struct endpoint backplane, bind;
	listener_raise_file_limit();
	if (check_options(runner->options, &backplane, &bind, err) < 0)
		return -1;
	struct rpc_server_options server = runner->options->limits;
	server.tls_only = bind.tls || runner->options->tls_client_ca != NULL;
	if (read_tls(runner, server.tls_only, err) < 0)
		return -1;
	server.tls = runner->server_tls;
	if (types_new(&ftl_descriptors, 1, &runner->types, err) < 0)
		return -1;
	server.types = runner->types;
	server.http.resets = HTTP_NEVER; /* calls that clients gave up, of all clients of the Backplane */
	bind.tls = server.tls_only;
	loop_init(&runner->loop);
	loop_set_busy_poll(&runner->loop, runner->options->busy_poll_us);
	runner->server = rpc_server_new(&runner->loop, &server);
	rpc_server_add(runner->server, methods, ARRAY_LEN(methods), runner);
	/* Before anything is made: one that comes now is heard when the loop runs, and what was made is removed. */
	catch_signals(runner);
	int result = make_work_folder(runner, err);
	if (result == 0)
		result = listener_open(&runner->listener, &runner->loop, &bind, on_accept, runner, err);
	if (result == 0) {
		serve(runner, &backplane);
		listener_close(&runner->listener);
	}
	ignore_signals(runner);
	rpc_server_close(runner->server);
	loop_run_out(&runner->loop);
	if (result == 0)
		logs_deinit(&runner->logs);
	loop_deinit(&runner->loop);
	if (runner->failure.code == CODE_OK)
		return result;
	*err = runner->failure;
	return -1;
}

int runner_run(const struct runner_options *options, struct error *err) {
	struct runner_process *runner = mem_zalloc(sizeof *runner);
	runner->options = options;
	int result = run(runner, err);
	struct error left;
	if (runner->made_work_folder && path_remove_tree(runner->work_folder, &left) < 0)
		log_failure(LOG_WARN, &left, "left over from this Runner");
	types_free(runner->types);
	tls_config_unref(runner->server_tls);
	tls_config_unref(runner->client_tls);
	free(runner->work_folder);
	free(runner);
	return result;
}
