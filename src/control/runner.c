/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of a Runner; its diagram is in control.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "control/model.h"

static const char *const state_names[RUNNER_STATE_COUNT] = {
	[RUNNER_CREATING] = "creating",	  [RUNNER_PROBING] = "probing", [RUNNER_IDLE] = "idle",
	[RUNNER_DEPLOYING] = "deploying", [RUNNER_ALIVE] = "alive",	[RUNNER_DRAINING] = "draining",
};

#define TO(state) (1u << (state))

/* The states that may follow each. Removal may follow all. */
static const unsigned allowed[RUNNER_STATE_COUNT] = {
	[RUNNER_CREATING] = TO(RUNNER_PROBING) | TO(RUNNER_DRAINING),
	[RUNNER_PROBING] = TO(RUNNER_IDLE) | TO(RUNNER_ALIVE) | TO(RUNNER_DRAINING),
	[RUNNER_IDLE] = TO(RUNNER_DEPLOYING) | TO(RUNNER_ALIVE) | TO(RUNNER_DRAINING),
	[RUNNER_DEPLOYING] = TO(RUNNER_ALIVE) | TO(RUNNER_IDLE) | TO(RUNNER_DRAINING),
	[RUNNER_ALIVE] = TO(RUNNER_IDLE) | TO(RUNNER_DRAINING),
	[RUNNER_DRAINING] = TO(RUNNER_IDLE),
};

const char *runner_state_name(enum runner_state state) {
	return state_names[state];
}

/* Every change of state, and the end, is told with its cause. */
static const enum event_kind kinds[RUNNER_STATE_COUNT] = {
	[RUNNER_CREATING] = EVENT_RUNNER_CREATING,   [RUNNER_PROBING] = EVENT_RUNNER_PROBING,
	[RUNNER_IDLE] = EVENT_RUNNER_IDLE,	     [RUNNER_DEPLOYING] = EVENT_RUNNER_DEPLOYING,
	[RUNNER_ALIVE] = EVENT_RUNNER_ALIVE,	     [RUNNER_DRAINING] = EVENT_RUNNER_DRAINING,
};

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
	/* An idle one past its time may still be needed, and then stays. */
	if (runner->state == RUNNER_IDLE && runner->due_ms <= control->now_ms)
		due_ms = UINT64_MAX;
	heap_set(&control->due_runners, &runner->due, MIN(due_ms, runner->liveness.ping_due_ms));
}

void runner_set_state(struct control *control, struct runner *runner, enum runner_state state, uint64_t limit_ms,
		      const char *format, ...) {
	ASSERT(allowed[runner->state] & TO(state));
	runner->state = state;
	runner->since_wall_ms = control->effects->ops->wall_ms(control->effects);
	runner->due_ms = limit_ms > 0 ? control->now_ms + limit_ms : 0;
	runner_reschedule(control, runner);
	if (runner->liveness.broke == BROKE_ALIVE)
		runner->liveness.broke = BROKE;
	control->needs_reconcile = true;
	if (runner->deployment != NULL)
		module_mark_unreconciled(control, runner->deployment->module);
	char text[EVENT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	runner_tell(control, runner, kinds[state], 0, text);
}

/* --- coming and going --------------------------------------------------------------------------------------------- */

struct runner *runner_find(const struct control *control, const char *key) {
	return map_get(&control->runners, str_from(key));
}

bool runner_was_found(const struct runner *runner) {
	return runner->state == RUNNER_CREATING && runner->language[0] == '\0';
}

struct runner *runner_find_idle(const struct control *control, const char *language) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->state == RUNNER_IDLE && strcmp(runner->language, language) == 0)
			return runner;
	}
	return NULL;
}

