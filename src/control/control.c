/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what is wanted with what is there, after every event, and brings the one closer to the other: gives idle
 * Runners to deployments that lack one, asks the Platform for those that are missing, lets the surplus go, switches a
 * module over when its next deployment is up, and publishes the routes that changed.
 */
#include "control/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/packed.h"

const struct control_config control_config_default = {
	.warm = 1,
	.create_timeout_ms = 10000,
	.silence_ms = 4500,
	.deploy_timeout_ms = 600000,
	.drain_timeout_ms = 30000,
	.kill_timeout_ms = 15000,
	.idle_timeout_ms = 30000,
	.adopt_timeout_ms = 1500,
	.attempts_max = 3,
	.retry_max_ms = 60000,
	.stable_ms = 5000,
};

/* --- modules and languages ---------------------------------------------------------------------------------------- */

void module_mark_unreconciled(struct control *control, struct module *module) {
	control->needs_reconcile = true;
	if (list_is_empty(&module->in_unreconciled))
		list_append(&control->unreconciled, &module->in_unreconciled);
}

void module_mark_dirty(struct control *control, struct module *module) {
	module_mark_unreconciled(control, module);
	if (list_is_empty(&module->in_dirty))
		list_append(&control->dirty, &module->in_dirty);
}

struct module *module_find_or_add(struct control *control, const char *name) {
	struct module *module = map_get(&control->modules, str_from(name));
	if (module != NULL)
		return module;
	module = mem_zalloc(sizeof *module);
	module->name = mem_strdup(name);
	module->replicas = 1;
	list_init(&module->in_dirty);
	list_init(&module->in_unreconciled);
	list_append(&control->all_modules, &module->in_control);
	map_put(&control->modules, str_from(name), module);
	return module;
}

struct language *language_find_or_add(struct control *control, const char *name) {
	struct language *language = map_get(&control->languages, str_from(name));
	if (language != NULL)
		return language;
	language = mem_zalloc(sizeof *language);
	snprintf(language->name, sizeof language->name, "%s", name);
	list_append(&control->all_languages, &language->in_control);
	map_put(&control->languages, str_from(name), language);
	return language;
}

/* --- settling ----------------------------------------------------------------------------------------------------- */

static bool may_host(const struct runner *runner, const struct deployment *deployment) {
	return runner_was_found(runner) ||
	       (runner->state == RUNNER_PROBING && strcmp(runner->claimed, deployment->key) == 0);
}

/* Whether Runners of the Backplane before may still come back to it: for a short while any may, and those that the
 * Platform found until they count as silent. A busy machine is no reason to deploy again. */
static bool is_awaited(const struct control *control, const struct deployment *deployment) {
	if (!deployment->awaited || control->now_ms < control->adopt_until_ms)
		return deployment->awaited;
	LIST_FOREACH(link, &control->all_runners)
		if (may_host(LIST_ENTRY(link, struct runner, in_control), deployment))
			return true;
	return false;
}

static void drain_surplus(struct control *control, struct deployment *deployment, unsigned surplus) {
	/* Those that are not up yet go first. */
	static const enum runner_state order[] = {RUNNER_DEPLOYING, RUNNER_ALIVE};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		LIST_FOREACH(link, &deployment->runners) {
			struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
			if (surplus > 0 && runner->state == order[i]) {
				runner_drain(control, runner, "a copy too many");
				surplus--;
			}
		}
	}
}

static void reconcile_deployment(struct control *control, struct deployment *deployment) {
	struct language *language = language_find_or_add(control, deployment->language);
	unsigned want = deployment_wanted(deployment), have = deployment_assigned(deployment);
	deployment_use_language(control, deployment, want > 0);
	if (have > want)
		drain_surplus(control, deployment, have - want);
	if (have >= want || control->now_ms < deployment->retry_due_ms || is_awaited(control, deployment) ||
	    deployment->failing.due_ms > 0)
		return;
	for (; have < want; have++) {
		struct runner *runner = language->exhausted ? NULL : runner_find_idle(control, deployment->language);
		if (runner == NULL) {
			language->exhausted = true;
			language->missing += want - have;
			return;
		}
		runner_assign(control, runner, deployment);
	}
}

static void reconcile_module(struct control *control, struct module *module) {
	if (module->active != NULL)
		reconcile_deployment(control, module->active);
	if (module->next == NULL)
		return;
	reconcile_deployment(control, module->next);
	/* With 0 replicas nothing shows whether it would come up: it waits for the day when it is scaled up again. */
	if (module->next->alive >= MAX(deployment_wanted(module->next), 1u))
		deployment_switch(control, module);
}

