/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane: the real state machines and the real queue of changes, with a simulated store and simulated workers.
 * A write that the store executed survives a crash; one that was on its way to the store may, or not.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "control/wanted.h"
#include "store/writer.h"

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

/* --- the store ---------------------------------------------------------------------------------------------------- */

/* Jobs are executed one after the other. Returns the time until this one is. */
static uint64_t store_take(struct sim *sim) {
	uint64_t cost_ms =
		sim->now_ms < sim->store_slow_until_ms ? sim_between(sim, 100, 2000) : sim_between(sim, 0, 4);
	sim->store_busy_until_ms = MAX(sim->store_busy_until_ms, sim->now_ms) + cost_ms;
	return sim->store_busy_until_ms - sim->now_ms;
}

static bool store_fails(const struct sim *sim) {
	return sim->now_ms < sim->store_fails_until_ms;
}

static void on_created(struct sim *sim, struct event *event) {
	op_executed(sim, event->subject, event->flag);
}

static void execute_creation(struct sim *sim, struct event *event) {
	struct op *op = event->subject;
	/* A rollback only reads the deployment. */
	bool creates = op->kind == OP_CREATE,
	     there = creates || sim->database.deployments[op->module][op->version].exists;
	bool kept = there && !store_fails(sim);
	if (kept && creates && sim->options.plant != PLANT_FORGET_CREATION) {
		char key[KEY_MAX];
		deployment_key_of(op->module, op->version, key);
		struct module_row *row = &sim->database.modules[op->module];
		struct row *deployment = &sim->database.deployments[op->module][op->version];
		if (!deployment->exists)
			*deployment = (struct row){.exists = true, .state = DEPLOYMENT_STARTING};
		if (!row->exists)
			*row = (struct module_row){.exists = true, .replicas = 1};
		op->executed = true;
		op->order = ++sim->op_order;
		sim_trace(sim, "store: %s is added to %s", key, module_name(op->module));
	}
	struct event *done = sim_to_backplane(sim, sim_between(sim, 0, 2), on_created, op);
	done->flag = kept;
}

void store_create(struct sim *sim, struct op *op) {
	sim_to_backplane(sim, store_take(sim), execute_creation, op);
}

static void on_retry(struct sim *sim, struct event *event) {
	(void)event;
	write_behind_retry(&sim->write_behind);
}

static void on_saved(struct sim *sim, struct event *event) {
	if (!event->flag)
		sim_to_backplane(sim, STORE_RETRY_MS, on_retry, NULL);
	write_behind_written(&sim->write_behind, event->flag);
}

/* A write on its way to the store: a copy of a save. */
struct held {
	uint32_t epoch; /* of the Backplane that writes */
	bool executed;
	bool has_deployment, has_module;
	uint64_t event_sequence; /* of the last event; 0: none */
	unsigned module, version, named;
	enum deployment_state state;
	uint64_t order;
	struct module_row row;
};

static struct held describe(const struct sim *sim, const struct save *save) {
	const struct store_change *change = &save->change;
	const struct module_record *row = change->module;
	struct held held = {.epoch = sim->epoch,
			    .has_deployment = change->deployment_key != NULL,
			    .has_module = row != NULL,
			    .state = change->state,
			    .order = sim->save_orders[save->sequence]};
	if (change->event_count > 0)
		held.event_sequence = change->events[change->event_count - 1].sequence;
	if (held.has_deployment)
		ASSERT(deployment_key_parse(change->deployment_key, &held.module, &held.version));
	if (row != NULL) {
		held.named = module_of(row->name);
		held.row = (struct module_row){.exists = true,
					       .replicas = row->replicas,
					       .next_replicas = row->next_replicas};
		snprintf(held.row.active, sizeof held.row.active, "%s", row->active_key);
		snprintf(held.row.next, sizeof held.row.next, "%s", row->next_key);
	}
	return held;
}

static void keep_state(struct row *row, const struct held *held) {
	if (held->state == DEPLOYMENT_FAILED)
		row->failed_order = held->order;
	row->state = held->state;
}

/* Refused with STALE_EPOCH when another Backplane has acquired the store since. */
static void keep(struct sim *sim, const struct held *held) {
	if (held->epoch != sim->database.epoch && sim->options.plant != PLANT_STALE_EPOCH)
		return;
	sim->database.event_sequence = MAX(sim->database.event_sequence, held->event_sequence);
	if (held->has_deployment)
		keep_state(&sim->database.deployments[held->module][held->version], held);
	if (held->has_module) {
		sim->database.modules[held->named] = held->row;
		sim_trace(sim, "store: %s has active %s, next %s, replicas %u", module_name(held->named),
			  held->row.active, held->row.next, held->row.replicas);
	}
}

