/* SPDX-License-Identifier: Apache-2.0 */
#include "control/liveness.h"

#include <stdio.h>

#include "base/memory.h"
#include "control/deployment.h"
#include "control/runner.h"

enum {
	PINGS_MISSED_MAX = 2,
	PING_AGAIN_MS = 100, /* after a missed one: a second ping at once tells a hiccup from a death */
	LATE_MS = 500,
};

#define TO(state) (1u << (state))

void liveness_set_registration(struct runner *runner, enum registration_state state, uint64_t registration) {
	static const unsigned allowed[] = {
		[REGISTRATION_NONE] = TO(REGISTRATION_OPEN),
		[REGISTRATION_OPEN] = TO(REGISTRATION_CLOSED) | TO(REGISTRATION_BROKEN),
		[REGISTRATION_CLOSED] = TO(REGISTRATION_OPEN),
		[REGISTRATION_BROKEN] = TO(REGISTRATION_OPEN),
	};
	ASSERT(allowed[runner->liveness.state] & TO(state));
	ASSERT((state == REGISTRATION_OPEN) == (registration != 0));
	runner->liveness.state = state;
	runner->liveness.registration = registration;
}

void liveness_set_ping(struct runner *runner, enum ping_state state) {
	static const unsigned allowed[] = {
		[PING_WAITING] = TO(PING_SENT),
		[PING_SENT] = TO(PING_WAITING) | TO(PING_STALE),
		[PING_STALE] = TO(PING_WAITING),
	};
	ASSERT(allowed[runner->liveness.ping] & TO(state));
	runner->liveness.ping = state;
}

static bool is_broken(const struct runner *runner) {
	return runner->liveness.state == REGISTRATION_BROKEN;
}

/* --- registering -------------------------------------------------------------------------------------------------- */

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
	if (control->state >= CONTROL_STOPPING)
		return error_set(err, CODE_UNAVAILABLE, "the Backplane is stopping");
	if (language_check(registration->language, err) < 0)
		return -1;
	if (registration->runner_key.len > 0 && !is_name(registration->runner_key, KEY_MAX))
		return error_set(err, CODE_INVALID_ARGUMENT, "runner_key is not a key: \"%.*s\"",
				 (int)MIN(registration->runner_key.len, (size_t)80), registration->runner_key.ptr);
	const struct runner *other = runner_find_by_endpoint(control, registration->endpoint);
	if (other != NULL && !str_eq_c(registration->runner_key, other->key))
		return error_set(
			err, CODE_ALREADY_EXISTS,
			"the endpoint %.*s is registered already, by the Runner %s; stop that one or choose another",
			STR_ARG(registration->endpoint), other->key);
	const struct runner *same = map_get(&control->books.runners, registration->runner_key);
	if (same != NULL && same->liveness.state == REGISTRATION_OPEN)
		return error_set(err, CODE_ALREADY_EXISTS, "a Runner with the key %s is registered already", same->key);
	return 0;
}

/* Whether the known Runner may be the one that registers, by what that one says it hosts. A report that the Runner came
 * alive, or ended what it hosts, may have overtaken the registration. */
static bool may_host(const struct runner *runner, struct str claimed) {
	bool alive_since_it_broke = runner->liveness.broke_at_change == runner->changes;
	switch (runner->state) {
	case RUNNER_ALIVE:
		return !alive_since_it_broke || str_eq_c(claimed, runner->deployment->key);
	case RUNNER_FOUND:
	case RUNNER_CREATING:
	case RUNNER_PROBING:
	case RUNNER_CLAIMING:
	case RUNNER_IDLE:
		return true; /* what it hosts is not known */
	case RUNNER_DEPLOYING:
	case RUNNER_DRAINING:
	case RUNNER_ENDING:
		return runner->managed; /* the Platform gives another process another key */
	}
	return false;
}

/* A person may have started another process with the same key, which answers the pings. */
static bool is_another(const struct runner *runner, const struct registration *registration) {
	if (runner->endpoint == NULL)
		return false; /* this one was never seen */
	bool elsewhere = !runner->managed && (!str_eq_c(registration->endpoint, runner->endpoint) ||
					      !str_eq_c(registration->language, runner->language));
	return elsewhere || (is_broken(runner) && !may_host(runner, registration->deployment_key));
}

static void set_endpoint(struct runner *runner, const struct registration *registration) {
	if (runner->endpoint == NULL)
		runner->endpoint = mem_strndup(registration->endpoint.ptr, registration->endpoint.len);
}

