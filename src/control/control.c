/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events. Each one ends with control_reconcile.
 */
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/reasons.h"
#include "control/reconcile.h"
#include "control/wanted.h"

/* --- time --------------------------------------------------------------------------------------------------------- */

void control_advance(struct control *control, uint64_t now_ms) {
	ASSERT(now_ms >= control->time.now_ms);
	control->time.now_ms = now_ms;
}

static void tick_runner(struct control *control, struct runner *runner) {
	if (runner->liveness.ping_due_ms <= control->time.now_ms)
		liveness_ping(control, runner);
	if (runner->due_ms > 0 && runner->due_ms <= control->time.now_ms)
		runner_limit_passed(control, runner);
}

uint64_t control_tick(struct control *control) {
	const struct heap *due_runners = &control->time.due_runners;
	for (struct heap_node *due; (due = heap_first(due_runners)) != NULL && due->key <= control->time.now_ms;)
		tick_runner(control, CONTAINER_OF(due, struct runner, due));
	LIST_FOREACH(link, &control->marks.unreconciled) {
		struct module *module = LIST_ENTRY(link, struct module, in_unreconciled);
		if (module->next != NULL)
			deployment_tick(control, module->next);
	}
	control_reconcile(control);
	const struct heap_node *due = heap_first(due_runners);
	return MIN(control->time.reconcile_due_ms, due != NULL ? due->key : UINT64_MAX);
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

void control_load(struct control *control, const struct deployment_record *record, const struct module_record *wanted,
		  bool active) {
	struct deployment *deployment = deployment_find_or_add(control, record);
	struct module *module = deployment->module;
	module->replicas = wanted->replicas;
	module->next_replicas = wanted->next_replicas;
	module->active_wall_ms = wanted->active_ms;
	module->active_origin = wanted->active_origin;
	module->next_origin = wanted->next_origin;
	deployment->loaded = true;
	if (active)
		module->active = deployment;
	else
		module->next = deployment;
	deployment_set_phase(control, deployment, active ? PHASE_LIVE : PHASE_STARTING);
	deployment_set_detail(control, deployment, record->detail);
	module_mark_dirty(control, module);
}

void control_load_module(struct control *control, const char *name, uint32_t replicas, const char *failure) {
	struct module *module = module_find_or_add(control, name);
	module->replicas = replicas;
	module->failure = failure[0] != '\0' ? mem_strdup(failure) : NULL;
	module_mark_dirty(control, module);
}

void control_load_ended(struct control *control, const struct deployment_record *record) {
	struct module *module = module_find_or_add(control, record->module);
	if (record->state == DEPLOYMENT_FAILED || record->state == DEPLOYMENT_STOPPED)
		ended_set(record->state == DEPLOYMENT_FAILED ? &module->failed : &module->stopped, record->key,
			  record->language, record->state, record->detail, record->created_ms);
}

void control_found(struct control *control, const char *runner_key) {
	struct runner *runner = runner_find(control, runner_key);
	runner_add_platform_key(control, runner_key);
	if (runner != NULL) {
		runner->managed = true; /* it registered before the Platform told of it */
	} else {
		runner = runner_add(control, runner_key, "", true, RUNNER_FOUND, control->config.silence_ms);
		runner_tell(control, runner, EVENT_RUNNER_CREATING, 0,
			    "left by the Backplane before; it may register again");
	}
	control_reconcile(control);
}

void control_found_draining(struct control *control, const char *runner_key, uint64_t left_ms) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner != NULL && runner->state == RUNNER_FOUND)
		runner_set_state(control, runner, RUNNER_ENDING, left_ms, "told to end by the Backplane before");
}

void control_begin(struct control *control, uint64_t now_ms) {
	uint64_t passed_ms = now_ms - control->time.now_ms;
	control_advance(control, now_ms);
	LIST_FOREACH(link, &control->books.all_runners)
		runner_postpone(control, LIST_ENTRY(link, struct runner, in_control), passed_ms);
	control->time.adopt_until_ms = now_ms + control->config.adopt_timeout_ms;
	control_set_state(control, CONTROL_RUNNING);
	control_reconcile(control);
}

