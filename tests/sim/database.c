/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of the simulated Backplane: the real one in memory, behind a queue that takes time, fails and makes planted
 * mistakes. The rows survive a crash of the Backplane; a write that was queued then may be executed later, or never.
 * The checks read a copy of the rows, which follows the store by watch().
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/recovery.h"
#include "store/memory.h"
#include "store/writer.h"

/* --- the copy for the checks -------------------------------------------------------------------------------------- */

static void follow_module(struct sim *sim, const struct module_record *record) {
	struct stored_module *module = &sim->stored.modules[module_of(record->name)];
	*module = (struct stored_module){.replicas = record->replicas, .next_replicas = record->next_replicas};
	snprintf(module->active, sizeof module->active, "%s", record->active_key);
	snprintf(module->next, sizeof module->next, "%s", record->next_key);
	sim_trace(sim, "store: %s has active %s, next %s, replicas %u", record->name, module->active, module->next,
		  module->replicas);
}

static void follow(struct sim *sim, struct store *store) {
	struct arena arena = ARENA_INIT(KIB(64));
	struct store_rows rows;
	struct error err;
	int failed = store->ops->watch(store, sim->stored.sequence, &arena, &rows, &err);
	ASSERT(!failed);
	sim->stored.sequence = rows.sequence;
	for (size_t i = 0; i < rows.module_count; i++)
		follow_module(sim, &rows.modules[i]);
	for (size_t i = 0; i < rows.deployment_count; i++) {
		unsigned module, version;
		ASSERT(deployment_key_parse(rows.deployments[i].key, &module, &version));
		struct stored_deployment *deployment = &sim->stored.deployments[module][version];
		deployment->exists = true;
		deployment->state = rows.deployments[i].state;
	}
	arena_deinit(&arena);
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */

/* The store executes one job after the other. Returns the delay after which this one is executed. */
static uint64_t store_take(struct sim *sim) {
	uint64_t cost_ms =
		sim->now_ms < sim->store_slow_until_ms ? sim_between(sim, 100, 2000) : sim_between(sim, 0, 4);
	sim->store_busy_until_ms = MAX(sim->store_busy_until_ms, sim->now_ms) + cost_ms;
	return sim->store_busy_until_ms - sim->now_ms;
}

static bool store_fails(const struct sim *sim) {
	return sim->now_ms < sim->store_fails_until_ms;
}

/* --- creations and rollbacks -------------------------------------------------------------------------------------- */

static void on_op_stored(struct sim *sim, struct event *event) {
	if (event->flag)
		op_apply(sim, event->subject);
}

static void add_deployment(struct sim *sim, const struct op *op) {
	char key[KEY_MAX], found[KEY_MAX];
	deployment_key_of(op->module, op->version, key);
	struct deployment_record record = {.key = key,
					   .module = module_name(op->module),
					   .language = language_of(op->module),
					   .state = DEPLOYMENT_STARTING,
					   .schema = STR(""),
					   .detail = ""};
	digest_of(str_from(key), &record.identity);
	bool existed;
	struct error err;
	int failed = sim->store->ops->add_deployment(sim->store, sim->store_epoch, &record, found, &existed, &err);
	ASSERT(!failed && strcmp(found, key) == 0);
	sim_trace(sim, "store: %s is added to %s", key, record.module);
	follow(sim, sim->store);
}

static void execute_op(struct sim *sim, struct event *event) {
	struct op *op = event->subject;
	bool creates = op->kind == OP_CREATE, there = sim->stored.deployments[op->module][op->version].exists;
	bool stored = (creates || there) && !store_fails(sim);
	if (stored && creates && sim->options.plant != PLANT_FORGET_CREATION)
		add_deployment(sim, op);
	sim_to_backplane(sim, sim_between(sim, 0, 2), on_op_stored, op)->flag = stored;
}

void store_op(struct sim *sim, struct op *op) {
	sim_to_backplane(sim, store_take(sim), execute_op, op);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void on_retry(struct sim *sim, struct event *event) {
	(void)event;
	write_behind_retry(&sim->write_behind);
}

static void on_written(struct sim *sim, struct event *event) {
	if (!event->flag)
		sim_to_backplane(sim, STORE_RETRY_MS, on_retry, NULL);
	write_behind_written(&sim->write_behind, event->flag);
}

/* A queued write: a copy of a save, as the Backplane may die before the write is executed. */
struct held {
	struct store_change change;
	struct module_record module;
	uint64_t epoch; /* of the Backplane that writes */
	uint64_t order; /* when the change happened, among the ops */
	bool executed;
};

static const char *copy(struct sim *sim, const char *text) {
	return text != NULL ? arena_strdup(&sim->arena, str_from(text)) : NULL;
}

static const struct event_record *copy_events(struct sim *sim, const struct store_change *change) {
	struct event_record *events = arena_alloc(&sim->arena, (change->event_count + 1) * sizeof *events);
	for (size_t i = 0; i < change->event_count; i++) {
		events[i] = change->events[i];
		events[i].module = copy(sim, events[i].module);
		events[i].deployment_key = copy(sim, events[i].deployment_key);
		events[i].runner_key = copy(sim, events[i].runner_key);
		events[i].text = copy(sim, events[i].text);
		events[i].lines = copy(sim, events[i].lines);
	}
	return events;
}

static struct held *hold(struct sim *sim, const struct save *save) {
	struct held *held = arena_alloc(&sim->arena, sizeof *held);
	*held = (struct held){.change = save->change,
			      .epoch = sim->store_epoch,
			      .order = sim->save_orders[save->sequence]};
	held->change.deployment_key = copy(sim, save->change.deployment_key);
	held->change.detail = copy(sim, save->change.detail);
	held->change.events = copy_events(sim, &save->change);
	if (save->change.module == NULL)
		return held;
	held->module = *save->change.module;
	held->module.name = copy(sim, held->module.name);
	held->module.active_key = copy(sim, held->module.active_key);
	held->module.next_key = copy(sim, held->module.next_key);
	held->change.module = &held->module;
	return held;
}

static void note_failure(struct sim *sim, const struct held *held) {
	unsigned module, version;
	if (held->change.deployment_key != NULL && held->change.state == DEPLOYMENT_FAILED &&
	    deployment_key_parse(held->change.deployment_key, &module, &version))
		sim->stored.deployments[module][version].failed_order = held->order;
}

/* Like the real writer, drops a change that names a missing row, and one with a stale epoch. */
static void commit(struct sim *sim, struct store *store, const struct held *held, uint64_t epoch) {
	struct error err;
	if (store->ops->commit(store, epoch, &held->change, &err) < 0) {
		bool is_stale = strcmp(err.reason, "STALE_EPOCH") == 0;
		ASSERT(is_stale || sim->options.plant != PLANT_NONE);
		return;
	}
	if (held->change.event_count > 0)
		sim->stored.event_sequence = held->change.events[held->change.event_count - 1].sequence;
	follow(sim, store);
	note_failure(sim, held);
}

static void execute_late(struct sim *sim, struct event *event) {
	const struct held *held = event->subject;
	commit(sim, sim->store, held, held->epoch);
	check_store(sim);
}

/* Stores the events now and the rest after later writes. */
static void reorder(struct sim *sim, struct held *held) {
	const struct held events = {.change = {.events = held->change.events, .event_count = held->change.event_count}};
	commit(sim, sim->store, &events, held->epoch);
	held->change.event_count = 0;
	sim_to_backplane(sim, STORE_RETRY_MS, execute_late, held);
}

static void execute_save(struct sim *sim, struct event *event) {
	struct held *held = event->subject;
	bool stored = !store_fails(sim);
	held->executed = true;
	if (stored && sim->options.plant == PLANT_REORDER_SAVES && sim_chance(sim, 20))
		reorder(sim, held);
	else if (stored)
		commit(sim, sim->store, held, held->epoch);
	sim_to_backplane(sim, sim_between(sim, 0, 2), on_written, NULL)->flag = stored;
	check_store(sim);
}

/* A write that is queued when its Backplane dies is executed before or after another Backplane acquires the store. In
 * the second case the store refuses it. */
static void execute_orphan(struct sim *sim, struct event *event) {
	struct held *held = event->subject;
	bool is_still_alive = sim->up && held->epoch == sim->store_epoch;
	if (held->executed || is_still_alive)
		return;
	struct store *store = memory_database_open(sim->database);
	uint64_t epoch = held->epoch;
	if (sim->options.plant == PLANT_STALE_EPOCH) {
		epoch = sim->store_epoch;
		held->change.event_count = 0; /* the next Backplane may have used their sequence */
	}
	commit(sim, store, held, epoch);
	store->ops->close(store);
	if (sim->up)
		check_store(sim);
}

static void start_write(struct write_behind *write_behind, const struct save *save) {
	struct sim *sim = CONTAINER_OF(write_behind, struct sim, write_behind);
	struct held *held = hold(sim, save);
	uint64_t delay_ms = store_take(sim);
	sim_to_backplane(sim, delay_ms, execute_save, held);
	sim_at(sim, delay_ms + sim_between(sim, 0, 3000), execute_orphan, held);
}

/* --- start and crash ---------------------------------------------------------------------------------------------- */

void store_open_again(struct sim *sim) {
	struct error err;
	if (sim->database == NULL)
		sim->database = memory_database_new();
	sim->store = memory_database_open(sim->database);
	int failed = sim->store->ops->acquire(sim->store, &sim->store_epoch, &err);
	ASSERT(!failed);
	sim->store_busy_until_ms = sim->now_ms;
	sim->event_sequence = sim->stored.event_sequence;
	write_behind_init(&sim->write_behind, start_write);
}

void store_load(struct sim *sim) {
	struct error err;
	int failed = recovery_load(sim->store, sim->store_epoch, &sim->control, &err);
	ASSERT(!failed);
	follow(sim, sim->store);
}

void store_crash(struct sim *sim) {
	write_behind_deinit(&sim->write_behind);
	sim->store->ops->close(sim->store);
	sim->store = NULL;
}

void store_deinit(struct sim *sim) {
	if (sim->store != NULL)
		store_crash(sim);
	if (sim->database != NULL)
		memory_database_free(sim->database);
	sim->database = NULL;
}