static void set_claim(struct runner *runner, const struct registration *registration) {
	snprintf(runner->claimed, sizeof runner->claimed, "%.*s", STR_ARG(registration->deployment_key));
}

/* A known Runner registers again: its stream broke, and it keeps what it hosts. */
static void renew(struct control *control, struct runner *runner, const struct registration *registration) {
	set_endpoint(runner, registration);
	liveness_set_registration(runner, REGISTRATION_OPEN, registration->id);
	control->effects->ops->accept(control->effects, registration->id, runner);
	/* The Runner came alive after it said what it hosts; or it is another process, that hosts nothing yet. Hosting
	 * an order twice is hosting it once. */
	if (runner->state == RUNNER_ALIVE && !str_eq_c(registration->deployment_key, runner->deployment->key))
		control->effects->ops->deploy(control->effects, runner, runner->deployment);
	/* A managed Runner that was told to end does not register again: this one was not told, as the Backplane before
	 * left that to this one. */
	if (runner->state == RUNNER_ENDING && runner->managed)
		runner_missed_the_end(control, runner);
}

static struct runner *add_newcomer(struct control *control, const struct registration *registration) {
	char key[KEY_MAX], language[LANGUAGE_MAX];
	snprintf(language, sizeof language, "%.*s", STR_ARG(registration->language));
	if (registration->runner_key.len > 0)
		snprintf(key, sizeof key, "%.*s", STR_ARG(registration->runner_key));
	else
		key_make(key, "rnr", language, control->effects->ops->random(control->effects));
	bool managed = map_get(&control->books.platform_keys, str_from(key)) != NULL;
	return runner_add(control, key, language, managed, RUNNER_CREATING, 0);
}

/* FOUND, CREATING → PROBING */
static void probe(struct control *control, struct runner *runner, const struct registration *registration) {
	snprintf(runner->language, sizeof runner->language, "%.*s", STR_ARG(registration->language));
	set_endpoint(runner, registration);
	set_claim(runner, registration);
	liveness_set_registration(runner, REGISTRATION_OPEN, registration->id);
	runner_set_state(control, runner, RUNNER_PROBING, control->config.create_timeout_ms,
			 "registers at %s, for %s; it is pinged before it counts", runner->endpoint, runner->language);
	liveness_ping(control, runner);
}

void liveness_register(struct control *control, const struct registration *registration) {
	struct error err;
	if (check_registration(control, registration, &err) < 0) {
		control->effects->ops->refuse(control->effects, registration->id, &err);
		return;
	}
	struct runner *runner = map_get(&control->books.runners, registration->runner_key);
	if (runner != NULL && is_another(runner, registration)) {
		runner_lose(control, runner,
			    &(struct cause){.why = "was replaced by another process that registers with its key"});
		runner = NULL;
	}
	if (runner == NULL)
		runner = add_newcomer(control, registration);
	if (runner->state == RUNNER_FOUND || runner->state == RUNNER_CREATING) {
		probe(control, runner, registration);
	} else if (runner->state == RUNNER_PROBING) { /* a ping is on its way */
		liveness_set_registration(runner, REGISTRATION_OPEN, registration->id);
		set_claim(runner, registration);
	} else {
		renew(control, runner, registration);
	}
}

/* --- streams that end --------------------------------------------------------------------------------------------- */

/* The Runner may have died, or only its connection: also when this process stood still for so long that the Runner
 * looked for another Backplane. Its calls must not be lost by that. */
static void doubt(struct control *control, struct runner *runner) {
	runner_tell(control, runner, EVENT_RUNNER_SILENT, 0,
		    "closed its connection; it is pinged before it counts as lost");
	liveness_set_registration(runner, REGISTRATION_BROKEN, 0);
	runner->liveness.broke_at_change = runner->changes;
	if (runner->liveness.ping == PING_WAITING)
		liveness_ping(control, runner);
	else if (runner->liveness.ping == PING_SENT)
		liveness_set_ping(runner, PING_STALE);
}

void liveness_stream_ended(struct control *control, struct runner *runner, bool half_closed) {
	if (half_closed || (runner_is_leaving(runner) && runner->managed))
		liveness_set_registration(runner, REGISTRATION_CLOSED, 0);
	else
		doubt(control, runner);
}

/* --- pings -------------------------------------------------------------------------------------------------------- */