/* --- what clients wish -------------------------------------------------------------------------------------------- */

/* What somebody wishes of a deployment, as it is told. */
struct wish {
	enum event_kind kind;
	const char *text;
};

/* The active deployment is wanted again, perhaps in another number of replicas. */
static void want_active(struct control *control, struct module *module, const struct wish *wish) {
	module->next = NULL;
	bool is_live = deployment_gather(control, module->active);
	deployment_tell(control, module->active, wish->kind, "%s; it is the active one already", wish->text);
	if (is_live)
		deployment_tell(control, module->active, EVENT_DEPLOYMENT_LIVE, "is live already");
}

static void want(struct control *control, const struct deployment_record *record, uint32_t replicas, uint64_t origin,
		 const struct wish *wish) {
	struct module *module = module_find_or_add(control, record->module);
	free(module->failure);
	module->failure = NULL;
	ended_clear(&module->failed);
	struct deployment *before = module->next, *deployment = deployment_find_or_add(control, record);
	struct module_record row = module_row(module);
	wanted_deploy(&row, deployment->key, replicas);
	module->replicas = row.replicas;
	module->next_replicas = row.next_replicas;
	module->next_origin = deployment == module->active ? 0 : origin;
	if (deployment == module->active)
		want_active(control, module, wish);
	else if (deployment != before)
		deployment_start(control, deployment, wish->kind, wish->text);
	deployment_save(control, deployment, module);
	if (before != NULL && before != module->next)
		deployment_wind_down(control, before,
				     wish->kind == EVENT_DEPLOYMENT_ROLLED_BACK ? "taken back before it was up"
										: "replaced before it was up");
	module_mark_dirty(control, module);
}

void control_deployment_created(struct control *control, const struct deployment_record *record, uint32_t replicas) {
	const struct wish wish = {EVENT_DEPLOYMENT_CREATED, "created"};
	want(control, record, replicas, 0, &wish);
	control_reconcile(control);
}

void control_deployed_again(struct control *control, const struct deployment_record *record, uint32_t replicas) {
	const struct wish wish = {EVENT_DEPLOYMENT_CREATED, "deployed again"};
	want(control, record, replicas, 0, &wish);
	control_reconcile(control);
}

void control_rolled_back(struct control *control, const struct deployment_record *record, uint64_t origin) {
	const struct wish wish = {EVENT_DEPLOYMENT_ROLLED_BACK, "wanted again"};
	want(control, record, 0, origin, &wish);
	control_reconcile(control);
}

void control_kill(struct control *control, struct str name, char ret_key[KEY_MAX]) {
	struct module *module = map_get(&control->books.modules, name);
	ret_key[0] = '\0';
	if (module == NULL || (module->active == NULL && module->next == NULL))
		return;
	struct deployment *active = module->active, *next = module->next;
	snprintf(ret_key, KEY_MAX, "%s", active ? active->key : next->key);
	module->active = NULL;
	module->active_wall_ms = 0;
	module->active_origin = 0;
	module->next = NULL;
	module->next_replicas = 0;
	module->next_origin = 0;
	deployment_save(control, NULL, module);
	module_mark_dirty(control, module);
	if (next != NULL)
		deployment_wind_down(control, next, "killed");
	if (active != NULL)
		deployment_wind_down(control, active, "killed");
	control_reconcile(control);
}

static int check_is_wanted(const struct module *module, struct error *err) {
	if (module->active != NULL || module->next != NULL)
		return 0;
	error_set(err, CODE_FAILED_PRECONDITION, "no deployment of the module %s is to run: the last one %s",
		  module->name, module->failure != NULL ? "failed" : "was stopped");
	return error_set_reason(err, module->failure != NULL ? REASON_FAILED : REASON_STOPPED);
}