struct runner *runner_add(struct control *control, const char *key, const char *language, bool managed,
				 enum runner_state state, uint64_t limit_ms) {
	struct runner *runner = mem_zalloc(sizeof *runner);
	snprintf(runner->key, sizeof runner->key, "%s", key);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->serial = ++control->serial;
	runner->managed = managed;
	runner->state = state;
	runner->since_wall_ms = control->effects->ops->wall_ms(control->effects);
	runner->due_ms = control->now_ms + limit_ms;
	runner->liveness.ping_due_ms = UINT64_MAX;
	runner_reschedule(control, runner);
	list_init(&runner->in_deployment);
	list_append(&control->all_runners, &runner->in_control);
	map_put(&control->runners, str_from(key), runner);
	control->needs_reconcile = true;
	return runner;
}

static void add_platform_key(struct control *control, const char *key) {
	free(map_put(&control->platform_keys, str_from(key), mem_strdup(key)));
}

void runner_create(struct control *control, const char *language) {
	char key[KEY_MAX];
	key_make(key, "rnr", language, control->effects->ops->random(control->effects));
	struct runner *runner =
		runner_add(control, key, language, true, RUNNER_CREATING, control->config.create_timeout_ms);
	add_platform_key(control, key);
	runner_tell(control, runner, EVENT_RUNNER_CREATING, 0, "asked of the Platform");
	control->effects->ops->create_runner(control->effects, key, language);
}

/* A surviving Runner reconnects at once; if it has not within `silence_ms`, it is hung. One that an order of an earlier
 * Backplane made late may have registered before the Platform told of it. */
void control_found(struct control *control, const char *runner_key) {
	struct runner *runner = runner_find(control, runner_key);
	add_platform_key(control, runner_key);
	if (runner != NULL) {
		runner->managed = true;
		return;
	}
	runner = runner_add(control, runner_key, "", true, RUNNER_CREATING, control->config.silence_ms);
	runner_tell(control, runner, EVENT_RUNNER_CREATING, 0, "left by the Backplane before; it may register again");
	if (control->shutting_down)
		runner_drain(control, runner, "the Backplane stops");
}

void control_found_draining(struct control *control, const char *runner_key, uint64_t left_ms) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner != NULL && runner->state == RUNNER_CREATING)
		runner_set_state(control, runner, RUNNER_DRAINING, left_ms, "told to end by the Backplane before");
}

void runner_detach(struct control *control, struct runner *runner) {
	struct deployment *deployment = runner->deployment;
	if (deployment == NULL)
		return;
	if (runner->state == RUNNER_ALIVE) {
		deployment->alive--;
		if (control->now_ms - runner->alive_since_ms >= control->config.stable_ms)
			deployment->failures = 0;
		module_mark_dirty(control, deployment->module);
	}
	list_remove(&runner->in_deployment);
	runner->deployment = NULL;
	runner->attempt = 0;
	module_mark_unreconciled(control, deployment->module);
}

void runner_remove(struct control *control, struct runner *runner) {
	ASSERT(runner->deployment == NULL);
	control->effects->ops->forget_runner(control->effects, runner);
	if (runner->managed)
		control->effects->ops->destroy_runner(control->effects, runner->key);
	map_remove(&control->runners, str_from(runner->key));
	list_remove(&runner->in_control);
	heap_remove(&control->due_runners, &runner->due);
	free(runner->endpoint);
	free(runner);
	control->needs_reconcile = true;
}

static uint64_t blame_delay_ms(const struct control *control, const struct language *language) {
	return MIN(control->config.retry_max_ms, (uint64_t)100 << MIN(language->failures, 10u));
}

/* A Runner that never came to anything speaks of its language; one that was at work, of itself alone. */
static void blame_language(struct control *control, struct language *language, const char *why) {
	snprintf(language->problem, sizeof language->problem, "%s", why);
	language->retry_due_ms = control->now_ms + blame_delay_ms(control, language);
	language->failures++;
	if (language->failures < control->config.attempts_max)
		return;
	LIST_FOREACH(link, &control->unreconciled) {
		struct deployment *next = LIST_ENTRY(link, struct module, in_unreconciled)->next;
		if (next == NULL || strcmp(next->language, language->name) != 0 || deployment_assigned(next) > 0)
			continue;
		char text[512];
		snprintf(text, sizeof text, "no Runner for the language %s could be had: %s", language->name, why);
		deployment_fail(control, next, &(struct cause){.why = text});
	}
}