void liveness_ping(struct control *control, struct runner *runner) {
	liveness_set_ping(runner, PING_SENT);
	runner->liveness.ping_due_ms = UINT64_MAX;
	runner->liveness.ping_sent_ms = control->time.now_ms;
	runner_reschedule(control, runner);
	control->effects->ops->ping(control->effects, runner, control->config.silence_ms / 3);
}

/* PROBING → IDLE, CLAIMING */
static void count_in(struct control *control, struct runner *runner) {
	struct language *language = language_find_or_add(control, runner->language);
	language->failures = 0;
	language->problem[0] = '\0';
	if (runner->liveness.state == REGISTRATION_OPEN)
		control->effects->ops->accept(control->effects, runner->liveness.registration, runner);
	if (runner->claimed[0] != '\0')
		runner_set_state(control, runner, RUNNER_CLAIMING, 0, "hosts %s", runner->claimed);
	else
		runner_set_state(control, runner, RUNNER_IDLE, control->config.idle_timeout_ms,
				 "registered at %s, for %s", runner->endpoint, runner->language);
}

static void refuse_unreachable(struct control *control, struct runner *runner, const struct error *why) {
	struct error err;
	error_set(&err, CODE_FAILED_PRECONDITION, "%s does not answer a ping from the Backplane: %s", runner->endpoint,
		  why->msg);
	if (runner->liveness.state == REGISTRATION_OPEN) {
		control->effects->ops->refuse(control->effects, runner->liveness.registration, &err);
		liveness_set_registration(runner, REGISTRATION_CLOSED, 0);
	}
	runner_give_up(control, runner, "did not answer a ping");
}

/* Each ping is sent a third of silence_ms after the one before at the latest. So when silence_ms have passed since the
 * last one that a Runner answered was sent, it has missed two that were sent later. */
static uint64_t next_ping_ms(const struct control *control, const struct runner *runner) {
	uint64_t due_ms = runner->liveness.ping_sent_ms + control->config.silence_ms / 3;
	uint64_t again_ms = control->time.now_ms + (is_broken(runner) ? 0 : PING_AGAIN_MS);
	return runner->liveness.pings_missed > 0 ? MIN(due_ms, again_ms) : due_ms;
}

static void count_ping(struct control *control, struct runner *runner, const struct error *err) {
	runner->liveness.pings_missed = err != NULL ? runner->liveness.pings_missed + 1 : 0;
	if (runner->liveness.pings_missed == 1 && !is_broken(runner))
		runner_tell(control, runner, EVENT_RUNNER_SILENT, 0, err->msg);
	runner->liveness.ping_due_ms = next_ping_ms(control, runner);
	runner_reschedule(control, runner);
}

void liveness_set_trouble(struct control *control, struct runner *runner, const char *trouble) {
	struct liveness *liveness = &runner->liveness;
	bool was_known = liveness->trouble[0] != '\0', is_known = trouble[0] != '\0';
	if (runner->state != RUNNER_ALIVE)
		return;
	snprintf(liveness->trouble, sizeof liveness->trouble, "%s", trouble);
	if (is_known && !was_known)
		runner_tell(control, runner, EVENT_RUNNER_SILENT, 0, liveness->trouble);
	else if (was_known && !is_known)
		runner_tell(control, runner, EVENT_RUNNER_ALIVE, 0, "its child answers pings again");
}

void liveness_pinged(struct control *control, struct runner *runner, const struct error *err) {
	/* The timeout fired late, so this process was stalled; do not count it as missed. */
	bool late = err != NULL &&
		    control->time.now_ms - runner->liveness.ping_sent_ms > control->config.silence_ms / 3 + LATE_MS;
	bool says_nothing = late || (runner->liveness.ping == PING_STALE && err == NULL);
	liveness_set_ping(runner, PING_WAITING);
	if (says_nothing) {
		liveness_ping(control, runner);
		return;
	}
	count_ping(control, runner, err);
	if (runner->state == RUNNER_PROBING && err != NULL)
		refuse_unreachable(control, runner, err);
	else if (runner->state == RUNNER_PROBING)
		count_in(control, runner);
	else if (runner->liveness.pings_missed >= PINGS_MISSED_MAX && is_broken(runner))
		runner_lose(control, runner, &(struct cause){.why = "closed its connection"});
	else if (runner->liveness.pings_missed >= PINGS_MISSED_MAX)
		runner_give_up(control, runner, "does not answer pings");
}
