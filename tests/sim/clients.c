/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients, which deploy, scale, stop, roll back and call. A call is routed as src/router/call.c routes it: to a replica
 * of the worker's table; to another one while no replica has begun it; to no other one after that.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "router/call.h"

enum { CALL_LOST_MS = 2 * RUNNER_KEEPALIVE_MS }; /* after which a call on a silent connection fails */

/* --- operations -------------------------------------------------------------------------------------------------- */

static void on_stored(struct write_behind_waiter *waiter) {
	struct op *op = CONTAINER_OF(waiter, struct op, waiter);
	static const char *const names[] = {
		[OP_CREATE] = "create", [OP_ROLLBACK] = "roll back", [OP_KILL] = "kill", [OP_SCALE] = "scale"};
	op->acknowledged = true;
	sim_trace(op->sim, "acknowledged: %s %s %u", names[op->kind], module_name(op->module),
		  op->kind == OP_SCALE ? op->replicas : op->version);
	check_store(op->sim);
	if (op->sim->stored.event_sequence < op->event_sequence)
		sim_violate(op->sim, "acknowledged",
			    "event %d led to what was acknowledged, and the store has events up to %d",
			    (int)op->event_sequence, (int)op->sim->stored.event_sequence);
}

static void acknowledge_when_stored(struct sim *sim, struct op *op, uint64_t order) {
	const struct module *module = control_module(&sim->control, str_from(module_name(op->module)));
	op->applied = true;
	op->order = order;
	op->replicas_after = module->next ? deployment_wanted(module->next) : module->replicas;
	op->event_sequence = sim->event_sequence;
	op->waiter.stored = on_stored;
	if (!write_behind_wait(&sim->write_behind, &op->waiter))
		on_stored(&op->waiter);
}

void op_apply(struct sim *sim, struct op *op) {
	struct str name = str_from(module_name(op->module));
	char key[KEY_MAX];
	struct error err;
	bool applied = control_module(&sim->control, name) != NULL || op->kind == OP_CREATE;
	uint64_t order = ++sim->op_order; /* before the changes that it causes */
	const struct module *before = control_module(&sim->control, name);
	op->replicas_before = before != NULL ? before->replicas : 0;
	deployment_key_of(op->module, op->version, key);
	const struct deployment_record record = {.key = key,
						 .module = module_name(op->module),
						 .language = language_of(op->module),
						 .schema = STR(""),
						 .detail = ""};
	backplane_begin(sim);
	switch (op->kind) {
	case OP_CREATE:
		control_deployment_created(&sim->control, &record, op->replicas);
		break;
	case OP_ROLLBACK:
		control_rolled_back(&sim->control, &record, 0);
		break;
	case OP_KILL:
		control_kill(&sim->control, name, key);
		break;
	case OP_SCALE:
		applied = control_scale(&sim->control, name, op->replicas, &err) == 0;
		break;
	}
	backplane_end(sim);
	if (applied)
		acknowledge_when_stored(sim, op, order);
}

static void on_op(struct sim *sim, struct event *event) {
	struct op *op = event->subject;
	if (op->kind == OP_CREATE || op->kind == OP_ROLLBACK)
		store_op(sim, op);
	else
		op_apply(sim, op);
}

void op_send(struct sim *sim, enum op_kind kind, unsigned module, unsigned version, uint32_t replicas) {
	if (!sim->up || sim->op_count == OPS_MAX)
		return;
	struct op *op = arena_alloc(&sim->arena, sizeof *op);
	*op = (struct op){.kind = kind,
			  .module = module,
			  .version = version,
			  .replicas = replicas,
			  .sim = sim,
			  .epoch = sim->epoch};
	sim->ops[sim->op_count++] = op;
	sim_to_backplane(sim, sim_latency(sim), on_op, op);
}

