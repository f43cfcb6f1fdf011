/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pass goes from what must go to what must come:
 *
 *   1. Runners of deployments that are not wanted, or when the Backplane stops all managed ones, are drained
 *   2. Runners that say what they host are adopted or drained
 *   3. each unreconciled module: surplus replicas are drained, missing ones are given to idle Runners, and the next
 *      deployment takes over once it is all alive
 *   4. each language: surplus idle Runners are drained, missing Runners are asked of the Platform
 *
 * A pass may change what a pass does, so they repeat until one changes nothing. Then, once: Runners that no route leads
 * to are told to end, deployments without Runners are freed, and changed routes are published.
 */
#include "control/reconcile.h"

#include <stdio.h>

#include "control/deployment.h"
#include "control/runner.h"

/* --- 1. what is not wanted ---------------------------------------------------------------------------------------- */

static void drain_deployment(struct control *control, struct deployment *deployment) {
	const char *why = deployment->phase == PHASE_FAILED ? "its deployment failed" : deployment->detail;
	LIST_FOREACH(link, &deployment->runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
		if (runner->state == RUNNER_DEPLOYING || runner->state == RUNNER_ALIVE)
			runner_drain(control, runner, why);
	}
}

/* Leaves unmanaged Runners running: they look for the next Backplane. */
static void drain_managed(struct control *control) {
	LIST_FOREACH(link, &control->books.all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->managed && !runner_is_leaving(runner))
			runner_drain(control, runner, "the Backplane stops");
	}
}

/* --- 2. Runners that host something already ----------------------------------------------------------------------- */

/* A replica that is alive is worth more than those still to come, which are the surplus then. */
static bool is_wanted_of(const struct deployment *deployment, const struct runner *runner) {
	return deployment != NULL && deployment_is_wanted(deployment) &&
	       deployment->alive < deployment_wanted(deployment) && strcmp(deployment->language, runner->language) == 0;
}

static void place_claims(struct control *control) {
	LIST_FOREACH(link, &control->marks.runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_marked);
		if (runner->state != RUNNER_CLAIMING)
			continue;
		struct deployment *deployment = map_get(&control->books.deployments, str_from(runner->claimed));
		char why[KEY_MAX + 48];
		snprintf(why, sizeof why, "it hosts %s, which is not wanted of it", runner->claimed);
		if (is_wanted_of(deployment, runner))
			runner_adopt(control, runner, deployment);
		else
			runner_drain(control, runner, why);
	}
}

/* --- 3. modules --------------------------------------------------------------------------------------------------- */

static bool may_host(const struct runner *runner, const struct deployment *deployment) {
	return runner->state == RUNNER_FOUND ||
	       (runner->state == RUNNER_PROBING && strcmp(runner->claimed, deployment->key) == 0);
}

/* Whether a loaded deployment waits for Runners of the Backplane before: for a short while any may register, and those
 * that the Platform found until they are given up. A failure ends it: the replica is gone, not away. */
static bool is_awaited(const struct control *control, const struct deployment *deployment) {
	if (!deployment->loaded || deployment->failures > 0)
		return false;
	if (control->time.now_ms < control->time.adopt_until_ms)
		return true;
	LIST_FOREACH(link, &control->books.all_runners)
		if (may_host(LIST_ENTRY(link, struct runner, in_control), deployment))
			return true;
	return false;
}

static void drain_surplus(struct control *control, struct deployment *deployment, unsigned surplus) {
	/* Replicas that are not up yet are drained first. */
	static const enum runner_state order[] = {RUNNER_DEPLOYING, RUNNER_ALIVE};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		LIST_FOREACH(link, &deployment->runners) {
			struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
			if (surplus > 0 && runner->state == order[i]) {
				runner_drain(control, runner, "a surplus replica");
				surplus--;
			}
		}
	}
}

static void count_in_language(struct language *language, struct deployment *deployment, bool is_to_run) {
	list_remove(&deployment->in_language);
	if (is_to_run)
		list_append(&language->deployments, &deployment->in_language);
}

static void reconcile_deployment(struct control *control, struct deployment *deployment) {
	struct language *language = language_find_or_add(control, deployment->language);
	unsigned want = deployment_wanted(deployment), have = deployment_assigned(deployment);
	count_in_language(language, deployment, want > 0);
	if (have > want)
		drain_surplus(control, deployment, have - want);
	bool waits = control->time.now_ms < deployment->retry_due_ms || deployment->phase == PHASE_FAILING;
	if (have >= want || waits || is_awaited(control, deployment))
		return;
	for (; have < want; have++) {
		struct runner *runner =
			language->pass.exhausted ? NULL : runner_find_idle(control, deployment->language);
		if (runner == NULL) {
			language->pass.exhausted = true;
			language->pass.missing += want - have;
			return;
		}
		runner_assign(control, runner, deployment);
	}
}

/* With 0 replicas nothing shows whether it would come up: it waits until it is scaled up. */
static bool is_up(const struct deployment *deployment) {
	return deployment->alive >= MAX(deployment_wanted(deployment), 1u);
}

static void reconcile_module(struct control *control, struct module *module) {
	if (module->active != NULL)
		reconcile_deployment(control, module->active);
	if (module->next == NULL)
		return;
	reconcile_deployment(control, module->next);
	if (is_up(module->next))
		deployment_take_over(control, module);
}

