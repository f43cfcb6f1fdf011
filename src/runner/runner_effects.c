/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner_effects.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ftl.pb-c.h"
#include "rpc/unary.h"
#include "runner/runner_process.h"

static struct runner_process *runner_of(struct agent_effects *effects) {
	return CONTAINER_OF(effects, struct runner_process, effects);
}

static uint64_t out_random(struct agent_effects *effects UNUSED) {
	return random_u64();
}

static void out_log(struct agent_effects *effects UNUSED, enum log_level level, const char *text) {
	log_write(level, "%s", text);
}

/* --- the registration's stream ------------------------------------------------------------------------------------ */

static void on_headers(struct rpc_stream *stream) {
	struct runner_process *runner = stream->owner;
	/* A refusal comes as headers that hold a status. */
	if (runner == NULL || http_headers_find(&stream->http.received, STR("grpc-status")) != NULL)
		return;
	agent_accepted(runner_begin_event(runner), http_headers_get(&stream->http.received, STR("ftl-runner-key")));
	runner_end_event(runner);
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_closed(struct rpc_stream *stream) {
	struct runner_process *runner = stream->owner;
	struct error why;
	if (runner == NULL)
		return;
	runner->registration = NULL;
	bool is_failure = stream->status != CODE_OK;
	if (is_failure)
		rpc_get_error(stream, &why);
	agent_stream_closed(runner_begin_event(runner), is_failure ? &why : NULL);
	runner_end_event(runner);
}

static const struct rpc_events stream_events = {
	.headers = on_headers,
	.message = on_message,
	.data = on_data,
	.closed = on_closed,
};

static void out_open_stream(struct agent_effects *effects, const struct registrar *registrar) {
	struct runner_process *runner = runner_of(effects);
	runner->registration =
		rpc_call(runner->backplane, &(struct rpc_call_options){
						    .path = STR("/xyz.block.ftl.v1.BackplaneService/RegisterRunner"),
						    .events = &stream_events,
						    .owner = runner,
					    });
	Ftl__RegisterRunnerRequest request = FTL__REGISTER_RUNNER_REQUEST__INIT;
	request.language = (char *)registrar->language;
	request.endpoint = (char *)registrar->endpoint;
	request.runner_key = (char *)registrar->key;
	request.deployment_key = (char *)registrar->said_hosted;
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(runner->registration, pb_pack(&request.base, &arena));
	arena_deinit(&arena);
}

static void out_half_close_stream(struct agent_effects *effects) {
	rpc_half_close(runner_of(effects)->registration);
}

static void out_drop_stream(struct agent_effects *effects, const char *why) {
	struct runner_process *runner = runner_of(effects);
	runner->registration->owner = NULL;
	rpc_cancel(runner->registration, CODE_CANCELLED, why);
	runner->registration = NULL;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

/* An attempt to send a report. */
struct sending {
	struct runner_process *runner; /* NULL: given up */
	uint64_t id;
	struct rpc_unary_call *call;
};

static void on_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct sending *sending = owner;
	struct runner_process *runner = sending->runner;
	uint64_t id = sending->id;
	free(sending);
	if (runner == NULL)
		return;
	agent_report_answered(runner_begin_event(runner), id, err);
	runner_end_event(runner);
}

static void out_send_report(struct agent_effects *effects, struct report *report, uint64_t timeout_ms) {
	struct runner_process *runner = runner_of(effects);
	struct sending *sending = mem_zalloc(sizeof *sending);
	Ftl__DeployedRequest message = FTL__DEPLOYED_REQUEST__INIT;
	message.deployment_key = (char *)report->deployment_key;
	message.runner_key = runner->agent.registrar.key;
	message.attempt = report->attempt;
	message.fetch_us = report->fetch_us;
	message.start_us = report->start_us;
	if (report->error != NULL) {
		message.error = (char *)report->error;
		message.runner_fault = report->runner_fault;
		message.last_lines = (char **)report->last_lines;
		message.n_last_lines = report->line_count;
	}
	sending->runner = runner;
	sending->id = report->send_id;
	sending->call = rpc_unary_call(runner->backplane,
				       &(struct rpc_unary_options){
					       .path = "/xyz.block.ftl.v1.BackplaneService/Deployed",
					       .timeout_ms = timeout_ms,
					       .response = &ftl__deployed_response__descriptor,
					       .done = on_answered,
					       .owner = sending,
				       },
				       &message.base);
	report->sending = sending;
}

static void out_cancel_report(struct agent_effects *effects UNUSED, struct report *report) {
	struct sending *sending = report->sending;
	sending->runner = NULL;
	rpc_unary_call_cancel(sending->call);
}

/* --- the deployment ----------------------------------------------------------------------------------------------- */

static void on_fetched(void *owner) {
	struct runner_process *runner = owner;
	agent_fetched(runner_begin_event(runner));
	runner_end_event(runner);
}

static void on_fetch_failed(void *owner, const struct error *err) {
	struct runner_process *runner = owner;
	agent_fetch_failed(runner_begin_event(runner), err);
	runner_end_event(runner);
}

static void on_checked(void *owner, uint64_t fetch_us) {
	struct runner_process *runner = owner;
	agent_checked(runner_begin_event(runner), fetch_us);
	runner_end_event(runner);
}

static void on_alive(void *owner, uint64_t start_us) {
	struct runner_process *runner = owner;
	agent_alive(runner_begin_event(runner), start_us);
	runner_end_event(runner);
}

static void on_idle(void *owner) {
	struct runner_process *runner = owner;
	agent_idle(runner_begin_event(runner));
	runner_end_event(runner);
}

static void on_ended(void *owner, const struct error *why, struct last_lines *last_lines,
		     enum hosting_remains remains) {
	struct runner_process *runner = owner;
	agent_host_ended(runner_begin_event(runner), why, last_lines, remains);
	runner_end_event(runner);
}

static void on_removed(void *owner) {
	struct runner_process *runner = owner;
	runner->workload = NULL;
	agent_removed(runner_begin_event(runner));
	runner_end_event(runner);
}

static const struct workload_events workload_events = {
	.fetched = on_fetched,
	.fetch_failed = on_fetch_failed,
	.checked = on_checked,
	.alive = on_alive,
	.idle = on_idle,
	.ended = on_ended,
	.removed = on_removed,
};

static void out_fetch(struct agent_effects *effects, const struct hosting *hosting) {
	struct runner_process *runner = runner_of(effects);
	runner->workload = workload_fetch(hosting->key, &(struct workload_options){
								.loop = &runner->loop,
								.work_folder = runner->work_folder,
								.backplane_endpoint = runner->options->backplane,
								.backplane = runner->backplane,
								.logs = &runner->logs,
								.start_timeout_ms = runner->options->start_timeout_ms,
								.kill_timeout_ms = runner->options->kill_timeout_ms,
								.child_ping_ms = runner->options->child_ping_ms,
								.events = &workload_events,
								.owner = runner,
							});
}

static void out_check(struct agent_effects *effects) {
	workload_check(runner_of(effects)->workload);
}

static void out_start(struct agent_effects *effects) {
	workload_start(runner_of(effects)->workload);
}

static void out_stop(struct agent_effects *effects) {
	workload_stop(runner_of(effects)->workload);
}

static void out_remove(struct agent_effects *effects) {
	workload_remove(runner_of(effects)->workload);
}

static size_t out_calls(struct agent_effects *effects) {
	return workload_calls(runner_of(effects)->workload);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void out_say_last_words(struct agent_effects *effects) {
	logs_end(&runner_of(effects)->logs);
}

static bool out_has_said_all(struct agent_effects *effects) {
	struct runner_process *runner = runner_of(effects);
	return logs_is_sent(&runner->logs) && rpc_server_calls(runner->server) == 0;
}

static void out_exit(struct agent_effects *effects) {
	loop_stop(&runner_of(effects)->loop);
}

const struct agent_effects_ops runner_effects_ops = {
	.random = out_random,
	.log = out_log,
	.open_stream = out_open_stream,
	.half_close_stream = out_half_close_stream,
	.drop_stream = out_drop_stream,
	.send_report = out_send_report,
	.cancel_report = out_cancel_report,
	.fetch = out_fetch,
	.check = out_check,
	.start = out_start,
	.stop = out_stop,
	.remove = out_remove,
	.calls = out_calls,
	.say_last_words = out_say_last_words,
	.has_said_all = out_has_said_all,
	.exit = out_exit,
};
