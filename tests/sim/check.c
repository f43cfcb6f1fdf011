/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks, each with its name:
 *
 *   books            the records of the control side agree with each other
 *   switch-when-alive  a deployment takes over only when all its replicas are alive
 *   routes-alive     a route leads only to a replica that was reported alive
 *   one-active       the calls of a module go to one deployment
 *   drain-unrouted   no Runner is told to end while a worker may still send it calls
 *   events           each visible change of state has its event
 *   acknowledged     every acknowledged change is in the store from the answer on, with the events that led to it
 *   live-event       a deployment with a LIVE event has all its replicas alive and in the routes of each worker
 *   calm             in a run without faults nothing fails
 *   backs-off        a Runner waits between two attempts to register
 *   orphaned         a Runner ends when no Backplane has accepted it within its limit
 *   noticed          a silent Runner is given up within five seconds
 *   one-answer       a call has one answer (clients.c)
 *   run-once         a call runs on one replica at most (clients.c)
 *   no-call-lost     a call that must succeed does (clients.c)
 *   copies           soon after the last fault no module runs in more replicas than wanted
 *   converges        SETTLE_MS after the last fault everything is as wanted, and nothing is left over
 */
#include "sim.h"

#include <stdio.h>

/* --- after each step ---------------------------------------------------------------------------------------------- */

static void check_runner(struct sim *sim, const struct runner *runner) {
	bool hosts = runner->state == RUNNER_DEPLOYING || runner->state == RUNNER_ALIVE;
	bool never = runner->state < RUNNER_DEPLOYING;
	if ((hosts && runner->deployment == NULL) || (never && runner->deployment != NULL) ||
	    runner->state == RUNNER_CLAIMING)
		sim_violate(sim, "books", "%s is %s and has %s", runner->key, runner_state_name(runner->state),
			    runner->deployment ? runner->deployment->key : "nothing");
}

static void check_count(struct sim *sim, const struct deployment *deployment) {
	unsigned alive = 0;
	LIST_FOREACH(link, &deployment->runners)
		alive += LIST_ENTRY(link, struct runner, in_deployment)->state == RUNNER_ALIVE;
	if (alive != deployment->alive)
		sim_violate(sim, "books", "%s counts %u alive and has %u", deployment->key, deployment->alive, alive);
}

/* A deployment that is no longer wanted has no replica that takes calls. */
static void check_ending(struct sim *sim, const struct deployment *deployment) {
	check_count(sim, deployment);
	if (deployment->alive > 0 || (deployment->phase != PHASE_DRAINING && deployment->phase != PHASE_FAILED))
		sim_violate(sim, "books", "%s is on its way out, is %s and has %u alive", deployment->key,
			    deployment_state_name(deployment_state(deployment)), deployment->alive);
}

