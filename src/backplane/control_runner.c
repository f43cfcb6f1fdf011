/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of a Runner; its diagram is in control.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backplane/control_internal.h"
#include "base/memory.h"

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

static void tell(struct control *control, const struct runner *runner, enum event_kind kind, uint64_t retry_in_ms,
		 const char *text) {
	const struct control_event event = {
		.kind = kind, .deployment = runner->deployment, .runner = runner, .text = text, .retry_in_ms = retry_in_ms};
	control->outside->ops->event(control->outside, &event);
}

/* To be called when its limit, its state or its next ping has changed. */
static void reschedule(struct control *control, struct runner *runner) {
	uint64_t due_ms = runner->due_ms > 0 ? runner->due_ms : UINT64_MAX;
	/* An idle one past its time may still be needed, and then stays. */
	if (runner->state == RUNNER_IDLE && runner->due_ms <= control->now_ms)
		due_ms = UINT64_MAX;
	heap_set(&control->due_runners, &runner->due, MIN(due_ms, runner->ping_due_ms));
}

void runner_set_state(struct control *control, struct runner *runner, enum runner_state state, uint64_t limit_ms,
		      const char *format, ...) {
	ASSERT(allowed[runner->state] & TO(state));
	runner->state = state;
	runner->since_wall_ms = control->outside->ops->wall_ms(control->outside);
	runner->due_ms = limit_ms > 0 ? control->now_ms + limit_ms : 0;
	reschedule(control, runner);
	runner->broke_alive = false;
	control->unsettled = true;
	if (runner->deployment != NULL)
		module_unsettle(control, runner->deployment->module);
	char text[EVENT_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	tell(control, runner, kinds[state], 0, text);
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

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

static struct runner *runner_add(struct control *control, const char *key, const char *language, bool managed,
				 enum runner_state state, uint64_t limit_ms) {
	struct runner *runner = mem_zalloc(sizeof *runner);
	snprintf(runner->key, sizeof runner->key, "%s", key);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->serial = ++control->serial;
	runner->managed = managed;
	runner->state = state;
	runner->since_wall_ms = control->outside->ops->wall_ms(control->outside);
	runner->due_ms = control->now_ms + limit_ms;
	runner->ping_due_ms = UINT64_MAX;
	reschedule(control, runner);
	list_init(&runner->in_deployment);
	list_append(&control->all_runners, &runner->in_control);
	map_put(&control->runners, str_from(key), runner);
	control->unsettled = true;
	return runner;
}

void runner_create(struct control *control, const char *language) {
	char key[KEY_MAX];
	key_make(key, "rnr", language, control->outside->ops->random(control->outside));
	struct runner *runner =
		runner_add(control, key, language, true, RUNNER_CREATING, control->config.create_timeout_ms);
	tell(control, runner, EVENT_RUNNER_CREATING, 0, "asked of the Platform");
	control->outside->ops->create_runner(control->outside, key, language);
}

/* One that runs has nothing to wait for: when it does not look for us it hangs. */
void control_found(struct control *control, const char *runner_key) {
	struct runner *runner = runner_add(control, runner_key, "", true, RUNNER_CREATING, control->config.silence_ms);
	tell(control, runner, EVENT_RUNNER_CREATING, 0, "left by the Backplane before; it may register again");
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
	module_unsettle(control, deployment->module);
}

void runner_remove(struct control *control, struct runner *runner) {
	ASSERT(runner->deployment == NULL);
	control->outside->ops->forget_runner(control->outside, runner);
	if (runner->managed)
		control->outside->ops->destroy_runner(control->outside, runner->key);
	map_remove(&control->runners, str_from(runner->key));
	list_remove(&runner->in_control);
	heap_remove(&control->due_runners, &runner->due);
	free(runner->endpoint);
	free(runner);
	control->unsettled = true;
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
	LIST_FOREACH(link, &control->restless) {
		struct deployment *next = LIST_ENTRY(link, struct module, in_restless)->next;
		if (next == NULL || strcmp(next->language, language->name) != 0 || deployment_assigned(next) > 0)
			continue;
		char text[512];
		snprintf(text, sizeof text, "no Runner for the language %s could be had: %s", language->name, why);
		deployment_fail(control, next, text, NULL, 0);
	}
}

static struct language *language_to_blame(struct control *control, const struct runner *runner) {
	bool young = runner->state == RUNNER_CREATING || (runner->state == RUNNER_PROBING && runner->managed);
	if (!young || runner->language[0] == '\0' || control->shutting_down)
		return NULL;
	return language_find_or_add(control, runner->language);
}

static void take_out(struct control *control, struct runner *runner, enum event_kind kind, const char *why) {
	struct deployment *deployment = runner->deployment;
	bool expected = runner->state == RUNNER_DRAINING;
	struct language *language = language_to_blame(control, runner);
	char text[512];
	snprintf(text, sizeof text, "the Runner %s %s", runner->key, why);
	tell(control, runner, kind, language != NULL ? blame_delay_ms(control, language) : 0, why);
	runner_detach(control, runner);
	if (language != NULL)
		blame_language(control, language, why);
	runner_remove(control, runner);
	if (deployment != NULL && !expected)
		deployment_lost_runner(control, deployment, text);
}

/* It is gone. */
static void lose(struct control *control, struct runner *runner, const char *why) {
	take_out(control, runner, runner->state == RUNNER_DRAINING ? EVENT_RUNNER_ENDED : EVENT_RUNNER_LOST, why);
}

/* It may still be there, and is of no use. */
static void give_up(struct control *control, struct runner *runner, const char *why) {
	take_out(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST, why);
}

void runner_assign(struct control *control, struct runner *runner, struct deployment *deployment) {
	runner->deployment = deployment;
	list_append(&deployment->runners, &runner->in_deployment);
	runner_set_state(control, runner, RUNNER_DEPLOYING, control->config.deploy_timeout_ms, "told to host it");
	/* Later ones are larger, also those of the Backplane after us. */
	uint64_t wall = (uint64_t)control->outside->ops->wall_ms(control->outside) * 1000;
	runner->attempt = control->attempt = MAX(control->attempt + 1, wall);
	runner->asked_again = false;
	control->outside->ops->deploy(control->outside, runner, deployment);
}

void runner_end(struct control *control, struct runner *runner, uint64_t grace_ms) {
	runner->drain_version = 0;
	/* The Platform makes a fresh one faster than an old one is made clean. */
	const char *key = runner->deployment ? runner->deployment->key : runner->claimed;
	control->outside->ops->terminate(control->outside, runner, runner->managed ? NULL : key, grace_ms);
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
		tell(control, runner, EVENT_RUNNER_KILLED, 0, why);
		runner_remove(control, runner);
		return;
	}
	runner_set_state(control, runner, RUNNER_DRAINING, control->config.drain_timeout_ms + control->config.kill_timeout_ms,
			 "%s", why);
	runner_end_unrouted(control, runner, 0);
}

/* --- registration and pings ----------------------------------------------------------------------------------------- */

static struct runner *find_by_endpoint(const struct control *control, struct str endpoint) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->endpoint != NULL && str_eq_c(endpoint, runner->endpoint))
			return runner;
	}
	return NULL;
}

