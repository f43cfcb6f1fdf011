/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner_services.h"

#include <stdio.h>

#include "ftl.pb-c.h"
#include "rpc/unary.h"
#include "runner/runner_process.h"

static void on_runner_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct runner_process *runner = unary->service;
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	if (runner->workload != NULL)
		response.trouble = (char *)workload_trouble(runner->workload);
	rpc_unary_reply(unary, &response.base);
}

static void on_deploy(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const Ftl__DeployRequest *request = (const Ftl__DeployRequest *)message;
	Ftl__DeployResponse response = FTL__DEPLOY_RESPONSE__INIT;
	struct runner_process *runner = unary->service;
	struct error err;
	if (agent_deploy(runner_begin_event(runner), request->deployment_key, request->attempt, &err) < 0)
		rpc_unary_fail(unary, &err);
	else
		rpc_unary_reply(unary, &response.base);
	runner_end_event(runner);
}

static void on_terminate(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const Ftl__TerminateRequest *request = (const Ftl__TerminateRequest *)message;
	Ftl__TerminateResponse response = FTL__TERMINATE_RESPONSE__INIT;
	struct runner_process *runner = unary->service;
	struct error err;
	if (agent_terminate(runner_begin_event(runner), request->deployment_key, request->grace_ms, &err) < 0)
		rpc_unary_fail(unary, &err);
	else
		rpc_unary_reply(unary, &response.base);
	runner_end_event(runner);
}

static void on_verb_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct runner_process *runner = unary->service;
	Ftl__PingResponse response = FTL__PING_RESPONSE__INIT;
	char text[KEY_MAX + 64] = "nothing is deployed here";
	const struct hosting *hosting = &runner->agent.hosting;
	if (hosting->state != HOSTING_NONE)
		snprintf(text, sizeof text, "%s is %s", hosting->key, hosting_state_name(hosting->state));
	if (hosting->state != HOSTING_ALIVE)
		response.not_ready = text;
	rpc_unary_reply(unary, &response.base);
}

/* Refuses a call that is not for the deployment that is alive here. Returns false when it is. */
static bool turn_away(const struct runner_process *runner, struct rpc_stream *stream) {
	bool is_alive = runner->agent.hosting.state == HOSTING_ALIVE;
	struct str wanted = http_headers_get(&stream->http.received, STR("ftl-deployment"));
	if (wanted.len > 0) {
		/* It comes from the Backplane, which then tries another replica. */
		if (is_alive && str_eq_c(wanted, runner->agent.hosting.key))
			return false;
		rpc_refuse(stream);
		return true;
	}
	if (!is_alive)
		rpc_finish(stream, CODE_UNAVAILABLE, "nothing that takes calls is deployed here");
	return !is_alive;
}

static void start_call(struct rpc_stream *stream) {
	const struct runner_process *runner = stream->service;
	if (!turn_away(runner, stream))
		workload_call(runner->workload, stream);
}

static void start_list(struct rpc_stream *stream) {
	const struct runner_process *runner = stream->service;
	if (!turn_away(runner, stream))
		workload_list(runner->workload, stream);
}

static const struct rpc_method methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Ping", on_runner_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Deploy", on_deploy, ftl__deploy_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.RunnerService/Terminate", on_terminate, ftl__terminate_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", on_verb_ping, ftl__ping_request__descriptor),
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = start_call},
	{.path = "/xyz.block.ftl.v1.VerbService/List", .start = start_list},
};

/* http_probes.not_ready */
static const char *not_ready(void *owner) {
	const struct runner_process *runner = owner;
	return runner->agent.registrar.state == REGISTRAR_ACCEPTED ? NULL : "not registered with a Backplane\n";
}

void runner_add_services(struct runner_process *runner) {
	rpc_server_add(runner->server, methods, ARRAY_LEN(methods), runner);
	runner->probes = (struct http_probes){.not_ready = not_ready, .owner = runner};
	http_probes_add(rpc_server_http(runner->server), &runner->probes);
}
