/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane: the real state machines and the real queue of changes, with simulated workers.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

const char *module_name(unsigned module) {
	static const char *const names[MODULES] = {"echo", "time", "greeter"};
	return names[module];
}

const char *language_of(unsigned module) {
	return module == 2 ? "py" : "c";
}

unsigned module_of(const char *name) {
	for (unsigned i = 0; i < MODULES; i++)
		if (strcmp(name, module_name(i)) == 0)
			return i;
	ASSERT(false);
	return 0;
}

void deployment_key_of(unsigned module, unsigned version, char ret_key[KEY_MAX]) {
	snprintf(ret_key, KEY_MAX, "dpl-%u-%u", module, version);
}

bool deployment_key_parse(const char *key, unsigned *ret_module, unsigned *ret_version) {
	return sscanf(key, "dpl-%u-%u", ret_module, ret_version) == 2;
}

unsigned deployment_index(const char *key) {
	unsigned module, version;
	ASSERT(deployment_key_parse(key, &module, &version));
	return module * VERSIONS + version;
}

/* --- events of the control side ----------------------------------------------------------------------------------- */

static void on_tick(struct sim *sim, struct event *event) {
	if (event->number != sim->tick_sequence)
		return;
	backplane_begin(sim);
	backplane_end(sim);
}

void backplane_begin(struct sim *sim) {
	ASSERT(sim->up);
	control_advance(&sim->control, sim->now_ms);
}

void backplane_end(struct sim *sim) {
	uint64_t due_ms = control_tick(&sim->control);
	sim->tick_sequence++;
	if (due_ms == UINT64_MAX)
		return;
	struct event *event = sim_to_backplane(sim, due_ms > sim->now_ms ? due_ms - sim->now_ms : 0, on_tick, NULL);
	event->number = sim->tick_sequence;
}