int control_scale(struct control *control, struct str name, uint32_t replicas, struct error *err) {
	struct module *module = map_get(&control->books.modules, name);
	if (module == NULL) {
		error_set(err, CODE_NOT_FOUND, "there is no module %.*s", STR_ARG(name));
		return error_set_reason(err, REASON_NO_SUCH_MODULE);
	}
	if (check_is_wanted(module, err) < 0)
		return -1;
	module->replicas = replicas;
	module->next_replicas = 0;
	struct deployment *shown = module->active ? module->active : module->next;
	shown->retry_due_ms = 0; /* who scales does not want to wait for the end of a back-off */
	if (shown == module->active)
		deployment_gather(control, shown);
	deployment_tell(control, shown, EVENT_DEPLOYMENT_SCALED, "scaled to %u", replicas);
	deployment_save(control, NULL, module);
	module_mark_dirty(control, module);
	control_reconcile(control);
	return 0;
}

/* --- Runners ------------------------------------------------------------------------------------------------------ */

void control_register(struct control *control, const struct registration *registration) {
	liveness_register(control, registration);
	control_reconcile(control);
}

void control_registration_ended(struct control *control, uint64_t registration, bool half_closed) {
	struct runner *runner = runner_find_by_registration(control, registration);
	if (runner == NULL)
		return;
	liveness_stream_ended(control, runner, half_closed);
	control_reconcile(control);
}

void control_runner_progress(struct control *control, const char *runner_key, const char *text) {
	const struct runner *runner = runner_find(control, runner_key);
	if (runner != NULL && (runner->state == RUNNER_FOUND || runner->state == RUNNER_CREATING))
		runner_tell(control, runner, EVENT_RUNNER_CREATING, 0, text);
}

void control_runner_exited(struct control *control, const char *runner_key, const struct cause *cause) {
	struct runner *runner = runner_find(control, runner_key);
	free(map_remove(&control->books.platform_keys, str_from(runner_key)));
	if (runner == NULL)
		return;
	runner_lose(control, runner, cause);
	control_reconcile(control);
}

void control_runner_trouble(struct control *control, const char *runner_key, uint64_t serial, const char *trouble) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner != NULL && runner->serial == serial)
		liveness_set_trouble(control, runner, trouble);
}

void control_pinged(struct control *control, const char *runner_key, uint64_t serial, const struct error *err) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner == NULL || runner->serial != serial)
		return;
	liveness_pinged(control, runner, err);
	control_reconcile(control);
}

