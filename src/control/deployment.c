/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of a deployment:
 *
 *   created ──▶ STARTING ──all replicas alive──▶ LIVE ──replaced, killed──▶ DRAINING ──nothing left──▶ STOPPED
 *    again ▲       │ │                             ▲                           │                          │
 *          │       │ └──replaced, killed───────────┼──────────────────────────▶│                          │
 *          │       └──cannot come up──▶ FAILED     └───────────────────────────┘                          │
 *          └──────────────────────────────┴────────────────────── deployed again, rolled back to ─────────┘
 *
 * While the next deployment of a module is STARTING the active one keeps its calls. A replica that dies while LIVE
 * is replaced, later and later if it goes on dying.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "control/model.h"
#include "schema/packed.h"

const char *deployment_state_name(enum deployment_state state) {
	switch (state) {
	case DEPLOYMENT_STARTING:
		return "starting";
	case DEPLOYMENT_LIVE:
		return "live";
	case DEPLOYMENT_DRAINING:
		return "draining";
	case DEPLOYMENT_STOPPED:
		return "stopped";
	case DEPLOYMENT_FAILED:
		return "failed";
	}
	return "unknown";
}

void deployment_use_language(struct control *control, struct deployment *deployment, bool uses) {
	struct language *language = language_find_or_add(control, deployment->language);
	language->users += uses - deployment->uses_language;
	deployment->uses_language = uses;
}

static void set_state(struct control *control, struct deployment *deployment, enum deployment_state state,
		      const char *detail) {
	char *copy = mem_strdup(detail); /* detail may be the one that is replaced */
	free(deployment->detail);
	deployment->detail = copy;
	deployment->state = state;
	deployment->since_wall_ms = control->effects->ops->wall_ms(control->effects);
	deployment->due_ms = state == DEPLOYMENT_STARTING ? control->now_ms + control->config.deploy_timeout_ms : 0;
	if (state != DEPLOYMENT_STARTING && state != DEPLOYMENT_LIVE)
		deployment_use_language(control, deployment, false);
	module_mark_unreconciled(control, deployment->module);
}

