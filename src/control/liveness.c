/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a Runner is there: its registration, and the pings that it answers.
 */
#include <stdio.h>

#include "base/memory.h"
#include "control/model.h"

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
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			  c == '_' || c == '+' || c == '.' || c == '#';
		if (!ok)
			return false;
	}
	return text.len > 0 && text.len < max;
}

int language_check(struct str language, struct error *err) {
	if (is_name(language, LANGUAGE_MAX) && language.ptr[0] != '-')
		return 0;
	return error_set(
		err, CODE_INVALID_ARGUMENT,
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
		return error_set(
			err, CODE_ALREADY_EXISTS,
			"the endpoint %.*s is registered already, by the Runner %s; stop that one or choose another",
			STR_ARG(registration->endpoint), other->key);
	return 0;
}

void runner_ping(struct control *control, struct runner *runner) {
	runner->liveness.ping = PING_SENT;
	runner->liveness.ping_due_ms = UINT64_MAX;
	runner->liveness.ping_sent_ms = control->now_ms;
	runner_reschedule(control, runner);
	control->effects->ops->ping_runner(control->effects, runner, control->config.silence_ms / 3);
}

/* One of ours leaves when it is told to end: who comes again was not told, as its Backplane left it to us before. */
static void tell_again_to_end(struct control *control, struct runner *runner) {
	uint64_t kill_ms = control->now_ms + control->config.kill_timeout_ms;
	if (runner->managed && runner->state == RUNNER_DRAINING && runner->drain_version == 0)
		runner_end(control, runner, runner->due_ms > kill_ms ? runner->due_ms - kill_ms : 0);
}

static void take_stream(struct runner *runner, const struct registration *registration) {
	runner->liveness.registration = registration->id;
	runner->liveness.broke = BROKE_NOT;
}

/* A known Runner registers again: its stream broke, not it. It keeps what it hosts. */
static void renew(struct control *control, struct runner *runner, const struct registration *registration) {
	if (runner->endpoint == NULL)
		runner->endpoint = mem_strndup(registration->endpoint.ptr, registration->endpoint.len);
	take_stream(runner, registration);
	control->effects->ops->accept(control->effects, registration->id, runner);
	/* It came alive after it said that; or is another one, that hosts nothing yet. The same order twice is one. */
	if (runner->state == RUNNER_ALIVE && !str_eq_c(registration->deployment_key, runner->deployment->key))
		control->effects->ops->deploy(control->effects, runner, runner->deployment);
	tell_again_to_end(control, runner);
}

/* Whether it may be the one that we know, by what it says that it hosts. What it said before it came alive, or ended,
 * may come after its report of that. */
static bool hosts_what_it_did(const struct runner *runner, struct str hosted) {
	switch (runner->state) {
	case RUNNER_ALIVE:
		return runner->liveness.broke != BROKE_ALIVE || str_eq_c(hosted, runner->deployment->key);
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
	return elsewhere ||
	       (runner->liveness.broke != BROKE_NOT && !hosts_what_it_did(runner, registration->deployment_key));
}

static void read_claim(struct runner *runner, const struct registration *registration) {
	take_stream(runner, registration);
	snprintf(runner->claimed, sizeof runner->claimed, "%.*s", STR_ARG(registration->deployment_key));
}

void control_register(struct control *control, const struct registration *registration) {
	struct error err;
	if (check_registration(control, registration, &err) < 0) {
		control->effects->ops->refuse(control->effects, registration->id, &err);
		return;
	}
	struct runner *runner = map_get(&control->runners, registration->runner_key);
	if (runner != NULL && runner->liveness.registration != 0) {
		error_set(&err, CODE_ALREADY_EXISTS, "a Runner with the key %s is registered already", runner->key);
		control->effects->ops->refuse(control->effects, registration->id, &err);
		return;
	}
	if (runner != NULL && is_another(runner, registration)) {
		runner_lose(control, runner, &(struct cause){.why = "registers anew, and not as it was"});
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
		key_make(key, "rnr", language, control->effects->ops->random(control->effects));
	if (runner == NULL)
		runner = runner_add(control, key, language, control_is_of_platform(control, str_from(key)),
				    RUNNER_CREATING, 0);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->endpoint = mem_strndup(registration->endpoint.ptr, registration->endpoint.len);
	read_claim(runner, registration);
	runner_set_state(control, runner, RUNNER_PROBING, control->config.create_timeout_ms,
			 "registers at %s, for %s; it is pinged before it counts", runner->endpoint, language);
	runner_ping(control, runner);
	control_reconcile(control);
}

static struct runner *find_by_registration(const struct control *control, uint64_t registration) {
	LIST_FOREACH(link, &control->all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->liveness.registration == registration)
			return runner;
	}
	return NULL;
}

/* Perhaps it died; perhaps nothing but the connection did, as when we were stopped for so long that it looked for
 * another one. Its calls are not to be lost by that. A dead one refuses the pings at once. */
static void doubt(struct control *control, struct runner *runner) {
	runner_tell(control, runner, EVENT_RUNNER_SILENT, 0,
		    "closed its connection; it is pinged before it counts as lost");
	runner->liveness.broke = runner->state == RUNNER_ALIVE ? BROKE_ALIVE : BROKE;
	if (runner->liveness.ping == PING_NONE)
		runner_ping(control, runner);
	else
		runner->liveness.ping = PING_STALE;
}

void control_registration_ended(struct control *control, uint64_t registration, bool half_closed) {
	struct runner *runner = find_by_registration(control, registration);
	if (runner == NULL)
		return;
	runner->liveness.registration = 0;
	if (!half_closed && !(runner->state == RUNNER_DRAINING && runner->managed))
		doubt(control, runner);
	control_reconcile(control);
}

static void count_in(struct control *control, struct runner *runner) {
	struct language *language = language_find_or_add(control, runner->language);
	language->failures = 0;
	language->problem[0] = '\0';
	if (runner->liveness.registration != 0)
		control->effects->ops->accept(control->effects, runner->liveness.registration, runner);
	if (runner->claimed[0] != '\0')
		runner_adopt(control, runner);
	else
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms,
				 "registered at %s, for %s", runner->endpoint, runner->language);
}

static void refuse_unreachable(struct control *control, struct runner *runner, const struct error *why) {
	struct error err;
	error_set(&err, CODE_FAILED_PRECONDITION, "%s does not answer a ping from the Backplane: %s", runner->endpoint,
		  why->msg);
	if (runner->liveness.registration != 0)
		control->effects->ops->refuse(control->effects, runner->liveness.registration, &err);
	runner->liveness.registration = 0;
	runner_give_up(control, runner, "did not answer a ping");
}

enum { PINGS_MISSED_MAX = 2, PING_AGAIN_MS = 100, LATE_MS = 500 };

/* The next ping is sent a third of the time after the last one at the latest, however that one went. So a Runner that
 * falls silent has had two that were sent later, and missed both, when the whole time has passed since one was sent
 * that it did answer. */
static uint64_t next_ping(const struct control *control, const struct runner *runner) {
	uint64_t due_ms = runner->liveness.ping_sent_ms + control->config.silence_ms / 3;
	uint64_t again_ms = control->now_ms + (runner->liveness.broke != BROKE_NOT ? 0 : PING_AGAIN_MS);
	return runner->liveness.pings_missed > 0 ? MIN(due_ms, again_ms) : due_ms;
}

void control_pinged(struct control *control, const char *runner_key, uint64_t serial, const struct error *err) {
	struct runner *runner = runner_find(control, runner_key);
	if (runner == NULL || runner->serial != serial)
		return;
	/* Word that its time was up comes long after that: it was the Backplane that stood still. */
	bool late = err != NULL &&
		    control->now_ms - runner->liveness.ping_sent_ms > control->config.silence_ms / 3 + LATE_MS;
	bool says_nothing = late || (runner->liveness.ping == PING_STALE && err == NULL);
	runner->liveness.ping = PING_NONE;
	if (says_nothing) {
		runner_ping(control, runner);
		return;
	}
	runner->liveness.pings_missed = err != NULL ? runner->liveness.pings_missed + 1 : 0;
	if (runner->liveness.pings_missed == 1 && runner->liveness.broke == BROKE_NOT)
		runner_tell(control, runner, EVENT_RUNNER_SILENT, 0, err->msg);
	/* A second ping at once tells a hiccup from a death. */
	runner->liveness.ping_due_ms = next_ping(control, runner);
	runner_reschedule(control, runner);
	if (runner->state == RUNNER_PROBING && err != NULL)
		refuse_unreachable(control, runner, err);
	else if (runner->state == RUNNER_PROBING)
		count_in(control, runner);
	else if (runner->liveness.pings_missed >= PINGS_MISSED_MAX && runner->liveness.broke != BROKE_NOT)
		runner_lose(control, runner, &(struct cause){.why = "closed its connection"});
	else if (runner->liveness.pings_missed >= PINGS_MISSED_MAX)
		runner_give_up(control, runner, "does not answer pings");
	control_reconcile(control);
}