static void on_whim(struct sim *sim, struct event *event) {
	(void)event;
	if (sim->healed)
		return;
	unsigned module = (unsigned)sim_below(sim, MODULES), dice = (unsigned)sim_below(sim, 10);
	unsigned version = (unsigned)sim_below(sim, VERSIONS);
	if (dice < 2)
		op_send(sim, OP_ROLLBACK, module, version, 0);
	else if (dice < 6)
		op_send(sim, OP_CREATE, module, version, (uint32_t)sim_below(sim, 4));
	else if (dice < 8 || sim->calm)
		op_send(sim, OP_SCALE, module, 0, (uint32_t)sim_between(sim, sim->calm, 4));
	else if (dice < 9)
		op_send(sim, OP_KILL, module, 0, 0);
	/* Of two operations at once, either may be applied first. */
	if (sim_chance(sim, 10))
		op_send(sim, OP_CREATE, module, (unsigned)sim_below(sim, VERSIONS), 0);
	sim_at(sim, sim_between(sim, 10, 6000), on_whim, NULL);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void call_try(struct sim *sim, struct sim_call *call);

void call_answer(struct sim *sim, struct sim_call *call, bool ok, const char *how) {
	list_remove(&call->link);
	call->answers++;
	if (call->answers > 1)
		sim_violate(sim, "one-answer", "call %d to %s was answered %u times (%s)", (int)call->number,
			    module_name(call->module), call->answers, how);
	sim->calls_ok += ok;
	if (!ok && call->must_succeed && sim->calm)
		sim_violate(sim, "no-call-lost", "call %d to %s failed though nothing else did: %s", (int)call->number,
			    module_name(call->module), how);
}

static void call_answer_if_open(struct sim *sim, struct sim_call *call, bool ok, const char *how) {
	bool twice = sim->options.plant == PLANT_ANSWER_TWICE && call->answers > 0;
	if (call->answers == 0 || twice)
		call_answer(sim, call, ok, how);
}

static void on_lost(struct sim *sim, struct event *event) {
	call_answer_if_open(sim, event->subject, false, "its connection was silent");
}

static void on_call_done(struct sim *sim, struct event *event) {
	struct sim_call *call = event->subject;
	struct sim_runner *runner = call->runner;
	bool there = runner->running && runner->generation == call->generation;
	if (there && sim->now_ms < runner->hung_until_ms) {
		sim_at(sim, MIN(runner->hung_until_ms - sim->now_ms, (uint64_t)100), on_call_done, call);
		return;
	}
	if (there)
		runner_call_done(sim, runner);
	if (!there && sim->options.plant == PLANT_RUN_TWICE && call->answers == 0 && call->epoch == sim->epoch &&
	    sim->up)
		call_try(sim, call);
	else
		call_answer_if_open(sim, call, there, there ? "done" : "the child died");
}

static void on_call(struct sim *sim, struct event *event) {
	struct sim_call *call = event->subject;
	struct sim_runner *runner = sim->runners[event->number];
	if (call->answers > 0)
		return;
	if (runner->running && runner_is_cut(sim, runner)) {
		sim_at(sim, CALL_LOST_MS, on_lost, call);
		return;
	}
	if (runner->running && sim->now_ms < runner->hung_until_ms) {
		if (!event->flag)
			sim_at(sim, CALL_LOST_MS, on_lost, call);
		struct event *later =
			sim_at(sim, MIN(runner->hung_until_ms - sim->now_ms, (uint64_t)100), on_call, call);
		later->number = event->number;
		later->flag = true;
		snprintf(later->key, sizeof later->key, "%s", event->key);
		return;
	}
	if (runner_hosts(runner) == NULL || strcmp(runner_hosts(runner), event->key) != 0) {
		if (call->epoch == sim->epoch && sim->up)
			call_try(sim, call);
		return;
	}
	if (sim->options.plant == PLANT_DROP_CALL && sim_chance(sim, 1)) {
		call_answer(sim, call, false, "the Runner lost it");
		return;
	}
	call->runner = runner;
	call->generation = runner->generation;
	runner->calls++;
	if (++call->runs > 1)
		sim_violate(sim, "run-once", "call %d to %s ran %u times", (int)call->number, module_name(call->module),
			    call->runs);
	sim_at(sim, sim_chance(sim, 5) ? sim_between(sim, 500, 3000) : sim_between(sim, 0, 50), on_call_done, call);
}

static void call_try(struct sim *sim, struct sim_call *call) {
	const struct module_routes *routes = &sim->tables[call->worker].modules[call->module];
	if (routes->count == 0 || call->attempts++ == CALL_ATTEMPTS_MAX) {
		call_answer(sim, call, false, routes->count == 0 ? "nothing is alive" : "no replica took it");
		return;
	}
	const struct routed *routed = &routes->replicas[sim_below(sim, routes->count)];
	for (unsigned i = sim->runner_count; i-- > 0;) {
		if (strcmp(sim->runners[i]->key, routed->runner) != 0)
			continue;
		struct event *event = sim_at(sim, sim_between(sim, 0, 2), on_call, call);
		event->number = i;
		snprintf(event->key, sizeof event->key, "%s", routed->deployment);
		return;
	}
	ASSERT(false); /* each Runner in a table existed once */
}

static void on_next_call(struct sim *sim, struct event *event) {
	(void)event;
	sim_at(sim, sim_between(sim, 1, 200), on_next_call, NULL);
	if (!sim->up || sim_is_stopped(sim))
		return;
	struct sim_call *call = arena_alloc(&sim->arena, sizeof *call);
	*call = (struct sim_call){.number = ++sim->call_count,
				  .module = (unsigned)sim_below(sim, MODULES),
				  .worker = (unsigned)sim_below(sim, WORKERS),
				  .epoch = sim->epoch};
	call->must_succeed = sim->module_was_live[call->module];
	list_append(&sim->calls, &call->link);
	call_try(sim, call);
}

/* The Backplane died, and its clients' connections break. */
void calls_cut_off(struct sim *sim) {
	LIST_FOREACH(link, &sim->calls)
		call_answer(sim, LIST_ENTRY(link, struct sim_call, link), false, "the Backplane died");
}

void clients_start(struct sim *sim) {
	for (unsigned i = 0; i < MODULES; i++)
		op_send(sim, OP_CREATE, i, (unsigned)sim_below(sim, VERSIONS), (uint32_t)sim_below(sim, 3));
	sim_at(sim, sim_between(sim, 100, 3000), on_whim, NULL);
	sim_at(sim, 100, on_next_call, NULL);
}