void deployment_tell(struct control *control, const struct deployment *deployment, enum event_kind kind,
		     const char *format, ...) {
	char text[EVENT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	const struct control_event event = {.kind = kind, .deployment = deployment, .cause.why = text};
	control->effects->ops->event(control->effects, &event);
}

/* Either may be NULL. */
static void save(struct control *control, const struct deployment *deployment, const struct module *module) {
	struct module_record row;
	struct store_change change = {0};
	if (deployment != NULL) {
		change.deployment_key = deployment->key;
		change.state = deployment->state;
		change.detail = deployment->detail;
	}
	if (module != NULL) {
		row = (struct module_record){.name = module->name,
					     .active_key = module->active ? module->active->key : "",
					     .next_key = module->next ? module->next->key : "",
					     .replicas = module->replicas,
					     .next_replicas = module->next_replicas};
		change.module = &row;
	}
	control->effects->ops->save(control->effects, &change);
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

unsigned deployment_assigned(const struct deployment *deployment) {
	unsigned assigned = 0;
	LIST_FOREACH(link, &deployment->runners) {
		enum runner_state state = LIST_ENTRY(link, struct runner, in_deployment)->state;
		assigned += state == RUNNER_DEPLOYING || state == RUNNER_ALIVE;
	}
	return assigned;
}

unsigned deployment_wanted(const struct deployment *deployment) {
	const struct module *module = deployment->module;
	return deployment == module->next && module->next_replicas > 0 ? module->next_replicas : module->replicas;
}

bool deployment_is_wanted(const struct deployment *deployment) {
	return deployment == deployment->module->active || deployment == deployment->module->next;
}

/* --- coming ------------------------------------------------------------------------------------------------------- */

static struct deployment *find_or_add(struct control *control, const struct deployment_record *record) {
	struct deployment *deployment = map_get(&control->deployments, str_from(record->key));
	if (deployment != NULL)
		return deployment;
	deployment = mem_zalloc(sizeof *deployment);
	snprintf(deployment->key, sizeof deployment->key, "%s", record->key);
	snprintf(deployment->language, sizeof deployment->language, "%s", record->language);
	deployment->identity = record->identity;
	deployment->schema = packed_schema_new(record->schema);
	deployment->detail = mem_strdup("");
	deployment->module = module_find_or_add(control, record->module);
	list_init(&deployment->runners);
	list_init(&deployment->in_ending);
	map_put(&control->deployments, str_from(record->key), deployment);
	return deployment;
}

void control_load(struct control *control, const struct deployment_record *record, const struct module_record *wanted,
		  bool active) {
	struct deployment *deployment = find_or_add(control, record);
	struct module *module = deployment->module;
	module->replicas = wanted->replicas;
	module->next_replicas = wanted->next_replicas;
	deployment->from_store = deployment->awaited = true;
	set_state(control, deployment, active ? DEPLOYMENT_LIVE : DEPLOYMENT_STARTING, record->detail);
	if (active)
		module->active = deployment;
	else
		module->next = deployment;
	module_mark_dirty(control, module);
}

void control_load_module(struct control *control, const char *name, uint32_t replicas, const char *failure) {
	struct module *module = module_find_or_add(control, name);
	module->replicas = replicas;
	module->failure = failure[0] != '\0' ? mem_strdup(failure) : NULL;
	module_mark_dirty(control, module);
}

static void forget_ended(struct ended *ended) {
	free(ended->detail);
	*ended = (struct ended){0};
}

static void keep_ended(struct ended *ended, const char *key, const char *language, enum deployment_state state,
		       const char *detail, int64_t since_wall_ms) {
	forget_ended(ended);
	snprintf(ended->key, sizeof ended->key, "%s", key);
	snprintf(ended->language, sizeof ended->language, "%s", language);
	ended->state = state;
	ended->detail = mem_strdup(detail);
	ended->since_wall_ms = since_wall_ms;
}

void control_load_ended(struct control *control, const struct deployment_record *record) {
	struct module *module = module_find_or_add(control, record->module);
	if (record->state == DEPLOYMENT_FAILED || record->state == DEPLOYMENT_STOPPED)
		keep_ended(record->state == DEPLOYMENT_FAILED ? &module->failed : &module->stopped, record->key,
			   record->language, record->state, record->detail, record->created_ms);
}

static void drain_runners(struct control *control, struct deployment *deployment, const char *why) {
	LIST_FOREACH(link, &deployment->runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
		if (runner->state != RUNNER_DRAINING)
			runner_drain(control, runner, why);
	}
}

/* What its replicas said counts no more. */
static void stop_failing(struct deployment *deployment) {
	free(deployment->failing.why);
	deployment->failing = (struct failing){0};
}

/* Takes a deployment that is not wanted any more out of service. */
static void wind_down(struct control *control, struct deployment *deployment, const char *why) {
	stop_failing(deployment);
	set_state(control, deployment, DEPLOYMENT_DRAINING, why);
	deployment->coming_live = false;
	list_append(&control->ending, &deployment->in_ending);
	deployment_tell(control, deployment, EVENT_DEPLOYMENT_DRAINING, "%s", why);
	save(control, deployment, NULL);
	drain_runners(control, deployment, why);
}

/* It takes the calls already: who asked for more copies is told when they are all there. */
static void come_live(const struct control *control, struct deployment *deployment) {
	unsigned replicas = deployment->module->replicas;
	bool all_there = deployment->alive >= replicas && control->version_out == control->version;
	if (!deployment->coming_live)
		deployment->live_version = 0;
	deployment->coming_live |= replicas > 0 && !all_there;
}

/* Asked with a deployment; 0: nothing was. One that is to replace another has its number for itself, so that nothing is
 * changed if it does not come up. */
static void want_replicas(struct module *module, const struct deployment *deployment, unsigned replicas) {
	bool beside = module->active != NULL && deployment != module->active;
	if (beside && (replicas > 0 || deployment != module->next))
		module->next_replicas = replicas > 0 || module->replicas > 0 ? replicas : 1;
	if (beside)
		return;
	module->replicas = replicas > 0 ? replicas : MAX(module->replicas, 1u);
	module->next_replicas = 0;
}

static void want(struct control *control, const struct deployment_record *record, uint32_t replicas,
		 enum event_kind kind) {
	struct module *module = module_find_or_add(control, record->module);
	free(module->failure);
	module->failure = NULL;
	forget_ended(&module->failed);
	struct deployment *before = module->next;
	struct deployment *deployment = find_or_add(control, record);
	want_replicas(module, deployment, replicas);
	if (deployment != module->active && deployment != before) {
		module->next = deployment;
		list_remove(&deployment->in_ending);
		deployment->failures = 0;
		deployment->retry_due_ms = 0;
		deployment->from_store = deployment->awaited = false;
		set_state(control, deployment, DEPLOYMENT_STARTING, "");
		deployment_tell(control, deployment, kind,
				kind == EVENT_DEPLOYMENT_CREATED ? "created" : "wanted again");
	} else if (deployment == module->active) {
		/* The active one is wanted after all, perhaps in other numbers. */
		module->next = NULL;
		if (deployment->state == DEPLOYMENT_LIVE)
			come_live(control, deployment);
		if (deployment->state == DEPLOYMENT_LIVE && !deployment->coming_live)
			deployment_tell(control, deployment, EVENT_DEPLOYMENT_LIVE, "is live already");
	}
	/* What the store did when it kept the deployment may have been undone since, by a change that was under way. */
	save(control, deployment, module);
	if (before != NULL && before != module->next)
		wind_down(control, before, "replaced before it was up");
	module_mark_dirty(control, module);
	control_reconcile(control);
}

void control_deployment_created(struct control *control, const struct deployment_record *record, uint32_t replicas) {
	want(control, record, replicas, EVENT_DEPLOYMENT_CREATED);
}

void control_rolled_back(struct control *control, const struct deployment_record *record) {
	want(control, record, 0, EVENT_DEPLOYMENT_ROLLED_BACK);
}

/* --- replicas ----------------------------------------------------------------------------------------------------- */

static uint64_t backoff_ms(const struct control *control, unsigned failures) {
	return failures == 0 ? 0 : MIN(control->config.retry_max_ms, (uint64_t)100 << MIN(failures - 1, 10u));
}

static void retry_later(struct control *control, struct deployment *deployment, const struct cause *cause) {
	uint64_t delay_ms = backoff_ms(control, deployment->failures);
	deployment->retry_due_ms = control->now_ms + delay_ms;
	char text[EVENT_TEXT_MAX];
	snprintf(text, sizeof text, "%s; trying again in %llu ms", cause->why, (unsigned long long)delay_ms);
	if (deployment->state != DEPLOYMENT_STARTING)
		set_state(control, deployment, deployment->state, cause->why);
	const struct control_event event = {.kind = EVENT_DEPLOYMENT_BACKING_OFF,
					    .deployment = deployment,
					    .cause = {text, cause->lines, cause->line_count},
					    .retry_in_ms = delay_ms};
	control->effects->ops->event(control->effects, &event);
	module_mark_unreconciled(control, deployment->module);
	if (deployment == deployment->module->active && deployment->alive == 0)
		module_mark_dirty(control, deployment->module); /* what its calls are told has changed */
}

static bool go_on_failing(struct control *control, struct deployment *deployment);

static void fail_or_retry(struct control *control, struct deployment *deployment, const struct cause *cause) {
	if (!deployment_is_wanted(deployment) || go_on_failing(control, deployment))
		return;
	bool starting = deployment->state == DEPLOYMENT_STARTING;
	/* Where it was is known: a Runner that has not come back yet, and may be hung, is not waited for any more. */
	deployment->awaited = false;
	deployment->failures++;
	if (starting && deployment->failures >= control->config.attempts_max) {
		deployment_fail(control, deployment, cause);
		return;
	}
	retry_later(control, deployment, cause);
}

/* --- replicas that do not come up: all of them say why, not only the first ---------------------------------------- */

enum { FAILING_MS = 1000 };

static bool is_any_on_its_way(const struct deployment *deployment) {
	LIST_FOREACH(link, &deployment->runners)
		if (LIST_ENTRY(link, struct runner, in_deployment)->state == RUNNER_DEPLOYING)
			return true;
	return false;
}

/* Returns whether it fails, or has failed with this. */
static bool go_on_failing(struct control *control, struct deployment *deployment) {
	if (deployment->failing.due_ms == 0)
		return false;
	if (control->now_ms < deployment->failing.due_ms && is_any_on_its_way(deployment))
		return true;
	char why[EVENT_TEXT_MAX];
	snprintf(why, sizeof why, "%u of %u replicas did not come up; the first said: %s", deployment->failing.replicas,
		 deployment_wanted(deployment), deployment->failing.why);
	deployment_fail(control, deployment, &(struct cause){.why = why});
	return true;
}

static void replica_failed(struct control *control, const struct runner *runner, struct deployment *deployment,
			   const struct cause *said) {
	deployment->awaited = false;
	deployment->failures++;
	bool is_only_one = deployment->failing.replicas == 0 && !is_any_on_its_way(deployment);
	if (is_only_one) {
		deployment_fail(control, deployment, said);
		return;
	}
	const struct control_event event = {.kind = EVENT_DEPLOYMENT_REPLICA_FAILED,
					    .deployment = deployment,
					    .runner = runner,
					    .cause = *said};
	control->effects->ops->event(control->effects, &event);
	if (deployment->failing.replicas++ == 0) {
		deployment->failing.why = mem_strdup(said->why);
		deployment->failing.due_ms = control->now_ms + FAILING_MS;
		module_mark_unreconciled(control, deployment->module);
	}
	go_on_failing(control, deployment);
}

void deployment_refused(struct control *control, struct deployment *deployment, const char *why) {
	if (!deployment_is_wanted(deployment) || go_on_failing(control, deployment))
		return;
	deployment->failures = MAX(deployment->failures, 1u);
	retry_later(control, deployment, &(struct cause){.why = why});
}

void deployment_lost_runner(struct control *control, struct deployment *deployment, const struct cause *cause) {
	fail_or_retry(control, deployment, cause);
}

void deployment_fail(struct control *control, struct deployment *deployment, const struct cause *cause) {
	struct module *module = deployment->module;
	ASSERT(deployment == module->next);
	module->next = NULL;
	module->next_replicas = 0;
	stop_failing(deployment);
	free(module->failure);
	module->failure = mem_printf("%s failed: %s", deployment->key, cause->why);
	set_state(control, deployment, DEPLOYMENT_FAILED, cause->why);
	keep_ended(&module->failed, deployment->key, deployment->language, DEPLOYMENT_FAILED, cause->why,
		   deployment->since_wall_ms);
	list_append(&control->ending, &deployment->in_ending);
	const struct control_event event = {
		.kind = EVENT_DEPLOYMENT_FAILED, .deployment = deployment, .cause = *cause};
	control->effects->ops->event(control->effects, &event);
	save(control, deployment, module);
	drain_runners(control, deployment, "its deployment failed");
	module_mark_dirty(control, module);
}

void deployment_gained_runner(struct control *control, struct deployment *deployment, struct runner *runner) {
	deployment->fetch_us = runner->fetch_us;
	deployment->start_us = runner->start_us;
	deployment->awaited &= deployment->alive < deployment_wanted(deployment);
	if (deployment->state == DEPLOYMENT_LIVE && deployment->alive >= deployment_wanted(deployment))
		set_state(control, deployment, DEPLOYMENT_LIVE, "");
	module_mark_dirty(control, deployment->module);
}

void deployment_switch(struct control *control, struct module *module) {
	struct deployment *before = module->active, *deployment = module->next;
	module->replicas = deployment_wanted(deployment);
	module->next_replicas = 0;
	module->active = deployment;
	module->next = NULL;
	stop_failing(deployment);
	set_state(control, deployment, DEPLOYMENT_LIVE, "");
	deployment->failures = 0;
	module_mark_dirty(control, module);
	deployment->coming_live = true;
	deployment->live_version = 0;
	save(control, deployment, module);
	if (before == NULL)
		return;
	char why[KEY_MAX + 32];
	snprintf(why, sizeof why, "replaced by %s", deployment->key);
	wind_down(control, before, why);
}

/* --- going -------------------------------------------------------------------------------------------------------- */

static void release(struct control *control, struct deployment *deployment) {
	if (deployment->state == DEPLOYMENT_DRAINING) {
		set_state(control, deployment, DEPLOYMENT_STOPPED, deployment->detail);
		deployment_tell(control, deployment, EVENT_DEPLOYMENT_STOPPED, "stopped");
		save(control, deployment, NULL);
		keep_ended(&deployment->module->stopped, deployment->key, deployment->language, DEPLOYMENT_STOPPED,
			   deployment->detail, deployment->since_wall_ms);
	}
	list_remove(&deployment->in_ending);
	map_remove(&control->deployments, str_from(deployment->key));
	packed_schema_unref(deployment->schema);
	free(deployment->detail);
	free(deployment->failing.why);
	free(deployment);
}

void deployments_release(struct control *control) {
	LIST_FOREACH(link, &control->ending) {
		struct deployment *deployment = LIST_ENTRY(link, struct deployment, in_ending);
		if (list_is_empty(&deployment->runners))
			release(control, deployment);
	}
}

void control_kill(struct control *control, struct str name, char ret_key[KEY_MAX]) {
	struct module *module = map_get(&control->modules, name);
	ret_key[0] = '\0';
	if (module == NULL || (module->active == NULL && module->next == NULL))
		return;
	struct deployment *active = module->active, *next = module->next;
	snprintf(ret_key, KEY_MAX, "%s", active ? active->key : next->key);
	module->active = NULL;
	module->next = NULL;
	module->next_replicas = 0;
	save(control, NULL, module);
	module_mark_dirty(control, module);
	if (next != NULL)
		wind_down(control, next, "killed");
	if (active != NULL)
		wind_down(control, active, "killed");
	control_reconcile(control);
}

int control_scale(struct control *control, struct str name, uint32_t replicas, struct error *err) {
	struct module *module = map_get(&control->modules, name);
	if (module == NULL)
		return error_set(err, CODE_NOT_FOUND, "there is no module %.*s", STR_ARG(name));
	if (module->active == NULL && module->next == NULL)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the module %s was stopped, or never came up; deploy it again", module->name);
	module->replicas = replicas;
	module->next_replicas = 0;
	struct deployment *shown = module->active ? module->active : module->next;
	/* Who asks for it does not want to wait for the end of a backoff. */
	shown->retry_due_ms = 0;
	if (shown == module->active)
		come_live(control, shown);
	deployment_tell(control, shown, EVENT_DEPLOYMENT_SCALED, "scaled to %u", replicas);
	save(control, NULL, module);
	module_mark_dirty(control, module);
	control_reconcile(control);
	return 0;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void replica_came_up(struct control *control, struct runner *runner, const struct deployed *deployed) {
	struct deployment *deployment = runner->deployment;
	runner->fetch_us = deployed->fetch_us;
	runner->start_us = deployed->start_us;
	runner_set_state(control, runner, RUNNER_ALIVE, 0, "alive: fetched in %.1f ms, started in %.1f ms",
			 (double)deployed->fetch_us / 1000, (double)deployed->start_us / 1000);
	runner->alive_since_ms = control->now_ms;
	deployment->alive++;
	deployment_gained_runner(control, deployment, runner);
	go_on_failing(control, deployment);
}

static void replica_ended(struct control *control, struct runner *runner, const struct deployed *deployed) {
	struct deployment *deployment = runner->deployment;
	bool expected = runner->state == RUNNER_DRAINING, untold = runner->drain_version > 0;
	runner_detach(control, runner);
	runner->drain_version = 0;
	runner->ended_attempt = deployed->attempt;
	runner->claimed[0] = '\0';
	/* One that the Platform made is to end itself: its exit is still to come. */
	if (!expected || !runner->managed)
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms,
				 "no longer hosts %s: %s", deployment->key, deployed->end.why);
	else if (untold)
		runner_end(control, runner, 0);
	if (expected)
		return;
	if (deployment == deployment->module->next && !deployed->runner_fault)
		replica_failed(control, runner, deployment, &deployed->end);
	else
		fail_or_retry(control, deployment, &deployed->end);
}

/* It speaks of a deployment that we did not give it, or not any more. */
static int replica_unknown(struct control *control, struct runner *runner, const struct deployed *deployed,
			   struct error *err) {
	bool failed = deployed->end.why[0] != '\0';
	bool its_last =
		failed && runner->state == RUNNER_DRAINING && strcmp(runner->claimed, deployed->deployment_key) == 0;
	if (its_last && !runner->managed) {
		runner->claimed[0] = '\0';
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms,
				 "no longer hosts %s: %s", deployed->deployment_key, deployed->end.why);
		return 0;
	}
	/* What has ended already may end, and is not taken on because an earlier word comes late. */
	if (failed)
		return 0;
	bool has_ended = deployed->attempt != 0 && deployed->attempt <= runner->ended_attempt;
	if (!has_ended && runner->state == RUNNER_IDLE &&
	    map_get(&control->deployments, str_from(deployed->deployment_key)) != NULL) {
		/* Told to by the Backplane before us. */
		snprintf(runner->claimed, sizeof runner->claimed, "%s", deployed->deployment_key);
		runner_adopt(control, runner);
		return 0;
	}
	return error_set(err, CODE_FAILED_PRECONDITION, "the Runner %s was not given the deployment %s", runner->key,
			 deployed->deployment_key);
}

/* What it hosts is known when it has registered and been pinged. To end it for want of that would lose its calls. */
static int replica_too_early(struct runner *runner, const struct deployed *deployed, struct error *err) {
	if (deployed->end.why[0] == '\0')
		return error_set(err, CODE_UNAVAILABLE, "the Runner %s does not count yet; report again", runner->key);
	if (strcmp(runner->claimed, deployed->deployment_key) == 0)
		runner->claimed[0] = '\0';
	return 0;
}

int control_deployed(struct control *control, const struct deployed *deployed, struct error *err) {
	struct runner *runner = runner_find(control, deployed->runner_key);
	bool failed = deployed->end.why[0] != '\0';
	if (runner == NULL)
		return error_set(err, CODE_NOT_FOUND, "there is no Runner %s; register first", deployed->runner_key);
	int result = 0;
	/* It may be late, and speak of an earlier attempt with the same deployment. */
	bool stale = deployed->attempt != 0 && deployed->attempt < runner->attempt;
	if (runner->state == RUNNER_CREATING || runner->state == RUNNER_PROBING)
		result = replica_too_early(runner, deployed, err);
	else if (runner->deployment == NULL || strcmp(runner->deployment->key, deployed->deployment_key) != 0)
		result = replica_unknown(control, runner, deployed, err);
	else if (!stale && failed)
		replica_ended(control, runner, deployed);
	else if (!stale && runner->state == RUNNER_DEPLOYING)
		replica_came_up(control, runner, deployed);
	else if (!stale && runner->drain_version == 0 && runner->state == RUNNER_DRAINING)
		/* Our word to end it came before the order to host it. */
		runner_end_unrouted(control, runner, control->config.drain_timeout_ms);
	control_reconcile(control);
	return result;
}

void control_published(struct control *control, uint64_t version) {
	control->version_out = MAX(control->version_out, version); /* word of two may come in either order */
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->drain_version > 0 && runner->drain_version <= version)
			runner_end(control, runner, control->config.drain_timeout_ms);
	}
	LIST_FOREACH(link, &control->unreconciled) {
		struct deployment *active = LIST_ENTRY(link, struct module, in_unreconciled)->active;
		bool all_out = active != NULL && active->coming_live && active->live_version > 0 &&
			       active->live_version <= version;
		if (!all_out)
			continue;
		active->coming_live = false;
		control->needs_reconcile = true;
		deployment_tell(control, active, EVENT_DEPLOYMENT_LIVE, "live");
	}
	control_reconcile(control);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

uint64_t deployment_due(const struct control *control, const struct deployment *deployment) {
	uint64_t limit = deployment->due_ms > 0 ? deployment->due_ms : UINT64_MAX;
	if (deployment->failing.due_ms > 0)
		limit = MIN(limit, deployment->failing.due_ms);
	uint64_t retry = deployment->retry_due_ms > control->now_ms ? deployment->retry_due_ms : UINT64_MAX;
	return MIN(limit, retry);
}

void deployment_tick(struct control *control, struct deployment *deployment) {
	if (go_on_failing(control, deployment) || deployment->due_ms == 0 || deployment->due_ms > control->now_ms)
		return;
	if (deployment_wanted(deployment) == 0) {
		deployment->due_ms = control->now_ms + control->config.deploy_timeout_ms;
		return;
	}
	char why[128];
	snprintf(why, sizeof why, "it was not up within %llu ms",
		 (unsigned long long)control->config.deploy_timeout_ms);
	deployment_fail(control, deployment, &(struct cause){.why = why});
}
