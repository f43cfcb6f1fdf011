/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: one at random every 10 ms to 5 s, until CHAOS_MS is over.
 */
#include "sim.h"

static struct sim_runner *any_runner(struct sim *sim) {
	unsigned running = 0;
	for (unsigned i = 0; i < sim->runner_count; i++)
		running += sim->runners[i]->running;
	if (running == 0)
		return NULL;
	uint64_t chosen = sim_below(sim, running);
	for (unsigned i = 0; i < sim->runner_count; i++)
		if (sim->runners[i]->running && chosen-- == 0)
			return sim->runners[i];
	return NULL;
}

static void start_by_hand(struct sim *sim, const char *key) {
	if (runner_running(sim, key) == NULL)
		runner_start(sim, key, "c", false);
}

static void on_person(struct sim *sim, struct event *event) {
	start_by_hand(sim, event->key);
}

static void on_restart(struct sim *sim, struct event *event) {
	(void)event;
	if (!sim->up)
		backplane_start(sim);
}

static void kill_runner(struct sim *sim, struct sim_runner *runner) {
	bool managed = runner->managed;
	sim_runner_kill(sim, runner, "SIGKILL");
	if (managed)
		return;
	struct event *event = sim_at(sim, sim_between(sim, 100, 10000), on_person, NULL);
	memcpy(event->key, runner->key, sizeof event->key);
}

/* Notes when a Runner becomes silent. Called before hung_until_ms or cut_until_ms is set. */
static void falls_silent(struct sim *sim, struct sim_runner *runner) {
	if (runner_is_silent(sim, runner))
		return;
	runner->silent_since_ms = sim->now_ms;
	list_remove(&runner->in_silent);
	list_append(&sim->silent, &runner->in_silent);
}

static void hang(struct sim *sim, struct sim_runner *runner) {
	falls_silent(sim, runner);
	runner->hung_until_ms = sim->now_ms + sim_between(sim, 100, 20000);
	sim_trace(sim, "%s hangs for %d ms", runner->key, (int)(runner->hung_until_ms - sim->now_ms));
}

static void cut(struct sim *sim, struct sim_runner *runner) {
	falls_silent(sim, runner);
	runner->cut_until_ms = sim->now_ms + sim_between(sim, 100, 20000);
	sim_trace(sim, "%s is cut off for %d ms", runner->key, (int)(runner->cut_until_ms - sim->now_ms));
}

static void crash(struct sim *sim) {
	if (!sim->up)
		return;
	backplane_crash(sim);
	sim_at(sim, sim_between(sim, 5, sim_chance(sim, 10) ? 40000 : 2000), on_restart, NULL);
}

static void stop_backplane(struct sim *sim) {
	if (!sim->up || sim_is_stopped(sim))
		return;
	/* Long enough that Runners look for another Backplane, but in a run without faults shorter than the start
	 * timeout of Runners. */
	uint64_t span_ms = sim->calm ? sim_between(sim, 3000, 4900) : sim_between(sim, 100, 10000);
	sim->stopped_since_ms = sim->now_ms;
	sim->stopped_until_ms = MIN(sim->now_ms + span_ms, (uint64_t)START_MS + CHAOS_MS);
	sim_trace(sim, "the Backplane is stalled for %d ms", (int)(sim->stopped_until_ms - sim->now_ms));
}

/* Faults by which no call may be lost. */
static void on_hiccup(struct sim *sim, struct event *event) {
	(void)event;
	if (sim->healed)
		return;
	struct sim_runner *runner = any_runner(sim);
	if (sim_chance(sim, 20))
		stop_backplane(sim);
	else if (runner != NULL)
		runner_break_connection(sim, runner);
	sim_at(sim, sim_between(sim, 10, 5000), on_hiccup, NULL);
}

static void on_fault(struct sim *sim, struct event *event) {
	(void)event;
	if (sim->healed)
		return;
	struct sim_runner *runner = any_runner(sim);
	uint64_t span_ms = sim_between(sim, 100, 8000);
	switch (sim_below(sim, 11)) {
	case 0:
		crash(sim);
		break;
	case 1:
		sim->store_slow_until_ms = sim->now_ms + span_ms;
		break;
	case 2:
		sim->store_fails_until_ms = sim->now_ms + span_ms;
		sim_trace(sim, "the disk is full");
		break;
	case 3:
		sim->platform_slow_until_ms = sim->now_ms + span_ms;
		break;
	case 4:
		sim->platform_fails_until_ms = sim->now_ms + span_ms;
		sim_trace(sim, "the Platform cannot create");
		break;
	case 5:
		if (runner != NULL)
			kill_runner(sim, runner);
		break;
	case 6:
		if (runner != NULL)
			hang(sim, runner);
		break;
	case 7:
		if (runner != NULL)
			cut(sim, runner);
		break;
	case 8:
		if (runner != NULL)
			runner_break_connection(sim, runner);
		break;
	case 9:
		if (runner != NULL)
			runner_child_dies(sim, runner);
		break;
	case 10:
		stop_backplane(sim);
		break;
	}
	sim_at(sim, sim_between(sim, 10, 5000), on_fault, NULL);
}

static void on_watch(struct sim *sim, struct event *event) {
	(void)event;
	runner_keep_alive(sim);
	sim_at(sim, 1000, on_watch, NULL);
}

void faults_start(struct sim *sim) {
	if (sim_chance(sim, 50))
		start_by_hand(sim, "hand-one");
	if (sim_chance(sim, 30))
		start_by_hand(sim, "hand-two");
	sim_at(sim, 1000, on_watch, NULL);
	if (!sim->calm)
		sim_at(sim, sim_between(sim, 10, 5000), on_fault, NULL);
	else if (sim_chance(sim, 50))
		sim_at(sim, sim_between(sim, 10, 5000), on_hiccup, NULL);
}

void faults_heal(struct sim *sim) {
	sim_trace(sim, "all is well from now on");
	sim->healed = true;
	sim->store_slow_until_ms = sim->store_fails_until_ms = 0;
	sim->platform_slow_until_ms = sim->platform_fails_until_ms = 0;
	for (unsigned i = 0; i < sim->runner_count; i++) {
		struct sim_runner *runner = sim->runners[i];
		runner->hung_until_ms = MIN(runner->hung_until_ms, sim->now_ms);
		runner->cut_until_ms = MIN(runner->cut_until_ms, sim->now_ms);
	}
	if (!sim->up)
		backplane_start(sim);
}
