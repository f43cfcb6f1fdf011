/* SPDX-License-Identifier: Apache-2.0 */
/* The Platform, which starts and ends the processes of Runners. */
#include "sim.h"

#include <stdio.h>

struct order {
	char key[KEY_MAX], language[LANGUAGE_MAX];
	bool fails;
	uint32_t epoch; /* of the Backplane that asked */
};

static void on_found(struct sim *sim, struct event *event) {
	const struct sim_runner *runner = event->subject;
	if (!runner->running)
		return;
	backplane_begin(sim);
	control_found(&sim->control, runner->key);
	backplane_end(sim);
}

static void on_not_created(struct sim *sim, struct event *event) {
	const struct order *order = event->subject;
	backplane_begin(sim);
	control_runner_exited(&sim->control, order->key, &(struct cause){.why = "could not be started"});
	backplane_end(sim);
}

static void on_create(struct sim *sim, struct event *event) {
	const struct order *order = event->subject;
	if (!order->fails && sim->options.plant == PLANT_LEAK && sim_chance(sim, 10)) {
		/* A second process that the control side does not know of. */
		runner_new(sim, "rnr-stray", order->language, true);
	}
	bool is_known = order->epoch == sim->epoch;
	if (order->fails) {
		if (sim->up && is_known)
			sim_to_backplane(sim, 0, on_not_created, (void *)order);
		return;
	}
	struct sim_runner *runner = runner_start(sim, order->key, order->language, true);
	/* The Platform also executes orders of a Backplane that died: the next Backplane finds the Runner. */
	if (sim->up && !is_known)
		sim_to_backplane(sim, 0, on_found, runner);
}

void platform_create(struct sim *sim, const char *key, const char *language) {
	struct order *order = arena_alloc(&sim->arena, sizeof *order);
	*order = (struct order){.fails = sim->now_ms < sim->platform_fails_until_ms, .epoch = sim->epoch};
	snprintf(order->key, sizeof order->key, "%s", key);
	snprintf(order->language, sizeof order->language, "%s", language);
	bool slow = sim->now_ms < sim->platform_slow_until_ms;
	sim_trace(sim, "control: create %s", key);
	sim_at(sim, slow ? sim_between(sim, 500, 8000) : sim_between(sim, 2, 50), on_create, order);
}

static void on_destroy(struct sim *sim, struct event *event) {
	struct sim_runner *runner = runner_running(sim, event->key);
	if (runner != NULL)
		sim_runner_kill(sim, runner, "the Platform ended it");
}

void platform_destroy(struct sim *sim, const char *key) {
	/* Orders that are due earlier are executed first. */
	struct event *event = sim_at(sim, sim_between(sim, 0, 20), on_destroy, NULL);
	snprintf(event->key, sizeof event->key, "%s", key);
}

void platform_list(struct sim *sim, void (*found)(struct sim *sim, const char *key)) {
	for (unsigned i = 0; i < sim->runner_count; i++)
		if (sim->runners[i]->running && sim->runners[i]->managed)
			found(sim, sim->runners[i]->key);
}