static bool is_name(struct str text, size_t max) {
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
			  c == '+' || c == '.' || c == '#';
		if (!ok)
			return false;
	}
	return text.len > 0 && text.len < max;
}

int language_check(struct str language, struct error *err) {
	if (is_name(language, LANGUAGE_MAX) && language.ptr[0] != '-')
		return 0;
	return error_set(err, CODE_INVALID_ARGUMENT,
			 "language must be a name of 1 to %d letters, digits, or - _ + . #, with no - in front; it is \"%.*s\"",
			 LANGUAGE_MAX - 1, (int)MIN(language.len, (size_t)80), language.ptr);
}

static int check_registration(const struct control *control, const struct registration *registration,
			      struct error *err) {
	if (control->shutting_down)
		return error_set(err, CODE_UNAVAILABLE, "the Backplane is stopping");
	if (language_check(registration->language, err) < 0)
		return -1;
	if (registration->runner_key.len > 0 && !is_name(registration->runner_key, KEY_MAX))
		return error_set(err, CODE_INVALID_ARGUMENT, "runner_key is not a key: \"%.*s\"",
				 (int)MIN(registration->runner_key.len, (size_t)80), registration->runner_key.ptr);
	const struct runner *other = find_by_endpoint(control, registration->endpoint);
	if (other != NULL && !str_eq_c(registration->runner_key, other->key))
		return error_set(err, CODE_ALREADY_EXISTS,
				 "the endpoint %.*s is registered already, by the Runner %s; stop that one or choose another",
				 STR_ARG(registration->endpoint), other->key);
	return 0;
}

