/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/registrar.h"

#include <stdio.h>

#include "base/clock.h"

#define TO(state) (1u << (state))

void registrar_move(struct registrar *registrar, enum registrar_state next) {
	static const unsigned allowed[] = {
		[REGISTRAR_WAITING] = TO(REGISTRAR_OPENING) | TO(REGISTRAR_ENDED),
		[REGISTRAR_OPENING] = TO(REGISTRAR_ACCEPTED) | TO(REGISTRAR_WAITING) | TO(REGISTRAR_ENDED),
		[REGISTRAR_ACCEPTED] = TO(REGISTRAR_WAITING) | TO(REGISTRAR_LEAVING) | TO(REGISTRAR_ENDED),
		[REGISTRAR_LEAVING] = TO(REGISTRAR_ENDED),
		[REGISTRAR_ENDED] = 0,
	};
	ASSERT(allowed[registrar->state] & TO(next));
	registrar->state = next;
}

static void open_stream(struct registrar *registrar, uint64_t now_ms) {
	registrar_move(registrar, REGISTRAR_OPENING);
	snprintf(registrar->said_hosted, sizeof registrar->said_hosted, "%s", hosting_alive_key(registrar->hosting));
	registrar->due_ms = now_ms + REGISTRAR_OPENING_MAX_MS;
	registrar->effects->ops->open_stream(registrar->effects, registrar);
}

static void wait(struct registrar *registrar, uint64_t until_ms) {
	registrar_move(registrar, REGISTRAR_WAITING);
	registrar->due_ms = until_ms;
}

/* Between half and all of the delay, so that Runners do not come back all at once. */
static void wait_to_retry(struct registrar *registrar, uint64_t now_ms, uint64_t last_ms) {
	registrar->delay_ms = MIN(MAX(registrar->delay_ms * 2, (uint64_t)REGISTRAR_RETRY_FIRST_MS), last_ms);
	uint64_t half = registrar->delay_ms / 2;
	wait(registrar, now_ms + half + registrar->effects->ops->random(registrar->effects) % (half + 1));
}

void registrar_start(struct registrar *registrar, uint64_t now_ms) {
	registrar->orphan_due_ms = now_ms + registrar->orphan_timeout_ms;
	open_stream(registrar, now_ms);
}

/* A Backplane that restarts is away for a moment: a failure that lasts is a warning, and so that a line each attempt
 * does not fill the log, the next warning comes later. */
static void tell_trouble(struct registrar *registrar, uint64_t now_ms, const char *why) {
	if (registrar->trouble_since_ms == 0) {
		registrar->trouble_since_ms = now_ms;
		registrar->tell_due_ms = now_ms + REGISTRAR_TELL_FIRST_MS;
	}
	bool is_due = registrar->tell_due_ms <= now_ms;
	char lasted[TIME_TEXT_MAX];
	duration_format(lasted, (int64_t)(now_ms - registrar->trouble_since_ms));
	agent_log(registrar->effects, is_due ? LOG_WARN : LOG_DEBUG,
		  "not registered with the Backplane for %s, and tries again: %s", lasted, why);
	if (is_due)
		registrar->tell_due_ms = now_ms + REGISTRAR_TELL_AGAIN_MS;
}

static void give_up_opening(struct registrar *registrar, uint64_t now_ms) {
	static const char why[] = "the Backplane did not accept the registration in time";
	registrar->effects->ops->drop_stream(registrar->effects, why);
	tell_trouble(registrar, now_ms, why);
	wait_to_retry(registrar, now_ms, REGISTRAR_RETRY_LAST_MS);
}

uint64_t registrar_due_ms(const struct registrar *registrar) {
	bool has_limit = registrar->state == REGISTRAR_WAITING || registrar->state == REGISTRAR_OPENING;
	return has_limit ? MIN(registrar->due_ms, registrar->orphan_due_ms) : UINT64_MAX;
}

bool registrar_tick(struct registrar *registrar, uint64_t now_ms) {
	bool is_due = registrar_due_ms(registrar) <= now_ms;
	if (is_due && registrar->orphan_due_ms <= now_ms) {
		registrar->orphan_due_ms = UINT64_MAX;
		return true;
	}
	if (is_due && registrar->state == REGISTRAR_WAITING)
		open_stream(registrar, now_ms);
	else if (is_due)
		give_up_opening(registrar, now_ms);
	return false;
}

/* --- the stream's events ------------------------------------------------------------------------------------------ */