/* Idle Runners of a language, and those on their way to be. */
static unsigned count_supply(const struct control *control, const struct language *language) {
	unsigned supply = 0;
	LIST_FOREACH(link, &control->all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		bool coming = runner->state == RUNNER_CREATING || runner->state == RUNNER_PROBING ||
			      runner->state == RUNNER_IDLE;
		if (coming && strcmp(runner->language, language->name) == 0)
			supply++;
	}
	return supply;
}

static void end_surplus(struct control *control, const struct language *language, unsigned surplus) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		bool idle = runner->state == RUNNER_IDLE && runner->managed && runner->due_ms <= control->now_ms;
		if (surplus > 0 && idle && strcmp(runner->language, language->name) == 0) {
			runner_drain(control, runner, "not needed any more");
			surplus--;
		}
	}
}

static void reconcile_language(struct control *control, struct language *language) {
	unsigned need = language->missing + (language->users > 0 ? control->config.warm : 0);
	unsigned supply = count_supply(control, language);
	if (supply > need)
		end_surplus(control, language, supply - need);
	if (control->now_ms < language->retry_due_ms)
		return;
	for (; supply < need; supply++)
		runner_create(control, language->name);
}

static void publish_routes(struct control *control) {
	if (list_is_empty(&control->dirty))
		return;
	while (!list_is_empty(&control->dirty)) {
		struct module *module = LIST_ENTRY(control->dirty.next, struct module, in_dirty);
		list_remove(&module->in_dirty);
		control->effects->ops->route(control->effects, module);
		bool all_alive = module->active != NULL && module->active->alive >= MAX(module->replicas, 1u);
		if (module->active != NULL && module->active->coming_live)
			module->active->live_version = all_alive ? control->version + 1 : 0;
	}
	control->effects->ops->publish(control->effects, ++control->version);
}

/* Nothing is to be done for it until something happens to it. */
static bool is_at_rest(const struct module *module) {
	const struct deployment *active = module->active;
	if (module->next != NULL)
		return false;
	return active == NULL || (!active->coming_live && deployment_assigned(active) == module->replicas);
}

static void reconcile_once(struct control *control) {
	LIST_FOREACH(link, &control->all_languages) {
		struct language *language = LIST_ENTRY(link, struct language, in_control);
		language->missing = 0;
		language->exhausted = false;
	}
	LIST_FOREACH(link, &control->unreconciled) {
		struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		reconcile_module(control, module);
		if (is_at_rest(module))
			list_remove(&module->in_unreconciled);
	}
	LIST_FOREACH(link, &control->all_languages)
		reconcile_language(control, LIST_ENTRY(link, struct language, in_control));
}

static void tell_when_all_gone(struct control *control) {
	LIST_FOREACH(link, &control->all_runners)
		if (LIST_ENTRY(link, struct runner, in_control)->managed)
			return;
	if (control->told_all_gone)
		return;
	control->told_all_gone = true;
	control->effects->ops->all_gone(control->effects);
}

static uint64_t later_than(const struct control *control, uint64_t due_ms) {
	return due_ms > control->now_ms ? due_ms : UINT64_MAX;
}

/* When time itself makes a difference to what settling does. */
static uint64_t reconcile_due(const struct control *control) {
	uint64_t due = later_than(control, control->adopt_until_ms);
	LIST_FOREACH(link, &control->all_languages)
		due = MIN(due, later_than(control, LIST_ENTRY(link, struct language, in_control)->retry_due_ms));
	LIST_FOREACH(link, &control->unreconciled) {
		const struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		if (module->active != NULL)
			due = MIN(due, deployment_due(control, module->active));
		if (module->next != NULL)
			due = MIN(due, deployment_due(control, module->next));
	}
	return due;
}