static void ping(struct control *control, struct runner *runner) {
	runner->pinging = true;
	runner->ping_due_ms = UINT64_MAX;
	runner->ping_sent_ms = control->now_ms;
	reschedule(control, runner);
	control->outside->ops->ping_runner(control->outside, runner, control->config.silence_ms / 3);
}

/* One of ours leaves when it is told to end: who comes again was not told, as its Backplane left it to us before. */
static void tell_again_to_end(struct control *control, struct runner *runner) {
	uint64_t kill_ms = control->now_ms + control->config.kill_timeout_ms;
	if (runner->managed && runner->state == RUNNER_DRAINING && runner->drain_version == 0)
		runner_end(control, runner, runner->due_ms > kill_ms ? runner->due_ms - kill_ms : 0);
}

/* A known Runner registers again: its stream broke, not it. It keeps what it hosts. */
static void renew(struct control *control, struct runner *runner, const struct registration *registration) {
	if (runner->endpoint == NULL)
		runner->endpoint = mem_strndup(registration->endpoint.ptr, registration->endpoint.len);
	runner->registration = registration->id;
	runner->broke = runner->broke_alive = false;
	control->outside->ops->accept(control->outside, registration->id, runner);
	/* It came alive after it said that; or it is another one, that hosts nothing yet. The same order twice is one. */
	if (runner->state == RUNNER_ALIVE && !str_eq_c(registration->deployment_key, runner->deployment->key))
		control->outside->ops->deploy(control->outside, runner, runner->deployment);
	tell_again_to_end(control, runner);
}

/* Whether it may be the one that we know, by what it says that it hosts. What it said before it came alive, or ended, may
 * come after its report of that. */
static bool hosts_what_it_did(const struct runner *runner, struct str hosted) {
	switch (runner->state) {
	case RUNNER_ALIVE:
		return !runner->broke_alive || str_eq_c(hosted, runner->deployment->key);
	case RUNNER_CREATING:
	case RUNNER_PROBING:
	case RUNNER_IDLE:
		return true; /* nothing is known */
	case RUNNER_DEPLOYING:
	case RUNNER_DRAINING:
		return runner->managed; /* another one would have another key */
	}
	return false;
}

/* One that a person started may have been started anew with the same key, and have answered our pings. */
static bool is_another(const struct runner *runner, const struct registration *registration) {
	if (runner->state == RUNNER_CREATING)
		return false;
	bool elsewhere = !runner->managed && (!str_eq_c(registration->endpoint, runner->endpoint) ||
					      !str_eq_c(registration->language, runner->language));
	return elsewhere || (runner->broke && !hosts_what_it_did(runner, registration->deployment_key));
}

static void read_claim(struct runner *runner, const struct registration *registration) {
	runner->registration = registration->id;
	snprintf(runner->claimed, sizeof runner->claimed, "%.*s", STR_ARG(registration->deployment_key));
}

