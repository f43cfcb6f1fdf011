/* SPDX-License-Identifier: Apache-2.0 */
#include "control/deployment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* Time for the other replicas to say how they do, after the first failed. */
enum { FAILING_MS = 1000 };

#define TO(phase) (1u << (phase))

static const unsigned allowed[PHASE_COUNT] = {
	[PHASE_NEW] = TO(PHASE_STARTING) | TO(PHASE_LIVE),
	[PHASE_STARTING] = TO(PHASE_FAILING) | TO(PHASE_GATHERING) | TO(PHASE_DRAINING) | TO(PHASE_FAILED),
	[PHASE_FAILING] = TO(PHASE_GATHERING) | TO(PHASE_DRAINING) | TO(PHASE_FAILED),
	[PHASE_GATHERING] = TO(PHASE_ROUTING) | TO(PHASE_DRAINING),
	[PHASE_ROUTING] = TO(PHASE_GATHERING) | TO(PHASE_LIVE) | TO(PHASE_DRAINING),
	[PHASE_LIVE] = TO(PHASE_GATHERING) | TO(PHASE_DRAINING),
	[PHASE_DRAINING] = TO(PHASE_STOPPED) | TO(PHASE_STARTING),
	[PHASE_STOPPED] = 0,
	[PHASE_FAILED] = TO(PHASE_STARTING),
};

/* --- queries ------------------------------------------------------------------------------------------------------ */

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

enum deployment_state deployment_state(const struct deployment *deployment) {
	static const enum deployment_state states[PHASE_COUNT] = {
		[PHASE_NEW] = DEPLOYMENT_STARTING,      [PHASE_STARTING] = DEPLOYMENT_STARTING,
		[PHASE_FAILING] = DEPLOYMENT_STARTING,  [PHASE_GATHERING] = DEPLOYMENT_LIVE,
		[PHASE_ROUTING] = DEPLOYMENT_LIVE,      [PHASE_LIVE] = DEPLOYMENT_LIVE,
		[PHASE_DRAINING] = DEPLOYMENT_DRAINING, [PHASE_STOPPED] = DEPLOYMENT_STOPPED,
		[PHASE_FAILED] = DEPLOYMENT_FAILED,
	};
	return states[deployment->phase];
}

bool deployment_is_wanted(const struct deployment *deployment) {
	return deployment == deployment->module->active || deployment == deployment->module->next;
}

unsigned deployment_wanted(const struct deployment *deployment) {
	const struct module *module = deployment->module;
	return deployment == module->next && module->next_replicas > 0 ? module->next_replicas : module->replicas;
}

unsigned deployment_assigned(const struct deployment *deployment) {
	unsigned assigned = 0;
	LIST_FOREACH(link, &deployment->runners) {
		enum runner_state state = LIST_ENTRY(link, struct runner, in_deployment)->state;
		assigned += state == RUNNER_DEPLOYING || state == RUNNER_ALIVE;
	}
	return assigned;
}

static bool is_any_replica_on_its_way(const struct deployment *deployment) {
	LIST_FOREACH(link, &deployment->runners)
		if (LIST_ENTRY(link, struct runner, in_deployment)->state == RUNNER_DEPLOYING)
			return true;
	return false;
}

