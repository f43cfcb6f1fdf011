/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process from start to end. The agent decides (agent.h), runner_effects.c carries its decisions out, and
 * runner_services.c serves.
 */
#include "runner/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/path.h"
#include "ftl_descriptors.h"
#include "net/own_address.h"
#include "rpc/unary.h"
#include "runner/runner_effects.h"
#include "runner/runner_process.h"
#include "runner/runner_services.h"

static void on_signal(struct stop_signals *signals, int number, bool is_order) {
	struct runner_process *runner = CONTAINER_OF(signals, struct runner_process, signals);
	char text[STOP_SIGNAL_TEXT_MAX];
	stop_signal_format(number, text);
	agent_signalled(runner_begin_event(runner), text, is_order);
	runner_end_event(runner);
}

static void on_accept(struct listener *listener, int fd) {
	struct runner_process *runner = listener->owner;
	rpc_server_accept(runner->server, fd, false);
}

/* A folder that was made here is removed at the end. */
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

/* The endpoint that the Backplane gets: one that leads here from where the Backplane is. */
static int choose_endpoint(struct runner_process *runner, const struct endpoint *backplane, struct error *err) {
	struct endpoint endpoint = runner->listener.endpoint;
	struct own_address own;
	bool is_wildcard = endpoint_is_wildcard(&endpoint);
	int family = is_wildcard && strchr(endpoint.host, ':') == NULL ? AF_INET : AF_UNSPEC;
	bool is_known = own_address_find(backplane, family, &own);
	endpoint_format(&endpoint, runner->endpoint);
	if (is_wildcard && !is_known)
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"%s stands for every address of this machine, and none is known at which the Backplane at %s reaches it; "
			"listen on that one",
			runner->endpoint, runner->options->backplane);
	if (is_known && !own.peer_is_here && endpoint_is_loopback(&endpoint))
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"the Backplane at %s is on another machine, which cannot reach this Runner at %s; listen on "
			"an address such as http://%s:0",
			runner->options->backplane, runner->endpoint, own.host);
	if (is_wildcard)
		snprintf(endpoint.host, sizeof endpoint.host, "%s", own.host);
	endpoint_format(&endpoint, runner->endpoint);
	return 0;
}

static void start_agent(struct runner_process *runner) {
	const struct runner_options *options = runner->options;
	runner->effects.ops = &runner_effects_ops;
	agent_init(&runner->agent,
		   &(struct agent_options){
			   .backplane = options->backplane,
			   .language = options->language,
			   .endpoint = runner->endpoint,
			   .key = options->key,
			   .managed = options->managed,
			   .orphan_timeout_ms = options->orphan_timeout_ms,
			   .effects = &runner->effects,
		   },
		   loop_now_ms(&runner->loop));
}

/* A thread that cannot be ended still uses what would be freed: the loop, the log, the module. */
_Noreturn static void end_at_once(struct runner_process *runner) {
	struct error err;
	log_warn("a verb still runs, and is ended with this process");
	listener_close(&runner->listener);
	if (runner->made_work_folder && path_remove_tree(runner->work_folder, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from this Runner");
	_exit(0);
}

/* Runs the loop until the agent ends it. */
static void serve(struct runner_process *runner, const struct endpoint *backplane) {
	struct rpc_channel_options channel_options = rpc_channel_options_default;
	channel_options.keepalive_ms = RUNNER_KEEPALIVE_MS;
	channel_options.backoff_ms = BACKPLANE_RETRY_FIRST_MS;
	channel_options.backoff_max_ms = BACKPLANE_RETRY_LAST_MS;
	channel_options.tls = runner->tls.client;
	runner->backplane = rpc_channel_new(&runner->loop, backplane, &channel_options);
	start_agent(runner);
	logs_init(&runner->logs, &runner->loop, runner->backplane, runner->agent.registrar.key);
	agent_begin(&runner->agent);
	runner_end_event(runner);
	loop_run(&runner->loop);
	if (runner->agent.hosting.remains == REMAINS_THREADS)
		end_at_once(runner);
	timer_stop(&runner->loop, &runner->tick);
	agent_deinit(&runner->agent);
	logs_stop(&runner->logs);
	rpc_channel_close(runner->backplane);
}

static int listen_and_serve(struct runner_process *runner, const struct endpoint *bind,
			    const struct endpoint *backplane, struct error *err) {
	if (make_work_folder(runner, err) < 0 ||
	    listener_open(&runner->listener, &runner->loop, bind, on_accept, runner, err) < 0)
		return -1;
	int result = choose_endpoint(runner, backplane, err);
	if (result == 0)
		serve(runner, backplane);
	listener_close(&runner->listener);
	return result;
}

static int open_tls(struct runner_process *runner, const struct endpoint *bind, bool *ret_tls_only, struct error *err) {
	const struct runner_options *options = runner->options;
	const struct tls_files files = {.cert_file = options->tls_cert,
					.key_file = options->tls_key,
					.client_ca_file = options->tls_client_ca,
					.server_ca_file = options->ca};
	*ret_tls_only = tls_files_need_tls(&files, bind);
	if (tls_files_check(&files, *ret_tls_only, err) < 0)
		return -1;
	return tls_pair_open(&runner->tls, &files, err);
}

static int run(struct runner_process *runner, struct error *err) {
	struct endpoint backplane, bind;
	listener_raise_file_limit();
	if (check_options(runner->options, &backplane, &bind, err) < 0)
		return -1;
	struct rpc_server_options server = runner->options->limits;
	if (open_tls(runner, &bind, &server.tls_only, err) < 0)
		return -1;
	server.tls = runner->tls.server;
	if (types_new(&ftl_descriptors, 1, &runner->types, err) < 0)
		return -1;
	server.types = runner->types;
	bind.tls = server.tls_only;
	loop_init(&runner->loop);
	loop_set_busy_poll(&runner->loop, runner->options->busy_poll_us);
	runner->server = rpc_server_new(&runner->loop, &server);
	runner_add_services(runner);
	/* Before any folder or socket is made: a signal that comes now is handled when the loop runs, so both are
	 * removed. */
	runner->signals.received = on_signal;
	stop_signals_watch(&runner->signals, &runner->loop);
	int result = listen_and_serve(runner, &bind, &backplane, err);
	stop_signals_close(&runner->signals);
	rpc_server_close(runner->server);
	loop_run_out(&runner->loop);
	if (result == 0)
		logs_deinit(&runner->logs);
	loop_deinit(&runner->loop);
	if (runner->agent.failure.code == CODE_OK)
		return result;
	*err = runner->agent.failure;
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
	tls_pair_close(&runner->tls);
	free(runner->work_folder);
	free(runner);
	return result;
}
