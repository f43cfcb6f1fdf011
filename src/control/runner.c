/* SPDX-License-Identifier: Apache-2.0 */
#include "control/runner.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "control/deployment.h"

#define TO(state) (1u << (state))

static const unsigned allowed[RUNNER_STATE_COUNT] = {
	[RUNNER_FOUND] = TO(RUNNER_PROBING) | TO(RUNNER_ENDING),
	[RUNNER_CREATING] = TO(RUNNER_PROBING),
	[RUNNER_PROBING] = TO(RUNNER_IDLE) | TO(RUNNER_CLAIMING) | TO(RUNNER_DRAINING),
	[RUNNER_CLAIMING] = TO(RUNNER_ALIVE) | TO(RUNNER_DRAINING),
	[RUNNER_IDLE] = TO(RUNNER_DEPLOYING) | TO(RUNNER_CLAIMING) | TO(RUNNER_DRAINING),
	[RUNNER_DEPLOYING] = TO(RUNNER_ALIVE) | TO(RUNNER_IDLE) | TO(RUNNER_DRAINING),
	[RUNNER_ALIVE] = TO(RUNNER_IDLE) | TO(RUNNER_DRAINING),
	[RUNNER_DRAINING] = TO(RUNNER_ENDING) | TO(RUNNER_IDLE),
	[RUNNER_ENDING] = TO(RUNNER_DRAINING) | TO(RUNNER_IDLE),
};

/* The name and the event by which people see a state. Two states with the same are one to them. */
static const struct {
	const char *name;
	enum event_kind event;
} shown[RUNNER_STATE_COUNT] = {
	[RUNNER_FOUND] = {"creating", EVENT_RUNNER_CREATING},
	[RUNNER_CREATING] = {"creating", EVENT_RUNNER_CREATING},
	[RUNNER_PROBING] = {"probing", EVENT_RUNNER_PROBING},
	[RUNNER_CLAIMING] = {"probing", 0},
	[RUNNER_IDLE] = {"idle", EVENT_RUNNER_IDLE},
	[RUNNER_DEPLOYING] = {"deploying", EVENT_RUNNER_DEPLOYING},
	[RUNNER_ALIVE] = {"alive", EVENT_RUNNER_ALIVE},
	[RUNNER_DRAINING] = {"draining", EVENT_RUNNER_DRAINING},
	[RUNNER_ENDING] = {"draining", EVENT_RUNNER_DRAINING},
};

const char *runner_state_name(enum runner_state state) {
	return shown[state].name;
}

enum event_kind runner_state_event(enum runner_state state) {
	return shown[state].event;
}

bool runner_is_leaving(const struct runner *runner) {
	return runner->state == RUNNER_DRAINING || runner->state == RUNNER_ENDING;
}

/* --- states ------------------------------------------------------------------------------------------------------- */

void runner_tell(struct control *control, const struct runner *runner, enum event_kind kind, uint64_t retry_in_ms,
		 const char *text) {
	const struct control_event event = {.kind = kind,
					    .deployment = runner->deployment,
					    .runner = runner,
					    .cause.why = text,
					    .retry_in_ms = retry_in_ms};
	control->effects->ops->event(control->effects, &event);
}

void runner_reschedule(struct control *control, struct runner *runner) {
	uint64_t due_ms = runner->due_ms > 0 ? runner->due_ms : UINT64_MAX;
	/* A Runner that is idle past its limit stays while it is needed. */
	if (runner->state == RUNNER_IDLE && runner->due_ms <= control->time.now_ms)
		due_ms = UINT64_MAX;
	heap_set(&control->time.due_runners, &runner->due, MIN(due_ms, runner->liveness.ping_due_ms));
}

static void mark(struct control *control, struct runner *runner) {
	list_remove(&runner->in_marked);
	if (runner->state == RUNNER_ENDING)
		return; /* nothing is to be done until it has ended */
	control->marks.needs_reconcile = true;
	if (runner->state == RUNNER_CLAIMING || runner->state == RUNNER_DRAINING)
		list_append(&control->marks.runners, &runner->in_marked);
	if (runner->deployment != NULL)
		module_mark_unreconciled(control, runner->deployment->module);
}