void control_reconcile(struct control *control) {
	/* A retry that is due now waits for no event but this. */
	control->needs_reconcile |= control->reconcile_due_ms <= control->now_ms;
	/* Settling may change more, as a switch that sets the Runners of the deployment before free. */
	while (control->needs_reconcile && !control->shutting_down) {
		control->needs_reconcile = false;
		reconcile_once(control);
	}
	deployments_release(control);
	publish_routes(control);
	if (control->shutting_down)
		tell_when_all_gone(control);
	control->reconcile_due_ms = reconcile_due(control);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void control_advance(struct control *control, uint64_t now_ms) {
	ASSERT(now_ms >= control->now_ms);
	control->now_ms = now_ms;
}

/* What was found has its time from now on: until here it may have had nobody to register with, as the Backplane before
 * us finished its requests. */
void control_begin(struct control *control, uint64_t now_ms) {
	uint64_t passed_ms = now_ms - control->now_ms;
	control_advance(control, now_ms);
	LIST_FOREACH(link, &control->all_runners)
		runner_postpone(control, LIST_ENTRY(link, struct runner, in_control), passed_ms);
	control->needs_reconcile = true;
	control->adopt_until_ms = now_ms + control->config.adopt_timeout_ms;
}

uint64_t control_tick(struct control *control) {
	for (struct heap_node *due; (due = heap_first(&control->due_runners)) != NULL && due->key <= control->now_ms;)
		runner_tick(control, CONTAINER_OF(due, struct runner, due));
	LIST_FOREACH(link, &control->unreconciled) {
		struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		if (module->next != NULL)
			deployment_tick(control, module->next);
	}
	control_reconcile(control);
	const struct heap_node *due = heap_first(&control->due_runners);
	return MIN(control->reconcile_due_ms, due != NULL ? due->key : UINT64_MAX);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void control_init(struct control *control, const struct control_config *config, struct effects *effects,
		  uint64_t now_ms) {
	*control = (struct control){.config = *config, .effects = effects, .now_ms = now_ms};
	map_init(&control->runners);
	map_init(&control->platform_keys);
	map_init(&control->deployments);
	map_init(&control->modules);
	map_init(&control->languages);
	list_init(&control->all_runners);
	list_init(&control->all_modules);
	list_init(&control->all_languages);
	list_init(&control->dirty);
	list_init(&control->unreconciled);
	list_init(&control->ending);
	control->adopt_until_ms = now_ms + config->adopt_timeout_ms;
}

void control_deinit(struct control *control) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		free(runner->endpoint);
		free(runner);
	}
	for (size_t cursor = 0;;) {
		struct deployment *deployment = map_next(&control->deployments, &cursor);
		if (deployment == NULL)
			break;
		packed_schema_unref(deployment->schema);
		free(deployment->detail);
		free(deployment->failing.why);
		free(deployment);
	}
	LIST_FOREACH(link, &control->all_modules) {
		struct module *module = LIST_ENTRY(link, struct module, in_control);
		free(module->name);
		free(module->failure);
		free(module->failed.detail);
		free(module->stopped.detail);
		free(module);
	}
	LIST_FOREACH(link, &control->all_languages)
		free(LIST_ENTRY(link, struct language, in_control));
	for (size_t cursor = 0;;) {
		char *key = map_next(&control->platform_keys, &cursor);
		if (key == NULL)
			break;
		free(key);
	}
	heap_deinit(&control->due_runners);
	map_deinit(&control->runners);
	map_deinit(&control->platform_keys);
	map_deinit(&control->deployments);
	map_deinit(&control->modules);
	map_deinit(&control->languages);
}

void control_shut_down(struct control *control) {
	control->shutting_down = true;
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		/* Those of a person stay: they look for the next Backplane. */
		if (runner->managed && runner->state != RUNNER_DRAINING)
			runner_drain(control, runner, "the Backplane stops");
	}
	control_reconcile(control);
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

const struct module *control_module(const struct control *control, struct str name) {
	return map_get(&control->modules, name);
}

const struct deployment *control_deployment(const struct control *control, struct str key) {
	return map_get(&control->deployments, key);
}

bool control_module_is_awaited(const struct control *control, const struct module *module) {
	/* The next try comes within a second. */
	enum { FAILURES_MAX = 4 };
	const struct deployment *deployment = module->active;
	if (deployment == NULL || deployment->alive > 0 || module->replicas == 0 || deployment->failures > FAILURES_MAX)
		return false;
	const struct language *language = map_get(&control->languages, str_from(deployment->language));
	return language == NULL || language->problem[0] == '\0';
}

void control_module_problem(const struct control *control, const struct module *module, char *ret_text, size_t size) {
	const struct deployment *active = module->active, *next = module->next;
	const struct deployment *deployment = active != NULL && (module->replicas > 0 || next == NULL) ? active : next;
	const struct language *language =
		deployment ? map_get(&control->languages, str_from(deployment->language)) : NULL;
	if (deployment == NULL && module->failure != NULL)
		snprintf(ret_text, size, "%s", module->failure);
	else if (deployment == NULL)
		snprintf(ret_text, size, "it was stopped; deploy it again");
	else if (deployment_wanted(deployment) == 0)
		snprintf(ret_text, size, "it is scaled to 0; ftl scale %s 1 starts it", module->name);
	else if (language != NULL && language->problem[0] != '\0' && deployment_assigned(deployment) == 0)
		snprintf(ret_text, size, "%s waits for a Runner for %s: %s", deployment->key, language->name,
			 language->problem);
	else if (deployment->retry_due_ms > control->now_ms)
		snprintf(ret_text, size, "%s failed %u times in a row, and is tried again in %" PRIu64 " s: %s",
			 deployment->key, deployment->failures,
			 (deployment->retry_due_ms - control->now_ms + 999) / 1000, deployment->detail);
	else if (deployment->failures > 0 && deployment->detail[0] != '\0')
		snprintf(ret_text, size, "%s is starting again: %s", deployment->key, deployment->detail);
	else
		snprintf(ret_text, size, "%s is starting", deployment->key);
}