static void check_deployment(struct sim *sim, const struct deployment *deployment, enum deployment_state state) {
	check_count(sim, deployment);
	if (deployment_state(deployment) != state)
		sim_violate(sim, "books", "%s is %s where it should be %s", deployment->key,
			    deployment_state_name(deployment_state(deployment)), deployment_state_name(state));
	if (!list_is_empty(&deployment->in_ending))
		sim_violate(sim, "books", "%s is wanted and on its way out", deployment->key);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void check_events_init(struct sim *sim) {
	memset(sim->active_seen, 0, sizeof sim->active_seen);
	map_init(&sim->last_runner_events);
	map_init(&sim->last_deployment_events);
}

void check_events_deinit(struct sim *sim) {
	map_deinit(&sim->last_runner_events);
	map_deinit(&sim->last_deployment_events);
}

void check_event(struct sim *sim, const struct control_event *event) {
	bool is_end = event->kind == EVENT_RUNNER_LOST || event->kind == EVENT_RUNNER_KILLED ||
		      event->kind == EVENT_RUNNER_ENDED;
	bool is_state = event->kind != EVENT_RUNNER_SILENT && event->kind != EVENT_DEPLOYMENT_BACKING_OFF &&
			event->kind != EVENT_DEPLOYMENT_SCALED && event->kind != EVENT_DEPLOYMENT_REPLICA_FAILED;
	if (is_end)
		map_remove(&sim->last_runner_events, str_from(event->runner->key));
	else if (is_state)
		map_put(event->runner ? &sim->last_runner_events : &sim->last_deployment_events,
			str_from(event->runner ? event->runner->key : event->deployment->key),
			(void *)(uintptr_t)event->kind);
}

static enum event_kind last_event(const struct map *events, const char *key) {
	return (enum event_kind)(uintptr_t)map_get(events, str_from(key));
}

static bool fits(enum event_kind kind, const struct deployment *deployment) {
	switch (deployment->phase) {
	case PHASE_STARTING:
	case PHASE_FAILING:
		return kind == EVENT_DEPLOYMENT_CREATED || kind == EVENT_DEPLOYMENT_ROLLED_BACK;
	case PHASE_GATHERING:
	case PHASE_ROUTING:
		return true; /* the LIVE event follows when the routes are published */
	case PHASE_LIVE:
		return kind == EVENT_DEPLOYMENT_LIVE;
	case PHASE_DRAINING:
		return kind == EVENT_DEPLOYMENT_DRAINING;
	case PHASE_STOPPED:
		return kind == EVENT_DEPLOYMENT_STOPPED;
	case PHASE_FAILED:
		return kind == EVENT_DEPLOYMENT_FAILED;
	case PHASE_NEW:
		return false;
	}
	return false;
}

static void check_events(struct sim *sim) {
	if (sim->last_runner_events.len != sim->control.books.runners.len)
		sim_violate(sim, "events", "there are %zu Runners, and %zu have an event",
			    sim->control.books.runners.len, sim->last_runner_events.len);
	LIST_FOREACH(link, &sim->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (last_event(&sim->last_runner_events, runner->key) != runner_state_event(runner->state))
			sim_violate(sim, "events", "%s is %s without an event that says so", runner->key,
				    runner_state_name(runner->state));
	}
	for (size_t cursor = 0;;) {
		const struct deployment *deployment = map_next(&sim->control.books.deployments, &cursor);
		if (deployment == NULL)
			return;
		enum event_kind kind = last_event(&sim->last_deployment_events, deployment->key);
		bool as_loaded = kind == 0 && deployment->loaded;
		if (!as_loaded && !fits(kind, deployment))
			sim_violate(sim, "events", "%s is %s without an event that says so", deployment->key,
				    deployment_state_name(deployment_state(deployment)));
	}
}

/* Searches every process with the key, as a person may have restarted a Runner under its key. */
static bool was_ever_alive(const struct sim *sim, const struct routed *routed) {
	for (unsigned i = sim->runner_count; i-- > 0;)
		if (strcmp(sim->runners[i]->key, routed->runner) == 0 &&
		    sim->runners[i]->ever_alive[deployment_index(routed->deployment)])
			return true;
	return false;
}

static void check_table(struct sim *sim, const struct module_routes *routes) {
	for (size_t i = 0; i < routes->count; i++) {
		const struct routed *routed = &routes->replicas[i];
		if (strcmp(routed->deployment, routes->replicas[0].deployment) != 0)
			sim_violate(sim, "one-active", "a route leads to %s and to %s", routes->replicas[0].deployment,
				    routed->deployment);
		if (!was_ever_alive(sim, routed))
			sim_violate(sim, "routes-alive", "a route leads to %s at %s, which never was alive",
				    routed->deployment, routed->runner);
	}
}

/* A Runner may register while it is silent, by a delayed message; its silence then counts from the registration. */
static void check_silent(struct sim *sim, struct sim_runner *there) {
	const struct runner *runner = map_get(&sim->control.books.runners, str_from(there->key));
	if (runner == NULL || runner->state == RUNNER_CREATING || runner->state == RUNNER_FOUND)
		return;
	uint64_t record = ((uint64_t)sim->epoch << 32) + runner->serial;
	if (there->record != record) {
		there->record = record;
		there->record_since_ms = sim->now_ms;
	}
	/* A stalled Backplane notices nothing. */
	uint64_t since_ms = MAX(MAX(there->silent_since_ms, there->record_since_ms), sim->stopped_until_ms);
	if (sim->now_ms > since_ms + SILENCE_MAX_MS)
		sim_violate(sim, "noticed", "%s has been silent for %d ms, and is %s", there->key,
			    (int)(sim->now_ms - since_ms), runner_state_name(runner->state));
}

static void check_all_silent(struct sim *sim) {
	LIST_FOREACH(link, &sim->silent) {
		struct sim_runner *there = LIST_ENTRY(link, struct sim_runner, in_silent);
		if (!runner_is_silent(sim, there))
			list_remove(&there->in_silent);
		else if (runner_running(sim, there->key) == there)
			check_silent(sim, there);
	}
}

/* A switch happened if another deployment is active than after the last step. A loaded one had switched before. */
static void check_switch(struct sim *sim, const struct module *module) {
	char *seen = sim->active_seen[module_of(module->name)];
	const struct deployment *active = module->active;
	if (active != NULL && strcmp(active->key, seen) != 0 && !active->loaded &&
	    active->alive < MAX(module->replicas, 1u))
		sim_violate(sim, "switch-when-alive", "%s has taken over with %u of %u replicas", active->key,
			    active->alive, module->replicas);
	snprintf(seen, KEY_MAX, "%s", active != NULL ? active->key : "");
}

void check_step(struct sim *sim) {
	if (!sim->up)
		return;
	check_all_silent(sim);
	check_events(sim);
	LIST_FOREACH(link, &sim->control.books.all_runners)
		check_runner(sim, LIST_ENTRY(link, struct runner, in_control));
	LIST_FOREACH(link, &sim->control.books.all_modules) {
		const struct module *module = LIST_ENTRY(link, struct module, in_control);
		check_switch(sim, module);
		if (module->active != NULL)
			check_deployment(sim, module->active, DEPLOYMENT_LIVE);
		if (module->next != NULL)
			check_deployment(sim, module->next, DEPLOYMENT_STARTING);
		if (module->active != NULL && module->active == module->next)
			sim_violate(sim, "books", "%s is to be replaced by itself", module->active->key);
	}
	LIST_FOREACH(link, &sim->control.marks.ending)
		check_ending(sim, LIST_ENTRY(link, struct deployment, in_ending));
	for (unsigned worker = 0; worker < WORKERS; worker++)
		for (unsigned i = 0; i < MODULES; i++)
			check_table(sim, &sim->tables[worker].modules[i]);
}

void check_live(struct sim *sim, const struct deployment *deployment) {
	unsigned replicas = deployment->module->replicas;
	if (deployment->alive < replicas || replicas == 0)
		sim_violate(sim, "live-event", "%s is told to be live with %u of %u replicas", deployment->key,
			    deployment->alive, replicas);
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		const struct module_routes *routes = &sim->tables[worker].modules[module_of(deployment->module->name)];
		size_t there = 0;
		for (size_t i = 0; i < routes->count; i++)
			there += strcmp(routes->replicas[i].deployment, deployment->key) == 0;
		if (there < replicas)
			sim_violate(sim, "live-event", "%s is told to be live, and a worker routes to %zu of %u",
				    deployment->key, there, replicas);
	}
}