void runner_set_state(struct control *control, struct runner *runner, enum runner_state state, uint64_t limit_ms,
		      const char *format, ...) {
	ASSERT(allowed[runner->state] & TO(state));
	bool is_seen = runner_state_event(state) != 0 && runner_state_event(state) != runner_state_event(runner->state);
	runner->state = state;
	runner->changes++;
	runner->due_ms = limit_ms > 0 ? control->time.now_ms + limit_ms : 0;
	runner_reschedule(control, runner);
	mark(control, runner);
	if (!is_seen)
		return;
	char text[EVENT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	runner->since_wall_ms = control->effects->ops->wall_ms(control->effects);
	runner_tell(control, runner, runner_state_event(state), 0, text);
}

void runner_postpone(struct control *control, struct runner *runner, uint64_t by_ms) {
	if (runner->due_ms > 0)
		runner->due_ms += by_ms;
	runner_reschedule(control, runner);
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

struct runner *runner_add(struct control *control, const char *key, const char *language, bool managed,
			  enum runner_state state, uint64_t limit_ms) {
	struct runner *runner = mem_zalloc(sizeof *runner);
	snprintf(runner->key, sizeof runner->key, "%s", key);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->serial = ++control->books.serial;
	runner->managed = managed;
	runner->state = state;
	runner->since_wall_ms = control->effects->ops->wall_ms(control->effects);
	runner->due_ms = control->time.now_ms + limit_ms;
	runner->liveness.ping_due_ms = UINT64_MAX;
	runner_reschedule(control, runner);
	list_init(&runner->in_deployment);
	list_init(&runner->in_marked);
	list_append(&control->books.all_runners, &runner->in_control);
	map_put(&control->books.runners, str_from(key), runner);
	control->marks.needs_reconcile = true;
	return runner;
}

void runner_remove(struct control *control, struct runner *runner) {
	ASSERT(runner->deployment == NULL);
	control->effects->ops->forget(control->effects, runner);
	if (runner->managed)
		control->effects->ops->destroy(control->effects, runner->key);
	map_remove(&control->books.runners, str_from(runner->key));
	list_remove(&runner->in_control);
	list_remove(&runner->in_marked);
	heap_remove(&control->time.due_runners, &runner->due);
	runner_free(runner);
	control->marks.needs_reconcile = true;
}

void runner_add_platform_key(struct control *control, const char *key) {
	free(map_put(&control->books.platform_keys, str_from(key), mem_strdup(key)));
}

static void attach(struct runner *runner, struct deployment *deployment) {
	runner->deployment = deployment;
	list_append(&deployment->runners, &runner->in_deployment);
}

/* Takes it off its deployment, whose count and routes follow. */
static void detach(struct control *control, struct runner *runner) {
	struct deployment *deployment = runner->deployment;
	if (deployment == NULL)
		return;
	if (runner->state == RUNNER_ALIVE) {
		deployment->alive--;
		if (control->time.now_ms - runner->alive_since_ms >= control->config.stable_ms)
			deployment->failures = 0;
		module_mark_dirty(control, deployment->module);
	}
	list_remove(&runner->in_deployment);
	runner->deployment = NULL;
	runner->attempt = 0;
	runner->liveness.trouble[0] = '\0';
	module_mark_unreconciled(control, deployment->module);
}

/* --- Runners that are lost ---------------------------------------------------------------------------------------- */

static uint64_t language_delay_ms(const struct control *control, const struct language *language) {
	return MIN(control->config.retry_max_ms, (uint64_t)100 << MIN(language->failures, 10u));
}

/* A Runner that was asked for and never counted shows that its language may be broken: the next one is asked for later.
 * A deployment that has no Runner fails after attempts_max of those that were asked for while it waited. */
static void count_against(struct control *control, struct language *language, uint64_t serial, const char *why) {
	snprintf(language->problem, sizeof language->problem, "%s", why);
	language->retry_due_ms = control->time.now_ms + language_delay_ms(control, language);
	language->failures++;
	LIST_FOREACH(link, &control->marks.unreconciled) {
		struct deployment *next = LIST_ENTRY(link, struct module, in_unreconciled)->next;
		if (next == NULL || strcmp(next->language, language->name) != 0 || deployment_assigned(next) > 0 ||
		    serial <= next->started_at_serial || ++next->runners_failed < control->config.attempts_max)
			continue;
		char text[512];
		snprintf(text, sizeof text, "no Runner for the language %s could be had: %s", language->name, why);
		deployment_fail(control, next, &(struct cause){.why = text});
	}
}

/* NULL: the loss speaks of this Runner alone. */
static struct language *language_concerned(struct control *control, const struct runner *runner) {
	bool counted = runner->state != RUNNER_CREATING && runner->state != RUNNER_PROBING;
	return counted || !runner->asked || control->state >= CONTROL_STOPPING
		       ? NULL
		       : language_find_or_add(control, runner->language);
}

static void take_out(struct control *control, struct runner *runner, enum event_kind kind, const struct cause *cause) {
	struct deployment *deployment = runner_is_leaving(runner) ? NULL : runner->deployment;
	struct language *language = language_concerned(control, runner);
	char text[512];
	snprintf(text, sizeof text, "the Runner %s %s", runner->key, cause->why);
	runner_tell(control, runner, kind, language != NULL ? language_delay_ms(control, language) : 0, cause->why);
	detach(control, runner);
	if (language != NULL)
		count_against(control, language, runner->serial, cause->why);
	runner_remove(control, runner);
	if (deployment != NULL)
		deployment_replica_lost(control, deployment, &(struct cause){text, cause->lines, cause->line_count});
}

void runner_lose(struct control *control, struct runner *runner, const struct cause *cause) {
	take_out(control, runner, runner_is_leaving(runner) ? EVENT_RUNNER_ENDED : EVENT_RUNNER_LOST, cause);
}

void runner_give_up(struct control *control, struct runner *runner, const char *why) {
	take_out(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST,
		 &(struct cause){.why = why});
}

void runner_refused(struct control *control, struct runner *runner, const struct error *err) {
	struct deployment *deployment = runner->deployment;
	char why[ERROR_TEXT_MAX + KEY_MAX + 32];
	snprintf(why, sizeof why, "the Runner %s refused to deploy: %s", runner->key, err->msg);
	runner_tell(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST, 0, why);
	detach(control, runner);
	runner_remove(control, runner);
	if (err->code == CODE_FAILED_PRECONDITION)
		deployment_refused(control, deployment, why);
	else
		deployment_replica_lost(control, deployment, &(struct cause){.why = why});
}

void runner_limit_passed(struct control *control, struct runner *runner) {
	char why[128];
	switch (runner->state) {
	case RUNNER_FOUND:
		snprintf(why, sizeof why, "did not register within %" PRIu64 " ms", control->config.silence_ms);
		runner_give_up(control, runner, why);
		return;
	case RUNNER_CREATING:
		snprintf(why, sizeof why, "did not register within %" PRIu64 " ms", control->config.create_timeout_ms);
		runner_give_up(control, runner, why);
		return;
	case RUNNER_PROBING:
		runner_give_up(control, runner, "did not answer a ping in time");
		return;
	case RUNNER_DEPLOYING:
		snprintf(why, sizeof why, "did not bring the deployment up within %" PRIu64 " ms",
			 control->config.deploy_timeout_ms);
		runner_give_up(control, runner, why);
		return;
	case RUNNER_DRAINING:
	case RUNNER_ENDING:
		runner_give_up(control, runner, "did not end in time");
		return;
	case RUNNER_IDLE:
		/* Reconciliation ends it unless it is needed. */
		control->marks.needs_reconcile = true;
		runner_reschedule(control, runner);
		return;
	case RUNNER_CLAIMING:
	case RUNNER_ALIVE:
		return;
	}
}

/* --- what it hosts ------------------------------------------------------------------------------------------------ */

void runner_came_up(struct control *control, struct runner *runner, uint64_t fetch_us, uint64_t start_us) {
	runner_set_state(control, runner, RUNNER_ALIVE, 0, "alive: fetched in %.1f ms, started in %.1f ms",
			 (double)fetch_us / 1000, (double)start_us / 1000);
	runner->alive_since_ms = control->time.now_ms;
	runner->deployment->alive++;
	deployment_replica_up(control, runner->deployment, fetch_us, start_us);
}

void runner_hosts_nothing(struct control *control, struct runner *runner, const char *deployment_key, const char *why) {
	detach(control, runner);
	runner->claimed[0] = '\0';
	runner->drain_version = 0;
	/* A managed Runner that is not wanted ends itself: its exit is still to come. */
	if (!runner_is_leaving(runner) || !runner->managed)
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms,
				 "no longer hosts %s: %s", deployment_key, why);
	control->marks.needs_reconcile = true;
}

/* At least 1, as 0 would be no limit. */
static uint64_t time_left_ms(const struct control *control, const struct runner *runner) {
	return runner->due_ms > control->time.now_ms ? runner->due_ms - control->time.now_ms : 1;
}

void runner_missed_the_end(struct control *control, struct runner *runner) {
	runner->drain_version = routes_drafted_version(control);
	runner_set_state(control, runner, RUNNER_DRAINING, time_left_ms(control, runner), "told to end once more");
}

/* --- decisions ---------------------------------------------------------------------------------------------------- */

void runner_create(struct control *control, const char *language) {
	char key[KEY_MAX];
	key_make(key, "rnr", language, control->effects->ops->random(control->effects));
	struct runner *runner =
		runner_add(control, key, language, true, RUNNER_CREATING, control->config.create_timeout_ms);
	runner->asked = true;
	runner_tell(control, runner, EVENT_RUNNER_CREATING, 0, "asked of the Platform");
	runner_add_platform_key(control, key);
	control->effects->ops->create(control->effects, key, language);
}

void runner_assign(struct control *control, struct runner *runner, struct deployment *deployment) {
	attach(runner, deployment);
	runner_set_state(control, runner, RUNNER_DEPLOYING, control->config.deploy_timeout_ms, "told to host it");
	/* Later attempts are larger, also those of the Backplane after this one. */
	uint64_t wall_us = (uint64_t)control->effects->ops->wall_ms(control->effects) * 1000;
	runner->attempt = control->books.attempt = MAX(control->books.attempt + 1, wall_us);
	runner->orders = 1;
	control->effects->ops->deploy(control->effects, runner, deployment);
}

void runner_adopt(struct control *control, struct runner *runner, struct deployment *deployment) {
	runner->claimed[0] = '\0';
	attach(runner, deployment);
	runner_set_state(control, runner, RUNNER_ALIVE, 0, "found alive");
	runner->alive_since_ms = control->time.now_ms;
	deployment->alive++;
	deployment_replica_up(control, deployment, 0, 0);
}

void runner_drain(struct control *control, struct runner *runner, const char *why) {
	if (runner->endpoint == NULL) {
		/* A Runner that has not registered cannot be told. */
		runner_tell(control, runner, EVENT_RUNNER_KILLED, 0, why);
		runner_remove(control, runner);
		return;
	}
	if (runner->state == RUNNER_ALIVE) {
		runner->deployment->alive--;
		module_mark_dirty(control, runner->deployment->module);
	}
	/* A worker may have a route to it from an earlier time when it hosted the same deployment, too. */
	runner->drain_version = routes_drafted_version(control);
	runner_set_state(control, runner, RUNNER_DRAINING,
			 control->config.drain_timeout_ms + control->config.kill_timeout_ms, "%s", why);
}

/* Its calls have what is left of the drain timeout. */
void runner_end(struct control *control, struct runner *runner) {
	uint64_t left_ms = time_left_ms(control, runner);
	uint64_t grace_ms = left_ms - MIN(left_ms, control->config.kill_timeout_ms);
	/* A managed Runner ends itself, as the Platform makes a fresh one faster than an old one is made clean. */
	const char *key = runner->deployment ? runner->deployment->key : runner->claimed;
	runner_set_state(control, runner, RUNNER_ENDING, left_ms, "told to end");
	control->effects->ops->terminate(control->effects, runner, runner->managed ? NULL : key, grace_ms);
}