static struct language *language_to_blame(struct control *control, const struct runner *runner) {
	bool young = runner->state == RUNNER_CREATING || (runner->state == RUNNER_PROBING && runner->managed);
	if (!young || runner->language[0] == '\0' || control->shutting_down)
		return NULL;
	return language_find_or_add(control, runner->language);
}

static void take_out(struct control *control, struct runner *runner, enum event_kind kind, const struct cause *cause) {
	struct deployment *deployment = runner->deployment;
	bool expected = runner->state == RUNNER_DRAINING;
	struct language *language = language_to_blame(control, runner);
	char text[512];
	snprintf(text, sizeof text, "the Runner %s %s", runner->key, cause->why);
	runner_tell(control, runner, kind, language != NULL ? blame_delay_ms(control, language) : 0, cause->why);
	runner_detach(control, runner);
	if (language != NULL)
		blame_language(control, language, cause->why);
	runner_remove(control, runner);
	if (deployment != NULL && !expected)
		deployment_lost_runner(control, deployment,
				       &(struct cause){text, cause->lines, cause->line_count});
}

void runner_lose(struct control *control, struct runner *runner, const struct cause *cause) {
	take_out(control, runner, runner->state == RUNNER_DRAINING ? EVENT_RUNNER_ENDED : EVENT_RUNNER_LOST, cause);
}

void runner_give_up(struct control *control, struct runner *runner, const char *why) {
	take_out(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST,
		 &(struct cause){.why = why});
}

void runner_assign(struct control *control, struct runner *runner, struct deployment *deployment) {
	runner->deployment = deployment;
	list_append(&deployment->runners, &runner->in_deployment);
	runner_set_state(control, runner, RUNNER_DEPLOYING, control->config.deploy_timeout_ms, "told to host it");
	/* Later ones are larger, also those of the Backplane after us. */
	uint64_t wall = (uint64_t)control->effects->ops->wall_ms(control->effects) * 1000;
	runner->attempt = control->attempt = MAX(control->attempt + 1, wall);
	runner->asked_again = false;
	control->effects->ops->deploy(control->effects, runner, deployment);
}

void runner_end(struct control *control, struct runner *runner, uint64_t grace_ms) {
	runner->drain_version = 0;
	/* The Platform makes a fresh one faster than an old one is made clean. */
	const char *key = runner->deployment ? runner->deployment->key : runner->claimed;
	control->effects->ops->terminate(control->effects, runner, runner->managed ? NULL : key, grace_ms);
}

void runner_end_unrouted(struct control *control, struct runner *runner, uint64_t grace_ms) {
	uint64_t version = control->version + !list_is_empty(&control->dirty);
	if (control->version_out < version)
		runner->drain_version = version;
	else
		runner_end(control, runner, grace_ms);
}

void runner_drain(struct control *control, struct runner *runner, const char *why) {
	if (runner->state == RUNNER_ALIVE) {
		runner->deployment->alive--;
		module_mark_dirty(control, runner->deployment->module);
	}
	if (runner->endpoint == NULL) {
		/* Nobody to tell: it has not registered yet. */
		runner_tell(control, runner, EVENT_RUNNER_KILLED, 0, why);
		runner_remove(control, runner);
		return;
	}
	runner_set_state(control, runner, RUNNER_DRAINING,
			 control->config.drain_timeout_ms + control->config.kill_timeout_ms, "%s", why);
	runner_end_unrouted(control, runner, 0);
}