void control_register(struct control *control, const struct registration *registration) {
	struct error err;
	if (check_registration(control, registration, &err) < 0) {
		control->outside->ops->refuse(control->outside, registration->id, &err);
		return;
	}
	struct runner *runner = map_get(&control->runners, registration->runner_key);
	if (runner != NULL && runner->registration != 0) {
		error_set(&err, CODE_ALREADY_EXISTS, "a Runner with the key %s is registered already", runner->key);
		control->outside->ops->refuse(control->outside, registration->id, &err);
		return;
	}
	if (runner != NULL && is_another(runner, registration)) {
		lose(control, runner, "registers anew, and not as it was");
		runner = NULL;
	}
	if (runner != NULL && runner->state == RUNNER_PROBING) {
		read_claim(runner, registration); /* it is being pinged */
		return;
	}
	if (runner != NULL && runner->state != RUNNER_CREATING) {
		renew(control, runner, registration);
		return;
	}
	char key[KEY_MAX], language[LANGUAGE_MAX];
	snprintf(language, sizeof language, "%.*s", STR_ARG(registration->language));
	if (registration->runner_key.len > 0)
		snprintf(key, sizeof key, "%.*s", STR_ARG(registration->runner_key));
	else
		key_make(key, "rnr", language, control->outside->ops->random(control->outside));
	if (runner == NULL)
		runner = runner_add(control, key, language, registration->managed, RUNNER_CREATING, 0);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->endpoint = mem_strndup(registration->endpoint.ptr, registration->endpoint.len);
	read_claim(runner, registration);
	runner_set_state(control, runner, RUNNER_PROBING, control->config.create_timeout_ms,
			 "registers at %s, for %s; it is pinged before it counts", runner->endpoint, language);
	ping(control, runner);
	control_settle(control);
}

static struct runner *find_by_registration(const struct control *control, uint64_t registration) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->registration == registration)
			return runner;
	}
	return NULL;
}

/* Perhaps it died; perhaps nothing but the connection did, as when we were stopped for so long that it looked for another
 * one. Its calls are not to be lost by that. A dead one refuses the pings at once. */
static void doubt(struct control *control, struct runner *runner) {
	tell(control, runner, EVENT_RUNNER_SILENT, 0, "closed its connection; it is pinged before it counts as lost");
	runner->broke = true;
	runner->broke_alive = runner->state == RUNNER_ALIVE;
	runner->ping_is_stale = runner->pinging;
	if (!runner->pinging)
		ping(control, runner);
}

void control_registration_ended(struct control *control, uint64_t registration, bool polite) {
	struct runner *runner = find_by_registration(control, registration);
	if (runner == NULL)
		return;
	runner->registration = 0;
	if (!polite && !(runner->state == RUNNER_DRAINING && runner->managed))
		doubt(control, runner);
	control_settle(control);
}

/* It hosts a deployment of the Backplane before us, or of before its connection broke. */
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

static void count_in(struct control *control, struct runner *runner) {
	struct language *language = language_find_or_add(control, runner->language);
	language->failures = 0;
	language->problem[0] = '\0';
	if (runner->registration != 0)
		control->outside->ops->accept(control->outside, runner->registration, runner);
	if (runner->claimed[0] != '\0')
		runner_adopt(control, runner);
	else
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms, "registered at %s, for %s",
				 runner->endpoint, runner->language);
}

static void refuse_unreachable(struct control *control, struct runner *runner, const struct error *why) {
	struct error err;
	error_set(&err, CODE_FAILED_PRECONDITION, "%s does not answer a ping from the Backplane: %s", runner->endpoint,
		  why->msg);
	if (runner->registration != 0)
		control->outside->ops->refuse(control->outside, runner->registration, &err);
	runner->registration = 0;
	give_up(control, runner, "did not answer a ping");
}

enum { PINGS_MISSED_MAX = 2, PING_AGAIN_MS = 100, LATE_MS = 500 };

/* The next ping is sent a third of the time after the last one at the latest, however that one went. So a Runner that
 * falls silent has had two that were sent later, and missed both, when the whole time has passed since one was sent that
 * it did answer. */