struct event *sim_to_backplane(struct sim *sim, uint64_t delay_ms, event_function *run, void *subject) {
	struct event *event = sim_at(sim, delay_ms, run, subject);
	event->epoch = sim->epoch;
	return event;
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void add_replicas(const struct sim *sim, struct module_routes *routes, const struct deployment *deployment) {
	LIST_FOREACH(link, &deployment->runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
		bool early = sim->options.plant == PLANT_ROUTE_EARLY && runner->state == RUNNER_DEPLOYING;
		if (runner->state != RUNNER_ALIVE && !early)
			continue;
		ASSERT(routes->count < ROUTED_MAX);
		struct routed *routed = &routes->replicas[routes->count++];
		snprintf(routed->runner, sizeof routed->runner, "%s", runner->key);
		snprintf(routed->deployment, sizeof routed->deployment, "%s", deployment->key);
	}
}

static void out_route(struct effects *effects, const struct module *module) {
	struct sim *sim = CONTAINER_OF(effects, struct sim, effects);
	struct module_routes *routes = &sim->drafted.modules[module_of(module->name)];
	routes->count = 0;
	if (module->active != NULL)
		add_replicas(sim, routes, module->active);
	if (module->next != NULL && sim->options.plant == PLANT_TWO_ACTIVE)
		add_replicas(sim, routes, module->next);
}

static void on_published(struct sim *sim, struct event *event) {
	backplane_begin(sim);
	control_published(&sim->control, event->number);
	backplane_end(sim);
}

struct publication {
	struct routes routes;
	unsigned left;
	bool early; /* by a planted mistake it was reported published at once */
};

static bool is_early(const struct sim *sim) {
	bool comes_live = false;
	LIST_FOREACH(link, &sim->control.books.all_modules) {
		const struct deployment *active = LIST_ENTRY(link, struct module, in_control)->active;
		comes_live |= active != NULL && (active->phase == PHASE_GATHERING || active->phase == PHASE_ROUTING);
	}
	return sim->options.plant == (comes_live ? PLANT_EARLY_LIVE : PLANT_EARLY_DRAIN);
}

static void on_table(struct sim *sim, struct event *event) {
	struct publication *publication = event->subject;
	bool ignores = sim->options.plant == PLANT_STALE_ROUTES && sim_chance(sim, 10);
	if (!ignores)
		sim->tables[event->number] = publication->routes;
	if (--publication->left == 0 && !publication->early)
		sim_to_backplane(sim, sim_between(sim, 0, 1), on_published, NULL)->number = publication->routes.version;
}

static void out_publish(struct effects *effects, uint64_t version) {
	struct sim *sim = CONTAINER_OF(effects, struct sim, effects);
	struct publication *publication = arena_alloc(&sim->arena, sizeof *publication);
	sim->drafted.version = version;
	*publication = (struct publication){.routes = sim->drafted, .left = WORKERS, .early = is_early(sim)};
	for (unsigned i = 0; i < WORKERS; i++) {
		/* Each worker receives the tables in order; a busy worker is slower. */
		uint64_t due_ms = sim->now_ms + sim_between(sim, 0, sim_chance(sim, 5) ? 200 : 2);
		sim->table_due_ms[i] = MAX(sim->table_due_ms[i], due_ms);
		sim_to_backplane(sim, sim->table_due_ms[i] - sim->now_ms, on_table, publication)->number = i;
	}
	if (publication->early)
		sim_to_backplane(sim, 0, on_published, NULL)->number = version;
}

/* --- the other effects -------------------------------------------------------------------------------------------- */

static struct sim *sim_of(struct effects *effects) {
	return CONTAINER_OF(effects, struct sim, effects);
}

static uint64_t out_random(struct effects *effects) {
	return sim_random(sim_of(effects));
}

static int64_t out_wall_ms(struct effects *effects) {
	return (int64_t)sim_of(effects)->now_ms;
}

static void out_create(struct effects *effects, const char *key, const char *language) {
	platform_create(sim_of(effects), key, language);
}

static void out_destroy(struct effects *effects, const char *key) {
	platform_destroy(sim_of(effects), key);
}

static void out_ping(struct effects *effects, const struct runner *runner, uint64_t timeout_ms) {
	send_ping(sim_of(effects), runner, timeout_ms);
}

static void out_deploy(struct effects *effects, const struct runner *runner, const struct deployment *deployment) {
	sim_trace(sim_of(effects), "control: deploy %s to %s", deployment->key, runner->key);
	send_deploy(sim_of(effects), runner, deployment->key);
}

static void out_terminate(struct effects *effects, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms) {
	struct sim *sim = sim_of(effects);
	sim_trace(sim, "control: terminate %s at %s", deployment_key ? deployment_key : "all", runner->key);
	check_terminate(sim, runner);
	send_terminate(sim, runner, deployment_key ? deployment_key : "", grace_ms);
}

static void out_forget(struct effects *effects, const struct runner *runner) {
	struct sim *sim = sim_of(effects);
	sim_trace(sim, "control: forget %s", runner->key);
	struct sim_runner *there = runner_running(sim, runner->key);
	if (there != NULL && runner->liveness.registration != 0)
		runner_forgotten(sim, there);
}

static void out_accept(struct effects *effects, uint64_t registration, const struct runner *runner) {
	struct sim *sim = sim_of(effects);
	struct sim_runner *there = runner_running(sim, runner->key);
	if (there != NULL)
		runner_accepted(sim, there, registration);
}

static void out_refuse(struct effects *effects, uint64_t registration, const struct error *why) {
	struct sim *sim = sim_of(effects);
	for (unsigned i = 0; i < sim->runner_count; i++)
		if (sim->runners[i]->registration == registration && sim->runners[i]->epoch == sim->epoch)
			runner_stream_closed(sim, sim->runners[i], registration, why->code, sim_latency(sim));
}

static void out_save(struct effects *effects, const struct store_change *change) {
	struct sim *sim = sim_of(effects);
	uint64_t sequence = sim->write_behind.sequence + 1; /* of the save below, which may be written at once */
	ASSERT(sequence < SAVES_MAX);
	sim->save_orders[sequence] = ++sim->op_order;
	write_behind_add(&sim->write_behind, change);
}

static void on_flush(struct sim *sim, struct event *event) {
	(void)event;
	sim->flush_comes = false;
	write_behind_flush(&sim->write_behind);
}

static void take_down(struct sim *sim, const struct control_event *event) {
	const struct event_record record = {.sequence = ++sim->event_sequence,
					    .kind = event->kind,
					    .module = "",
					    .deployment_key = "",
					    .runner_key = "",
					    .text = event->cause.why,
					    .lines = ""};
	write_behind_add_event(&sim->write_behind, &record);
	if (!sim->flush_comes)
		sim_to_backplane(sim, 50, on_flush, NULL);
	sim->flush_comes = true;
}

/* Plants the mistakes that only the state machines could make, by changing their state. */
static void plant_decision(struct sim *sim, const struct control_event *event) {
	struct deployment *deployment = (struct deployment *)event->deployment;
	if (event->kind == EVENT_RUNNER_ALIVE && sim->options.plant == PLANT_MISCOUNT && sim_chance(sim, 5))
		deployment->alive++;
	if (event->kind == EVENT_DEPLOYMENT_DRAINING && sim->options.plant == PLANT_FORGET_DRAIN && sim_chance(sim, 20))
		list_remove(&deployment->in_ending);
	if (event->kind == EVENT_RUNNER_ALIVE && sim->options.plant == PLANT_EARLY_SWITCH &&
	    deployment == deployment->module->next && deployment_wanted(deployment) > deployment->alive + 1)
		deployment_take_over(&sim->control, deployment->module);
}

static void out_event(struct effects *effects, const struct control_event *event) {
	struct sim *sim = sim_of(effects);
	sim_trace(sim, "control: %s %s: %s", event->deployment ? event->deployment->key : "",
		  event->runner ? event->runner->key : "", event->cause.why);
	if (event->kind == EVENT_DEPLOYMENT_LIVE) {
		sim->module_was_live[module_of(event->deployment->module->name)] = true;
		check_live(sim, event->deployment);
	}
	take_down(sim, event);
	plant_decision(sim, event);
	if (sim->options.plant != PLANT_MISSING_EVENT || !sim_chance(sim, 2))
		check_event(sim, event);
}

static void set_ops(struct effects_ops *ops) {
	*ops = effects_noop;
	ops->random = out_random;
	ops->wall_ms = out_wall_ms;
	ops->create = out_create;
	ops->destroy = out_destroy;
	ops->ping = out_ping;
	ops->deploy = out_deploy;
	ops->terminate = out_terminate;
	ops->forget = out_forget;
	ops->accept = out_accept;
	ops->refuse = out_refuse;
	ops->save = out_save;
	ops->route = out_route;
	ops->publish = out_publish;
	ops->event = out_event;
}

/* --- start and crash ---------------------------------------------------------------------------------------------- */

static void on_runner_found(struct sim *sim, const char *key) {
	control_found(&sim->control, key);
}

void backplane_start(struct sim *sim) {
	struct control_config config = control_config_default;
	config.create_timeout_ms = 5000;
	config.deploy_timeout_ms = 20000;
	config.drain_timeout_ms = 5000;
	config.kill_timeout_ms = 3000;
	config.idle_timeout_ms = 5000;
	config.retry_max_ms = 5000;
	sim->up = true;
	sim->epoch++;
	sim_trace(sim, "the Backplane starts (%u)", sim->epoch);
	set_ops(&sim->effects_ops);
	sim->effects.ops = &sim->effects_ops;
	sim->drafted = (struct routes){0};
	sim->last_registration = 0;
	memset(sim->tables, 0, sizeof sim->tables);
	memset(sim->table_due_ms, 0, sizeof sim->table_due_ms);
	store_open_again(sim);
	sim->flush_comes = false;
	check_events_init(sim);
	control_init(&sim->control, &config, &sim->effects, sim->now_ms);
	store_load(sim);
	platform_list(sim, on_runner_found);
	control_begin(&sim->control, sim->now_ms);
	backplane_end(sim);
	check_store(sim);
}

void backplane_crash(struct sim *sim) {
	sim_trace(sim, "the Backplane dies");
	sim->up = false;
	sim->stopped_until_ms = 0;
	for (unsigned i = 0; i < sim->runner_count; i++)
		runner_backplane_died(sim, sim->runners[i]);
	calls_cut_off(sim);
	check_events_deinit(sim);
	store_crash(sim);
	control_deinit(&sim->control);
}