/* A route to a deployment that the Runner hosted before is harmless: the Runner refuses such a call, and the worker
 * sends it elsewhere. */
void check_terminate(struct sim *sim, const struct runner *runner) {
	const struct sim_runner *there = runner_running(sim, runner->key);
	if (there == NULL || runner_hosts(there) == NULL)
		return;
	for (unsigned worker = 0; worker < WORKERS; worker++)
		for (unsigned i = 0; i < MODULES; i++) {
			const struct module_routes *routes = &sim->tables[worker].modules[i];
			for (size_t j = 0; j < routes->count; j++)
				if (strcmp(routes->replicas[j].runner, runner->key) == 0 &&
				    strcmp(routes->replicas[j].deployment, runner_hosts(there)) == 0)
					sim_violate(sim, "drain-unrouted",
						    "%s is told to end, and a worker has it in its routes",
						    runner->key);
		}
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

static bool is_change_of_wish(const struct op *op) {
	return op->kind != OP_SCALE;
}

static const struct op *last_acknowledged(const struct sim *sim, unsigned module, bool wishes) {
	const struct op *last = NULL;
	for (unsigned i = 0; i < sim->op_count; i++) {
		const struct op *op = sim->ops[i];
		if (op->module == module && op->acknowledged && (!wishes || is_change_of_wish(op)) &&
		    (last == NULL || op->order > last->order))
			last = op;
	}
	return last;
}

/* Whether the store may hold the op: the last acknowledged one, or one that was applied after that. */
static bool may_hold(const struct op *op, const struct op *last) {
	return op->module == last->module && (op == last || (op->applied && op->order > last->order));
}

/* Whether the deployment failed after this op rather than after an earlier one. Also true if a later op, which is only
 * partly stored, has changed the state of the deployment since. */
static bool came_to_nothing(const struct sim *sim, const struct op *op) {
	return (op->kind == OP_CREATE || op->kind == OP_ROLLBACK) &&
	       sim->stored.deployments[op->module][op->version].failed_order > op->order;
}

static bool satisfies(const struct sim *sim, const struct op *op) {
	const struct stored_module *row = &sim->stored.modules[op->module];
	char key[KEY_MAX];
	deployment_key_of(op->module, op->version, key);
	if (op->kind == OP_KILL)
		return row->active[0] == '\0' && row->next[0] == '\0';
	const struct stored_deployment *deployment = &sim->stored.deployments[op->module][op->version];
	return deployment->exists &&
	       (strcmp(row->active, key) == 0 || strcmp(row->next, key) == 0 || came_to_nothing(sim, op));
}

static void check_wish(struct sim *sim, unsigned module) {
	const struct op *last = last_acknowledged(sim, module, true);
	for (unsigned i = 0; last != NULL && i < sim->op_count; i++) {
		const struct op *op = sim->ops[i];
		if (may_hold(op, last) && is_change_of_wish(op) && satisfies(sim, op))
			return;
	}
	if (last != NULL)
		sim_violate(sim, "acknowledged",
			    "%s of %s version %u was acknowledged, and the store has active %s, next %s",
			    last->kind == OP_CREATE ? "creation" : "stop", module_name(module), last->version,
			    sim->stored.modules[module].active, sim->stored.modules[module].next);
}

static void check_replicas(struct sim *sim, unsigned module) {
	const struct op *last = last_acknowledged(sim, module, false);
	const struct stored_module *row = &sim->stored.modules[module];
	uint32_t replicas = row->next[0] != '\0' && row->next_replicas > 0 ? row->next_replicas : row->replicas;
	for (unsigned i = 0; last != NULL && i < sim->op_count; i++) {
		const struct op *op = sim->ops[i];
		/* A deployment that failed to come up has left the number of replicas as it was. */
		bool holds =
			op->replicas_after == replicas || (came_to_nothing(sim, op) && op->replicas_before == replicas);
		if (may_hold(op, last) && holds)
			return;
	}
	if (last != NULL)
		sim_violate(sim, "acknowledged", "%s was to have %u replicas, and the store has %u",
			    module_name(module), last->replicas_after, replicas);
}

void check_store(struct sim *sim) {
	for (unsigned module = 0; module < MODULES; module++) {
		check_wish(sim, module);
		check_replicas(sim, module);
	}
	for (unsigned i = 0; sim->calm && i < MODULES * VERSIONS; i++)
		if (sim->stored.deployments[i / VERSIONS][i % VERSIONS].state == DEPLOYMENT_FAILED)
			sim_violate(sim, "calm", "version %u of %s failed, and nothing was wrong", i % VERSIONS,
				    module_name(i / VERSIONS));
}

/* --- at the end --------------------------------------------------------------------------------------------------- */

/* Processes that take calls for a module, of one version or (-1) of all. */
static unsigned count_copies(const struct sim *sim, unsigned module, int version) {
	unsigned count = 0;
	for (unsigned i = 0; i < sim->runner_count; i++) {
		const struct sim_runner *runner = sim->runners[i];
		unsigned its_module, its_version;
		if (runner_hosts(runner) == NULL)
			continue;
		ASSERT(deployment_key_parse(runner_hosts(runner), &its_module, &its_version));
		count += its_module == module && (version < 0 || its_version == (unsigned)version);
	}
	return count;
}

/* Runners that were told to end within the last second, as a replacement may be in progress at any moment. */
static unsigned count_ending(const struct sim *sim, const struct module *module) {
	enum { JUST_NOW_MS = 1000 };
	struct effects *effects = sim->control.effects;
	int64_t wall_ms = effects->ops->wall_ms(effects);
	unsigned count = 0;
	LIST_FOREACH(link, &sim->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		count += runner_is_leaving(runner) && runner->deployment != NULL &&
			 runner->deployment->module == module && wall_ms - runner->since_wall_ms < JUST_NOW_MS;
	}
	return count;
}

void check_copies(struct sim *sim) {
	for (unsigned i = 0; i < MODULES; i++) {
		const struct module *module = control_module(&sim->control, str_from(module_name(i)));
		if (module == NULL)
			continue;
		unsigned copies = count_copies(sim, i, -1);
		unsigned asked = (module->active ? deployment_wanted(module->active) : 0) +
				 (module->next ? deployment_wanted(module->next) : 0) + count_ending(sim, module);
		if (copies > asked)
			sim_violate(sim, "copies", "%s runs in %u copies, and %u were asked for", module->name, copies,
				    asked);
	}
}

static void check_module(struct sim *sim, const struct module *module) {
	unsigned number = module_of(module->name), its_module, version;
	const struct stored_module *row = &sim->stored.modules[number];
	const char *active = module->active ? module->active->key : "", *next = module->next ? module->next->key : "";
	if (strcmp(row->active, active) != 0 || strcmp(row->next, next) != 0 || row->replicas != module->replicas ||
	    row->next_replicas != module->next_replicas)
		sim_violate(sim, "converges", "%s has active %s, next %s and %u replicas, and the store has %s, %s, %u",
			    module->name, active, next, module->replicas, row->active, row->next, row->replicas);
	/* A next deployment with 0 replicas waits until it is scaled up. */
	if (module->next != NULL && deployment_wanted(module->next) > 0)
		sim_violate(sim, "converges", "%s is still to be replaced by %s", module->name, next);
	if (module->active == NULL)
		return;
	ASSERT(deployment_key_parse(module->active->key, &its_module, &version));
	unsigned copies = count_copies(sim, number, (int)version);
	if (module->active->alive != module->replicas || copies != module->replicas)
		sim_violate(sim, "converges", "%s was to have %u replicas; %u are alive, %u in the books", module->name,
			    module->replicas, copies, module->active->alive);
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		const struct module_routes *routes = &sim->tables[worker].modules[number];
		if (routes->count != module->replicas)
			sim_violate(sim, "converges", "a worker routes %s to %zu replicas of %u", module->name,
				    routes->count, module->replicas);
		for (size_t i = 0; i < routes->count; i++) {
			const struct sim_runner *runner = runner_running(sim, routes->replicas[i].runner);
			if (runner == NULL || runner_hosts(runner) == NULL ||
			    strcmp(runner_hosts(runner), routes->replicas[i].deployment) != 0)
				sim_violate(sim, "converges", "a worker routes %s to %s, which does not host it",
					    module->name, routes->replicas[i].runner);
		}
	}
}

