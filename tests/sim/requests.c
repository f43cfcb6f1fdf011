/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the Backplane to Runners: Ping, Deploy, Terminate. */
#include "sim.h"

#include <stdio.h>

/* A unary call of the Backplane, which ends once: by the answer of the Runner or by its timeout. */
struct request {
	char runner[KEY_MAX], deployment[KEY_MAX];
	uint64_t serial, attempt, grace_ms;
	bool answered;
	void (*answer)(struct sim *sim, struct request *request, const struct error *err);
	enum code (*handle)(struct sim *sim, struct sim_runner *runner, const struct request *request);
};

static void answer(struct sim *sim, struct request *request, enum code code) {
	if (request->answered)
		return;
	request->answered = true;
	struct error err;
	if (code != CODE_OK)
		error_set(&err, code, "%s", code_name(code));
	backplane_begin(sim);
	request->answer(sim, request, code == CODE_OK ? NULL : &err);
	backplane_end(sim);
}

static void on_answer(struct sim *sim, struct event *event) {
	answer(sim, event->subject, event->code);
}

static enum code handle_ping(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	(void)sim, (void)runner, (void)request;
	return CODE_OK;
}

/* The answer reaches the Backplane that sent the request, and no other one that has started since. */
static void send_answer(struct sim *sim, const struct event *arrival, enum code code) {
	if (!sim->up)
		return;
	struct event *answer = sim_to_backplane(sim, sim_latency(sim), on_answer, arrival->subject);
	answer->code = code;
	answer->epoch = (uint32_t)arrival->number;
}

static void on_request(struct sim *sim, struct event *event) {
	struct request *request = event->subject;
	struct sim_runner *runner = sim->runners[event->other];
	if (!runner->running) {
		send_answer(sim, event, CODE_UNAVAILABLE);
		return;
	}
	bool ghost = sim->options.plant == PLANT_GHOST_PONG && request->handle == handle_ping;
	if (!ghost && (runner_is_cut(sim, runner) || !runner_is_up_for(sim, event, runner)))
		return;
	enum code code = request->handle(sim, runner, request);
	if (ghost || !runner_is_cut(sim, runner))
		send_answer(sim, event, code);
}

static void send_request(struct sim *sim, const struct runner *runner, uint64_t timeout_ms,
			 const struct request *filled) {
	struct request *request = arena_alloc(&sim->arena, sizeof *request);
	*request = *filled;
	snprintf(request->runner, sizeof request->runner, "%s", runner->key);
	request->serial = runner->serial;
	request->attempt = runner->attempt;
	sim_to_backplane(sim, timeout_ms, on_answer, request)->code = CODE_DEADLINE_EXCEEDED;
	struct sim_runner *there = runner_running(sim, runner->key);
	if (there == NULL) {
		sim_to_backplane(sim, sim_latency(sim), on_answer, request)->code = CODE_UNAVAILABLE;
	} else {
		struct event *event = sim_at(sim, sim_latency(sim), on_request, request);
		event->other = there->index;
		event->number = sim->epoch;
	}
}

static void answer_ping(struct sim *sim, struct request *request, const struct error *err) {
	control_pinged(&sim->control, request->runner, request->serial, err);
}

void send_ping(struct sim *sim, const struct runner *runner, uint64_t timeout_ms) {
	send_request(sim, runner, timeout_ms, &(struct request){.handle = handle_ping, .answer = answer_ping});
}

static enum code handle_deploy(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	struct error err;
	int result = agent_deploy(sim_runner_begin(sim, runner), request->deployment, request->attempt, &err);
	sim_runner_end(sim, runner);
	return result < 0 ? err.code : CODE_OK;
}

static void answer_deploy(struct sim *sim, struct request *request, const struct error *err) {
	control_deploy_answered(&sim->control, request->runner, request->serial, request->attempt, err);
}

void send_deploy(struct sim *sim, const struct runner *runner, const char *deployment) {
	struct request request = {.handle = handle_deploy, .answer = answer_deploy};
	snprintf(request.deployment, sizeof request.deployment, "%s", deployment);
	send_request(sim, runner, DEPLOY_ANSWER_MS, &request);
}

static enum code handle_terminate(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	struct error err;
	if (sim->options.plant == PLANT_ZOMBIE)
		return CODE_OK;
	int result = agent_terminate(sim_runner_begin(sim, runner), request->deployment, request->grace_ms, &err);
	sim_runner_end(sim, runner);
	return result < 0 ? err.code : CODE_OK;
}

static void answer_terminate(struct sim *sim, struct request *request, const struct error *err) {
	(void)sim, (void)request, (void)err;
}

void send_terminate(struct sim *sim, const struct runner *runner, const char *deployment, uint64_t grace_ms) {
	struct request request = {.handle = handle_terminate, .answer = answer_terminate, .grace_ms = grace_ms};
	snprintf(request.deployment, sizeof request.deployment, "%s", deployment);
	send_request(sim, runner, DEPLOY_ANSWER_MS, &request);
}