void runner_adopt(struct control *control, struct runner *runner) {
	struct deployment *deployment = map_get(&control->deployments, str_from(runner->claimed));
	/* One that is alive is worth more than those that are still to come, which then are too many. */
	bool wanted = deployment != NULL && deployment_is_wanted(deployment) &&
		      deployment->alive < deployment_wanted(deployment) &&
		      strcmp(deployment->language, runner->language) == 0;
	if (!wanted) {
		runner_set_state(control, runner, RUNNER_DRAINING,
				 control->config.drain_timeout_ms + control->config.kill_timeout_ms,
				 "it hosts %s, which is not wanted of it", runner->claimed);
		runner_end_unrouted(control, runner, control->config.drain_timeout_ms);
		return;
	}
	runner->claimed[0] = '\0';
	runner->deployment = deployment;
	list_append(&deployment->runners, &runner->in_deployment);
	runner_set_state(control, runner, RUNNER_ALIVE, 0, "found alive");
	runner->alive_since_ms = control->now_ms;
	deployment->alive++;
	deployment_gained_runner(control, deployment, runner);
}

bool control_is_of_platform(const struct control *control, struct str runner_key) {
	return map_get(&control->platform_keys, runner_key) != NULL;
}

void control_runner_progress(struct control *control, const char *runner_key, const char *text) {
	const struct runner *runner = runner_find(control, runner_key);
	if (runner != NULL && runner->state == RUNNER_CREATING)
		runner_tell(control, runner, EVENT_RUNNER_CREATING, 0, text);
}

void control_runner_exited(struct control *control, const char *runner_key, const struct cause *cause) {
	struct runner *runner = runner_find(control, runner_key);
	free(map_remove(&control->platform_keys, str_from(runner_key)));
	if (runner == NULL)
		return;
	runner_lose(control, runner, cause);
	control_reconcile(control);
}

void control_deploy_answered(struct control *control, const char *runner_key, uint64_t serial, uint64_t attempt,
			     const struct error *err) {
	struct runner *runner = runner_find(control, runner_key);
	if (err == NULL || runner == NULL || runner->serial != serial || runner->attempt != attempt ||
	    runner->state != RUNNER_DEPLOYING)
		return;
	struct deployment *deployment = runner->deployment;
	if (err->code == CODE_DEADLINE_EXCEEDED && !runner->asked_again) {
		/* The time may have passed because we stood still. The same order twice is one. */
		runner->asked_again = true;
		control->effects->ops->deploy(control->effects, runner, deployment);
		return;
	}
	char why[ERROR_TEXT_MAX + KEY_MAX + 32];
	snprintf(why, sizeof why, "the Runner %s refused to deploy: %s", runner->key, err->msg);
	/* Whatever it is, this Runner is of no use for it. What it hosts it tells when it registers again. */
	runner_tell(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST, 0, why);
	runner_detach(control, runner);
	runner_remove(control, runner);
	if (err->code == CODE_FAILED_PRECONDITION)
		deployment_refused(control, deployment, why);
	else
		deployment_lost_runner(control, deployment, &(struct cause){.why = why});
	control_reconcile(control);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void on_limit(struct control *control, struct runner *runner) {
	char why[128];
	switch (runner->state) {
	case RUNNER_CREATING:
		snprintf(why, sizeof why, "did not register within %" PRIu64 " ms",
			 runner_was_found(runner) ? control->config.silence_ms : control->config.create_timeout_ms);
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
		runner_give_up(control, runner, "did not end in time");
		return;
	case RUNNER_IDLE:
		/* Settling tells whether it is needed. */
		control->needs_reconcile = true;
		runner_reschedule(control, runner);
		return;
	case RUNNER_ALIVE:
		return;
	}
}

void runner_postpone(struct control *control, struct runner *runner, uint64_t by_ms) {
	if (runner->due_ms > 0)
		runner->due_ms += by_ms;
	runner_reschedule(control, runner);
}

void runner_tick(struct control *control, struct runner *runner) {
	if (runner->liveness.ping_due_ms <= control->now_ms)
		runner_ping(control, runner);
	if (runner->due_ms > 0 && runner->due_ms <= control->now_ms)
		on_limit(control, runner);
}