static void keep_late(struct sim *sim, struct event *event) {
	keep(sim, event->subject);
	check_store(sim);
}

static void execute_save(struct sim *sim, struct event *event) {
	struct held *held = event->subject;
	bool kept = !store_fails(sim);
	held->executed = true;
	if (kept && sim->options.plant == PLANT_REORDER_SAVES && sim_chance(sim, 20)) {
		sim->database.event_sequence = MAX(sim->database.event_sequence, held->event_sequence);
		sim_to_backplane(sim, STORE_RETRY_MS, keep_late, held);
	} else if (kept) {
		keep(sim, held);
	}
	struct event *done = sim_to_backplane(sim, sim_between(sim, 0, 2), on_saved, NULL);
	done->flag = kept;
	check_store(sim);
}

/* A write may be on its way when its Backplane dies, and arrive when another one has started. */
static void execute_orphan(struct sim *sim, struct event *event) {
	struct held *held = event->subject;
	bool is_still_alive = sim->up && held->epoch == sim->epoch;
	if (held->executed || is_still_alive)
		return;
	keep(sim, held);
	if (sim->up)
		check_store(sim);
}

static void start_writing(struct write_behind *write_behind, const struct save *save) {
	struct sim *sim = CONTAINER_OF(write_behind, struct sim, write_behind);
	struct held *held = arena_alloc(&sim->arena, sizeof *held);
	uint64_t delay_ms = store_take(sim);
	*held = describe(sim, save);
	sim_to_backplane(sim, delay_ms, execute_save, held);
	sim_at(sim, delay_ms + sim_between(sim, 0, 3000), execute_orphan, held);
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
	bool early; /* by a planted mistake it was called published already */
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
		/* A worker takes them in order; a busy one later. */
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
	uint64_t sequence = sim->write_behind.sequence + 1; /* of the save that is added: it may be written at once */
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

/* Mistakes of the state machines themselves: nobody else could make them. */
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
	if (sim->options.plant != PLANT_UNTOLD || !sim_chance(sim, 2))
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

/* Like src/backplane/recovery.c. */
static void correct_states(struct sim *sim) {
	for (unsigned i = 0; i < MODULES * VERSIONS; i++) {
		const struct module_row *module = &sim->database.modules[i / VERSIONS];
		const struct module_record wanted = {.active_key = module->active, .next_key = module->next};
		struct row *row = &sim->database.deployments[i / VERSIONS][i % VERSIONS];
		char key[KEY_MAX];
		deployment_key_of(i / VERSIONS, i % VERSIONS, key);
		if (row->exists)
			row->state = wanted_state(&wanted, key, row->state);
	}
}

static void load_deployment(struct sim *sim, unsigned module, const char *key, bool active) {
	unsigned number, version;
	if (key[0] == '\0')
		return;
	ASSERT(deployment_key_parse(key, &number, &version));
	const struct deployment_record record = {.key = key,
						 .module = module_name(module),
						 .language = language_of(module),
						 .schema = STR(""),
						 .detail = ""};
	const struct module_row *row = &sim->database.modules[module];
	const struct module_record wanted = {.replicas = row->replicas, .next_replicas = row->next_replicas};
	control_load(&sim->control, &record, &wanted, active);
}

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
	sim->database.epoch = sim->epoch;
	sim->drafted = (struct routes){0};
	sim->last_registration = 0;
	memset(sim->tables, 0, sizeof sim->tables);
	memset(sim->table_due_ms, 0, sizeof sim->table_due_ms);
	sim->store_busy_until_ms = sim->now_ms;
	write_behind_init(&sim->write_behind, start_writing);
	sim->event_sequence = sim->database.event_sequence;
	sim->flush_comes = false;
	check_told_init(sim);
	control_init(&sim->control, &config, &sim->effects, sim->now_ms);
	correct_states(sim);
	for (unsigned i = 0; i < MODULES; i++) {
		const struct module_row *row = &sim->database.modules[i];
		load_deployment(sim, i, row->active, true);
		load_deployment(sim, i, row->next, false);
		if (row->exists && row->active[0] == '\0' && row->next[0] == '\0')
			control_load_module(&sim->control, module_name(i), row->replicas, "");
	}
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
	check_told_deinit(sim);
	write_behind_deinit(&sim->write_behind);
	control_deinit(&sim->control);
}