static uint64_t next_ping(const struct control *control, const struct runner *runner) {
	uint64_t due_ms = runner->ping_sent_ms + control->config.silence_ms / 3;
	uint64_t again_ms = control->now_ms + (runner->broke ? 0 : PING_AGAIN_MS);
	return runner->pings_missed > 0 ? MIN(due_ms, again_ms) : due_ms;
}

void control_pinged(struct control *control, const char *runner_key, uint64_t serial, const struct error *err) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner == NULL || runner->serial != serial)
		return;
	/* Word that its time was up comes long after that: it was the Backplane that stood still. */
	bool late = err != NULL && control->now_ms - runner->ping_sent_ms > control->config.silence_ms / 3 + LATE_MS;
	bool says_nothing = late || (runner->ping_is_stale && err == NULL);
	runner->pinging = runner->ping_is_stale = false;
	if (says_nothing) {
		ping(control, runner);
		return;
	}
	runner->pings_missed = err != NULL ? runner->pings_missed + 1 : 0;
	if (runner->pings_missed == 1 && !runner->broke)
		tell(control, runner, EVENT_RUNNER_SILENT, 0, err->msg);
	/* A second ping at once tells a hiccup from a death. */
	runner->ping_due_ms = next_ping(control, runner);
	reschedule(control, runner);
	if (runner->state == RUNNER_PROBING && err != NULL)
		refuse_unreachable(control, runner, err);
	else if (runner->state == RUNNER_PROBING)
		count_in(control, runner);
	else if (runner->pings_missed >= PINGS_MISSED_MAX && runner->broke)
		lose(control, runner, "closed its connection");
	else if (runner->pings_missed >= PINGS_MISSED_MAX)
		give_up(control, runner, "does not answer pings");
	control_settle(control);
}

void control_runner_exited(struct control *control, const char *runner_key, const char *why) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner == NULL)
		return;
	lose(control, runner, why);
	control_settle(control);
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
		control->outside->ops->deploy(control->outside, runner, deployment);
		return;
	}
	char why[ERROR_TEXT_MAX + KEY_MAX + 32];
	snprintf(why, sizeof why, "the Runner %s refused to deploy: %s", runner->key, err->msg);
	/* Whatever it is, this Runner is of no use for it. What it hosts it tells when it registers again. */
	tell(control, runner, runner->managed ? EVENT_RUNNER_KILLED : EVENT_RUNNER_LOST, 0, why);
	runner_detach(control, runner);
	runner_remove(control, runner);
	if (err->code == CODE_FAILED_PRECONDITION)
		deployment_refused(control, deployment, why);
	else
		deployment_lost_runner(control, deployment, why);
	control_settle(control);
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

static void on_limit(struct control *control, struct runner *runner) {
	char why[128];
	switch (runner->state) {
	case RUNNER_CREATING:
		snprintf(why, sizeof why, "did not register within %" PRIu64 " ms",
			 runner_was_found(runner) ? control->config.silence_ms : control->config.create_timeout_ms);
		give_up(control, runner, why);
		return;
	case RUNNER_PROBING:
		give_up(control, runner, "did not answer a ping in time");
		return;
	case RUNNER_DEPLOYING:
		snprintf(why, sizeof why, "did not bring the deployment up within %" PRIu64 " ms",
			 control->config.deploy_timeout_ms);
		give_up(control, runner, why);
		return;
	case RUNNER_DRAINING:
		give_up(control, runner, "did not end in time");
		return;
	case RUNNER_IDLE:
		/* Settling tells whether it is needed. */
		control->unsettled = true;
		reschedule(control, runner);
		return;
	case RUNNER_ALIVE:
		return;
	}
}

void runner_postpone(struct control *control, struct runner *runner, uint64_t by_ms) {
	if (runner->due_ms > 0)
		runner->due_ms += by_ms;
	reschedule(control, runner);
}

void runner_tick(struct control *control, struct runner *runner) {
	if (runner->ping_due_ms <= control->now_ms)
		ping(control, runner);
	if (runner->due_ms > 0 && runner->due_ms <= control->now_ms)
		on_limit(control, runner);
}