bool registrar_accepted(struct registrar *registrar, uint64_t now_ms, struct str key) {
	bool has_changed = registrar->said_hosted[0] != '\0' &&
			   strcmp(registrar->said_hosted, hosting_alive_key(registrar->hosting)) != 0;
	if (has_changed) {
		/* What came alive since would be reported; what ended cannot be taken back. */
		registrar->effects->ops->drop_stream(registrar->effects, "what the Runner hosts has changed");
		wait_to_retry(registrar, now_ms, REGISTRAR_RETRY_LAST_MS);
		return false;
	}
	if (registrar->key[0] == '\0' && key.len > 0 && key.len < KEY_MAX)
		snprintf(registrar->key, sizeof registrar->key, "%.*s", STR_ARG(key));
	registrar_move(registrar, REGISTRAR_ACCEPTED);
	registrar->was_accepted = true;
	registrar->accepted_ms = now_ms;
	registrar->orphan_due_ms = UINT64_MAX;
	return true;
}

/* Whether the Backplane would refuse the next attempt as well. */
static bool is_final(const struct registrar *registrar, enum code code) {
	if (code == CODE_ALREADY_EXISTS)
		/* A Backplane that has not yet seen the last connection break takes this Runner for another one. */
		return !registrar->was_accepted;
	return code == CODE_FAILED_PRECONDITION || code == CODE_INVALID_ARGUMENT || code == CODE_PERMISSION_DENIED ||
	       code == CODE_UNAUTHENTICATED || code == CODE_UNIMPLEMENTED;
}

/* The delay goes on growing, as if the stream had not been accepted. */
static void lost_at_once(struct registrar *registrar, uint64_t now_ms, const struct error *why) {
	struct error err;
	if (why != NULL)
		error_set(&err, why->code, "the Backplane accepted the Runner and was lost at once: %s", why->msg);
	else
		error_set(
			&err, CODE_UNAVAILABLE,
			"the Backplane accepted the Runner, and it or a proxy before it ended the registration at once");
	registrar->is_unstable = true;
	tell_trouble(registrar, now_ms, err.msg);
	/* A Backplane that died is back in a moment, and its calls wait for what this Runner hosts. */
	wait_to_retry(registrar, now_ms, why != NULL ? REGISTRAR_RETRY_LAST_MS : REGISTRAR_UNSTABLE_LAST_MS);
}

static void lost(struct registrar *registrar, uint64_t now_ms, const struct error *why) {
	registrar->orphan_due_ms = now_ms + registrar->orphan_timeout_ms;
	if (now_ms - registrar->accepted_ms < REGISTRAR_STABLE_MS) {
		lost_at_once(registrar, now_ms, why);
		return;
	}
	registrar->delay_ms = 0;
	registrar->trouble_since_ms = 0;
	registrar->is_unstable = false;
	if (why == NULL) {
		agent_log(registrar->effects, LOG_INFO, "another Backplane takes over");
		wait(registrar, now_ms);
	} else {
		agent_log(registrar->effects, LOG_WARN, "lost the Backplane: %s", why->msg);
		wait_to_retry(registrar, now_ms, REGISTRAR_RETRY_LAST_MS);
	}
}

bool registrar_stream_closed(struct registrar *registrar, uint64_t now_ms, const struct error *why) {
	if (registrar->state == REGISTRAR_LEAVING) {
		registrar_move(registrar, REGISTRAR_ENDED);
	} else if (registrar->state == REGISTRAR_ACCEPTED) {
		lost(registrar, now_ms, why);
	} else if (why != NULL && is_final(registrar, why->code)) {
		registrar_move(registrar, REGISTRAR_ENDED);
		return false;
	} else {
		tell_trouble(registrar, now_ms, why != NULL ? why->msg : "the stream was ended");
		wait_to_retry(registrar, now_ms, REGISTRAR_RETRY_LAST_MS);
	}
	return true;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void registrar_leave(struct registrar *registrar) {
	if (registrar->state == REGISTRAR_ACCEPTED) {
		registrar_move(registrar, REGISTRAR_LEAVING);
		registrar->effects->ops->half_close_stream(registrar->effects);
	} else if (registrar->state != REGISTRAR_LEAVING) {
		registrar_end(registrar);
	}
}

void registrar_end(struct registrar *registrar) {
	bool is_open = registrar->state == REGISTRAR_OPENING || registrar->state == REGISTRAR_ACCEPTED ||
		       registrar->state == REGISTRAR_LEAVING;
	if (registrar->state == REGISTRAR_ENDED)
		return;
	registrar_move(registrar, REGISTRAR_ENDED);
	if (is_open)
		registrar->effects->ops->drop_stream(registrar->effects, "the Runner goes");
}