uint64_t deployment_due(const struct control *control, const struct deployment *deployment) {
	uint64_t limit = deployment->due_ms > 0 ? deployment->due_ms : UINT64_MAX;
	uint64_t retry = deployment->retry_due_ms > control->time.now_ms ? deployment->retry_due_ms : UINT64_MAX;
	return MIN(limit, retry);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

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

void deployment_save(struct control *control, const struct deployment *deployment, const struct module *module) {
	struct module_record row;
	struct store_change change = {0};
	if (deployment != NULL) {
		change.deployment_key = deployment->key;
		change.state = deployment_state(deployment);
		change.detail = deployment->detail;
	}
	if (module != NULL) {
		row = module_row(module);
		change.module = &row;
	}
	control->effects->ops->save(control->effects, &change);
}

/* --- changes of state --------------------------------------------------------------------------------------------- */

static uint64_t limit_ms(const struct control *control, enum deployment_phase phase) {
	switch (phase) {
	case PHASE_STARTING:
		return control->time.now_ms + control->config.deploy_timeout_ms;
	case PHASE_FAILING:
		return control->time.now_ms + FAILING_MS;
	case PHASE_NEW:
	case PHASE_GATHERING:
	case PHASE_ROUTING:
	case PHASE_LIVE:
	case PHASE_DRAINING:
	case PHASE_STOPPED:
	case PHASE_FAILED:
		return 0;
	}
	return 0;
}

void deployment_set_phase(struct control *control, struct deployment *deployment, enum deployment_phase phase) {
	ASSERT(allowed[deployment->phase] & TO(phase));
	if (deployment->phase == PHASE_FAILING) {
		free(deployment->failing.first);
		deployment->failing.first = NULL;
		deployment->failing.replicas = 0;
	}
	deployment->phase = phase;
	deployment->due_ms = limit_ms(control, phase);
	if (phase >= PHASE_DRAINING) {
		list_remove(&deployment->in_language);
		list_remove(&deployment->in_ending);
		list_append(&control->marks.ending, &deployment->in_ending);
	}
	/* In ROUTING nothing is to be done until the routes are published. */
	if (phase != PHASE_ROUTING)
		module_mark_unreconciled(control, deployment->module);
}

void deployment_set_detail(struct control *control, struct deployment *deployment, const char *detail) {
	char *copy = mem_strdup(detail); /* detail may be the one that is replaced */
	free(deployment->detail);
	deployment->detail = copy;
	deployment->since_wall_ms = control->effects->ops->wall_ms(control->effects);
}

void deployment_start(struct control *control, struct deployment *deployment, enum event_kind kind, const char *text) {
	struct language *language = language_find_or_add(control, deployment->language);
	language->failures = 0; /* who deploys does not want to wait for the end of a back-off */
	language->retry_due_ms = 0;
	deployment->started_at_serial = control->books.serial;
	deployment->runners_failed = 0;
	deployment->module->next = deployment;
	list_remove(&deployment->in_ending);
	deployment->failures = 0;
	deployment->retry_due_ms = 0;
	deployment->loaded = false;
	deployment_set_phase(control, deployment, PHASE_STARTING);
	deployment_set_detail(control, deployment, "");
	deployment_tell(control, deployment, kind, "%s", text);
}

void deployment_wind_down(struct control *control, struct deployment *deployment, const char *why) {
	ASSERT(!deployment_is_wanted(deployment));
	deployment_set_phase(control, deployment, PHASE_DRAINING);
	deployment_set_detail(control, deployment, why);
	deployment_tell(control, deployment, EVENT_DEPLOYMENT_DRAINING, "%s", why);
	deployment_save(control, deployment, NULL);
}

void deployment_fail(struct control *control, struct deployment *deployment, const struct cause *cause) {
	struct module *module = deployment->module;
	ASSERT(deployment == module->next);
	module->next = NULL;
	module->next_replicas = 0;
	module->next_origin = 0;
	free(module->failure);
	module->failure = mem_printf("%s failed: %s", deployment->key, cause->why);
	deployment_set_phase(control, deployment, PHASE_FAILED);
	deployment_set_detail(control, deployment, cause->why);
	ended_set(&module->failed, deployment->key, deployment->language, DEPLOYMENT_FAILED, deployment->detail,
		  deployment->since_wall_ms);
	const struct control_event event = {.kind = EVENT_DEPLOYMENT_FAILED, .deployment = deployment, .cause = *cause};
	control->effects->ops->event(control->effects, &event);
	deployment_save(control, deployment, module);
	module_mark_dirty(control, module);
}

void deployment_release(struct control *control, struct deployment *deployment) {
	ASSERT(list_is_empty(&deployment->runners) && !deployment_is_wanted(deployment));
	if (deployment->phase == PHASE_DRAINING) {
		deployment_set_phase(control, deployment, PHASE_STOPPED);
		deployment_set_detail(control, deployment, deployment->detail);
		deployment_tell(control, deployment, EVENT_DEPLOYMENT_STOPPED, "stopped");
		deployment_save(control, deployment, NULL);
		ended_set(&deployment->module->stopped, deployment->key, deployment->language, DEPLOYMENT_STOPPED,
			  deployment->detail, deployment->since_wall_ms);
	}
	list_remove(&deployment->in_ending);
	map_remove(&control->books.deployments, str_from(deployment->key));
	deployment_free(control, deployment);
}

void deployment_take_over(struct control *control, struct module *module) {
	struct deployment *before = module->active, *deployment = module->next;
	module->replicas = deployment_wanted(deployment);
	module->next_replicas = 0;
	module->active = deployment;
	module->active_wall_ms = control->effects->ops->wall_ms(control->effects);
	module->active_origin = module->next_origin;
	module->next_origin = 0;
	module->next = NULL;
	deployment->failures = 0;
	deployment_set_phase(control, deployment, PHASE_GATHERING);
	deployment_set_detail(control, deployment, "");
	module_mark_dirty(control, module);
	deployment_save(control, deployment, module);
	if (before == NULL)
		return;
	char why[KEY_MAX + 32];
	snprintf(why, sizeof why, "replaced by %s", deployment->key);
	deployment_wind_down(control, before, why);
}

/* --- on the way to LIVE ------------------------------------------------------------------------------------------- */

bool deployment_gather(struct control *control, struct deployment *deployment) {
	unsigned replicas = deployment->module->replicas;
	bool all_there = deployment->alive >= replicas && control->routes.published == control->routes.version;
	if (deployment->phase == PHASE_LIVE && replicas > 0 && !all_there)
		deployment_set_phase(control, deployment, PHASE_GATHERING);
	return deployment->phase == PHASE_LIVE;
}

void deployment_drafted(struct control *control, struct deployment *deployment, uint64_t version) {
	bool all_alive = deployment->alive >= MAX(deployment->module->replicas, 1u);
	if (deployment->phase == PHASE_GATHERING && all_alive)
		deployment_set_phase(control, deployment, PHASE_ROUTING);
	else if (deployment->phase == PHASE_ROUTING && !all_alive)
		deployment_set_phase(control, deployment, PHASE_GATHERING);
	deployment->ready_version = version;
}

void deployment_published(struct control *control, struct deployment *deployment, uint64_t version) {
	if (deployment->phase != PHASE_ROUTING || deployment->ready_version > version)
		return;
	deployment_set_phase(control, deployment, PHASE_LIVE);
	deployment_tell(control, deployment, EVENT_DEPLOYMENT_LIVE, "live");
}

/* --- replicas ----------------------------------------------------------------------------------------------------- */

static uint64_t backoff_ms(const struct control *control, unsigned failures) {
	return failures == 0 ? 0 : MIN(control->config.retry_max_ms, (uint64_t)100 << MIN(failures - 1, 10u));
}

static void note_failure(struct deployment *deployment, const char *why) {
	char *copy = mem_strdup(why);
	free(deployment->last_failure);
	deployment->last_failure = copy;
}

static void retry_later(struct control *control, struct deployment *deployment, const struct cause *cause) {
	note_failure(deployment, cause->why);
	uint64_t delay_ms = backoff_ms(control, deployment->failures);
	deployment->retry_due_ms = control->time.now_ms + delay_ms;
	char text[EVENT_TEXT_MAX];
	snprintf(text, sizeof text, "%s; trying again in %" PRIu64 " ms", cause->why, delay_ms);
	if (deployment == deployment->module->active)
		deployment_set_detail(control, deployment, cause->why);
	const struct control_event event = {.kind = EVENT_DEPLOYMENT_BACKING_OFF,
					    .deployment = deployment,
					    .cause = {text, cause->lines, cause->line_count},
					    .retry_in_ms = delay_ms};
	control->effects->ops->event(control->effects, &event);
	module_mark_unreconciled(control, deployment->module);
	if (deployment == deployment->module->active && deployment->alive == 0)
		module_mark_dirty(control, deployment->module); /* its route says why calls cannot be served */
}

/* FAILING → FAILED once no other replica can say more. Returns whether the deployment was FAILING. */
static bool conclude_failing(struct control *control, struct deployment *deployment) {
	if (deployment->phase != PHASE_FAILING)
		return false;
	if (control->time.now_ms < deployment->due_ms && is_any_replica_on_its_way(deployment))
		return true;
	char why[EVENT_TEXT_MAX];
	snprintf(why, sizeof why, "%u of %u replicas did not come up; the first said: %s", deployment->failing.replicas,
		 deployment_wanted(deployment), deployment->failing.first);
	deployment_fail(control, deployment, &(struct cause){.why = why});
	return true;
}

void deployment_replica_up(struct control *control, struct deployment *deployment, uint64_t fetch_us,
			   uint64_t start_us) {
	deployment->fetch_us = fetch_us;
	deployment->start_us = start_us;
	if (deployment == deployment->module->active && deployment->alive >= deployment_wanted(deployment))
		deployment_set_detail(control, deployment, "");
	module_mark_dirty(control, deployment->module);
	conclude_failing(control, deployment);
}

void deployment_replica_failed(struct control *control, struct deployment *deployment, const struct runner *runner,
			       const struct cause *said) {
	deployment->failures++;
	note_failure(deployment, said->why);
	if (deployment->phase == PHASE_STARTING && !is_any_replica_on_its_way(deployment)) {
		deployment_fail(control, deployment, said);
		return;
	}
	const struct control_event event = {.kind = EVENT_DEPLOYMENT_REPLICA_FAILED,
					    .deployment = deployment,
					    .runner = runner,
					    .cause = *said};
	control->effects->ops->event(control->effects, &event);
	if (deployment->phase == PHASE_STARTING) {
		deployment_set_phase(control, deployment, PHASE_FAILING);
		deployment->failing.first = mem_strdup(said->why);
	}
	deployment->failing.replicas++;
	conclude_failing(control, deployment);
}

void deployment_replica_lost(struct control *control, struct deployment *deployment, const struct cause *cause) {
	if (!deployment_is_wanted(deployment) || conclude_failing(control, deployment))
		return;
	deployment->failures++;
	if (deployment->phase == PHASE_STARTING && deployment->failures >= control->config.attempts_max)
		deployment_fail(control, deployment, cause);
	else
		retry_later(control, deployment, cause);
}

void deployment_refused(struct control *control, struct deployment *deployment, const char *why) {
	if (!deployment_is_wanted(deployment) || conclude_failing(control, deployment))
		return;
	deployment->failures = MAX(deployment->failures, 1u);
	retry_later(control, deployment, &(struct cause){.why = why});
}

void deployment_tick(struct control *control, struct deployment *deployment) {
	if (conclude_failing(control, deployment) || deployment->due_ms == 0 ||
	    deployment->due_ms > control->time.now_ms)
		return;
	/* With 0 replicas nothing shows whether it would come up: it has its time from when it is scaled up. */
	if (deployment_wanted(deployment) == 0) {
		deployment->due_ms = limit_ms(control, deployment->phase);
		return;
	}
	const struct language *language = language_find_or_add(control, deployment->language);
	bool lacks_runner = deployment_assigned(deployment) == 0 && language->problem[0] != '\0';
	char why[512];
	snprintf(why, sizeof why, "it was not up within %" PRIu64 " ms%s%s%s%s", control->config.deploy_timeout_ms,
		 lacks_runner ? ": no Runner for the language " : "", lacks_runner ? language->name : "",
		 lacks_runner ? " could be had: " : "", lacks_runner ? language->problem : "");
	deployment_fail(control, deployment, &(struct cause){.why = why});
}