void control_deploy_answered(struct control *control, const char *runner_key, uint64_t serial, uint64_t attempt,
			     const struct error *err) {
	struct runner *runner = runner_find(control, runner_key);
	if (err == NULL || runner == NULL || runner->serial != serial || runner->attempt != attempt ||
	    runner->state != RUNNER_DEPLOYING)
		return;
	/* The time may have passed because this process stood still. A Runner takes the same order twice as one. */
	if (err->code == CODE_DEADLINE_EXCEEDED && runner->orders == 1) {
		runner->orders++;
		control->effects->ops->deploy(control->effects, runner, runner->deployment);
		return;
	}
	runner_refused(control, runner, err);
	control_reconcile(control);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static bool is_end(const struct deployed *deployed) {
	return deployed->end.why[0] != '\0';
}

/* Before the Runner has registered and answered a ping it is not known what it may host. Ending its deployment then
 * would lose calls. */
static int reported_too_early(struct runner *runner, const struct deployed *deployed, struct error *err) {
	if (!is_end(deployed))
		return error_set(err, CODE_UNAVAILABLE, "the Runner %s has not answered a ping yet; report again",
				 runner->key);
	if (strcmp(runner->claimed, deployed->deployment_key) == 0)
		runner->claimed[0] = '\0';
	return 0;
}

/* A report on a deployment that this Backplane did not give it, or not any more. */
static int reported_another(struct control *control, struct runner *runner, const struct deployed *deployed,
			    struct error *err) {
	if (is_end(deployed)) {
		if (runner_is_leaving(runner) && strcmp(runner->claimed, deployed->deployment_key) == 0)
			runner_hosts_nothing(control, runner, deployed->deployment_key, deployed->end.why);
		return 0;
	}
	/* A report that it is alive may be overtaken by the report of its end. */
	bool has_ended = deployed->attempt != 0 && deployed->attempt <= runner->ended_attempt;
	bool is_known = map_get(&control->books.deployments, str_from(deployed->deployment_key)) != NULL;
	if (has_ended || !is_known || runner->state != RUNNER_IDLE)
		return error_set(err, CODE_FAILED_PRECONDITION, "the Runner %s was not given the deployment %s",
				 runner->key, deployed->deployment_key);
	/* The Backplane before told it to. */
	snprintf(runner->claimed, sizeof runner->claimed, "%s", deployed->deployment_key);
	runner_set_state(control, runner, RUNNER_CLAIMING, 0, "hosts %s", runner->claimed);
	return 0;
}

static void reported_end(struct control *control, struct runner *runner, const struct deployed *deployed) {
	struct deployment *deployment = runner->deployment;
	bool expected = runner_is_leaving(runner);
	runner->ended_attempt = deployed->attempt;
	runner_hosts_nothing(control, runner, deployment->key, deployed->end.why);
	if (expected)
		return;
	if (deployment == deployment->module->next && !deployed->runner_fault)
		deployment_replica_failed(control, deployment, runner, &deployed->end);
	else
		deployment_replica_lost(control, deployment, &deployed->end);
}

static void reported_alive(struct control *control, struct runner *runner, const struct deployed *deployed) {
	if (runner->state == RUNNER_DEPLOYING)
		runner_came_up(control, runner, deployed->fetch_us, deployed->start_us);
	else if (runner->state == RUNNER_ENDING) /* it was told to end before it was told to host it */
		runner_missed_the_end(control, runner);
}

int control_deployed(struct control *control, const struct deployed *deployed, struct error *err) {
	struct runner *runner = runner_find(control, deployed->runner_key);
	if (runner == NULL)
		return error_set(err, CODE_NOT_FOUND, "there is no Runner %s; register first", deployed->runner_key);
	int result = 0;
	/* A late report is about an earlier attempt with the same deployment. */
	bool late = deployed->attempt != 0 && deployed->attempt < runner->attempt;
	if (runner->state < RUNNER_CLAIMING)
		result = reported_too_early(runner, deployed, err);
	else if (runner->deployment == NULL || strcmp(runner->deployment->key, deployed->deployment_key) != 0)
		result = reported_another(control, runner, deployed, err);
	else if (!late && is_end(deployed))
		reported_end(control, runner, deployed);
	else if (!late)
		reported_alive(control, runner, deployed);
	control_reconcile(control);
	return result;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

void control_published(struct control *control, uint64_t version) {
	control->routes.published = MAX(control->routes.published, version); /* two may be told in either order */
	LIST_FOREACH(link, &control->marks.unreconciled) {
		struct deployment *active = LIST_ENTRY(link, struct module, in_unreconciled)->active;
		if (active != NULL)
			deployment_published(control, active, version);
	}
	control_reconcile(control);
}

void control_shut_down(struct control *control) {
	control_set_state(control, CONTROL_STOPPING);
	control_reconcile(control);
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

const struct module *control_module(const struct control *control, struct str name) {
	return map_get(&control->books.modules, name);
}

bool control_is_of_platform(const struct control *control, struct str runner_key) {
	return map_get(&control->books.platform_keys, runner_key) != NULL;
}

const struct deployment *control_deployment(const struct control *control, struct str key) {
	return map_get(&control->books.deployments, key);
}