static void check_left_over(struct sim *sim) {
	for (unsigned i = 0; i < sim->runner_count; i++) {
		const struct sim_runner *there = sim->runners[i];
		if (!there->running)
			continue;
		const struct runner *runner = map_get(&sim->control.books.runners, str_from(there->key));
		if (runner == NULL || (runner->state != RUNNER_IDLE && runner->state != RUNNER_ALIVE))
			sim_violate(sim, "converges", "%s runs, and in the books it is %s", there->key,
				    runner ? runner_state_name(runner->state) : "not there");
		else if ((runner->state == RUNNER_ALIVE) != (runner_hosts(there) != NULL))
			sim_violate(sim, "converges", "%s is %s in the books, and hosts \"%s\"", there->key,
				    runner_state_name(runner->state), there->agent.hosting.key);
	}
	LIST_FOREACH(link, &sim->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner_running(sim, runner->key) == NULL)
			sim_violate(sim, "converges", "%s is in the books, and does not run", runner->key);
	}
	for (unsigned i = 0; i < MODULES * VERSIONS; i++) {
		char key[KEY_MAX];
		deployment_key_of(i / VERSIONS, i % VERSIONS, key);
		const struct stored_deployment *row = &sim->stored.deployments[i / VERSIONS][i % VERSIONS];
		bool active = strcmp(sim->stored.modules[i / VERSIONS].active, key) == 0;
		bool next = strcmp(sim->stored.modules[i / VERSIONS].next, key) == 0;
		bool ended = row->state == DEPLOYMENT_STOPPED || row->state == DEPLOYMENT_FAILED;
		bool right = active ? row->state == DEPLOYMENT_LIVE : next ? row->state == DEPLOYMENT_STARTING : ended;
		if (row->exists && !right)
			sim_violate(sim, "converges", "%s is %s in the store, and %s", key,
				    deployment_state_name(row->state),
				    active ? "takes the calls"
				    : next ? "is to take them"
					   : "not wanted");
	}
}

static void check_idle(struct sim *sim) {
	LIST_FOREACH(link, &sim->control.books.all_languages) {
		const struct language *language = LIST_ENTRY(link, struct language, in_control);
		unsigned idle = 0, by_hand = 0;
		LIST_FOREACH(other, &sim->control.books.all_runners) {
			const struct runner *runner = LIST_ENTRY(other, struct runner, in_control);
			if (runner->state != RUNNER_IDLE || strcmp(runner->language, language->name) != 0)
				continue;
			idle += runner->managed;
			by_hand += !runner->managed;
		}
		unsigned wanted = list_is_empty(&language->deployments) ? 0 : sim->control.config.warm;
		if (idle > wanted || idle + by_hand < wanted)
			sim_violate(sim, "converges", "%u Runners for %s are idle, and %u are to be", idle,
				    language->name, wanted);
	}
}

void check_end(struct sim *sim) {
	LIST_FOREACH(link, &sim->control.books.all_modules)
		check_module(sim, LIST_ENTRY(link, struct module, in_control));
	check_left_over(sim);
	check_idle(sim);
	if (!list_is_empty(&sim->control.marks.ending))
		sim_violate(sim, "converges", "a deployment never ends");
}