/* Whether no pass has anything to do for the module until an event changes it. */
static bool is_reconciled(const struct module *module) {
	const struct deployment *active = module->active;
	if (module->next != NULL)
		return false;
	return active == NULL || (active->phase == PHASE_LIVE && deployment_assigned(active) == module->replicas);
}

/* --- 4. languages ------------------------------------------------------------------------------------------------- */

/* Idle Runners of a language, and those on their way to be. */
static unsigned count_supply(const struct control *control, const struct language *language) {
	unsigned supply = 0;
	LIST_FOREACH(link, &control->books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		bool coming = runner->state == RUNNER_CREATING || runner->state == RUNNER_PROBING ||
			      runner->state == RUNNER_IDLE;
		if (coming && strcmp(runner->language, language->name) == 0)
			supply++;
	}
	return supply;
}

static void drain_idle(struct control *control, const struct language *language, unsigned surplus) {
	LIST_FOREACH(link, &control->books.all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		bool idle = runner->state == RUNNER_IDLE && runner->managed && runner->due_ms <= control->time.now_ms;
		if (surplus > 0 && idle && strcmp(runner->language, language->name) == 0) {
			runner_drain(control, runner, "not needed any more");
			surplus--;
		}
	}
}

static void reconcile_language(struct control *control, struct language *language) {
	unsigned warm = list_is_empty(&language->deployments) ? 0 : control->config.warm;
	unsigned need = language->pass.missing + warm;
	unsigned supply = count_supply(control, language);
	if (supply > need)
		drain_idle(control, language, supply - need);
	if (control->time.now_ms < language->retry_due_ms)
		return;
	for (; supply < need; supply++)
		runner_create(control, language->name);
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

static void end_what_is_unwanted(struct control *control) {
	LIST_FOREACH(link, &control->marks.ending)
		drain_deployment(control, LIST_ENTRY(link, struct deployment, in_ending));
	place_claims(control);
	if (control->state >= CONTROL_STOPPING)
		drain_managed(control);
}

static void bring_up_what_is_wanted(struct control *control) {
	LIST_FOREACH(link, &control->books.all_languages) {
		struct language *language = LIST_ENTRY(link, struct language, in_control);
		language->pass.missing = 0;
		language->pass.exhausted = false;
	}
	LIST_FOREACH(link, &control->marks.unreconciled) {
		struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		reconcile_module(control, module);
		if (is_reconciled(module))
			list_remove(&module->in_unreconciled);
	}
	LIST_FOREACH(link, &control->books.all_languages)
		reconcile_language(control, LIST_ENTRY(link, struct language, in_control));
}

/* --- after the passes --------------------------------------------------------------------------------------------- */

static void end_unrouted_runners(struct control *control) {
	LIST_FOREACH(link, &control->marks.runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_marked);
		if (runner->state == RUNNER_DRAINING && runner->drain_version <= control->routes.published)
			runner_end(control, runner);
	}
}

static void release_deployments(struct control *control) {
	LIST_FOREACH(link, &control->marks.ending) {
		struct deployment *deployment = LIST_ENTRY(link, struct deployment, in_ending);
		if (list_is_empty(&deployment->runners))
			deployment_release(control, deployment);
	}
}

static void publish_routes(struct control *control) {
	if (list_is_empty(&control->routes.dirty))
		return;
	control->routes.version++;
	while (!list_is_empty(&control->routes.dirty)) {
		struct module *module = LIST_ENTRY(control->routes.dirty.next, struct module, in_dirty);
		list_remove(&module->in_dirty);
		control->effects->ops->route(control->effects, module);
		if (module->active != NULL)
			deployment_drafted(control, module->active, control->routes.version);
	}
	control->effects->ops->publish(control->effects, control->routes.version);
}

static void tell_when_all_gone(struct control *control) {
	if (control->state != CONTROL_STOPPING)
		return;
	LIST_FOREACH(link, &control->books.all_runners)
		if (LIST_ENTRY(link, struct runner, in_control)->managed)
			return;
	control_set_state(control, CONTROL_STOPPED);
	control->effects->ops->all_gone(control->effects);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static uint64_t if_later(const struct control *control, uint64_t due_ms) {
	return due_ms > control->time.now_ms ? due_ms : UINT64_MAX;
}

/* When time alone changes what a pass does. */
static uint64_t next_due_ms(const struct control *control) {
	uint64_t due = if_later(control, control->time.adopt_until_ms);
	LIST_FOREACH(link, &control->books.all_languages)
		due = MIN(due, if_later(control, LIST_ENTRY(link, struct language, in_control)->retry_due_ms));
	LIST_FOREACH(link, &control->marks.unreconciled) {
		const struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		if (module->active != NULL)
			due = MIN(due, deployment_due(control, module->active));
		if (module->next != NULL)
			due = MIN(due, deployment_due(control, module->next));
	}
	return due;
}

void control_reconcile(struct control *control) {
	if (control->state == CONTROL_LOADING)
		return;
	/* An event may come before the tick that a due retry waits for. */
	control->marks.needs_reconcile |= control->time.reconcile_due_ms <= control->time.now_ms;
	while (control->marks.needs_reconcile) {
		control->marks.needs_reconcile = false;
		end_what_is_unwanted(control);
		if (control->state == CONTROL_RUNNING)
			bring_up_what_is_wanted(control);
	}
	end_unrouted_runners(control);
	release_deployments(control);
	publish_routes(control);
	tell_when_all_gone(control);
	control->time.reconcile_due_ms = next_due_ms(control);
}
