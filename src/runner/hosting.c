/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/hosting.h"

#include <stdio.h>

#define TO(state) (1u << (state))

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[HOSTING_NONE] = {"idle", TO(HOSTING_FETCHING)},
	[HOSTING_FETCHING] = {"fetching", TO(HOSTING_CHECKING) | TO(HOSTING_STOPPING) | TO(HOSTING_REMOVING)},
	[HOSTING_CHECKING] = {"checking", TO(HOSTING_STARTING) | TO(HOSTING_STOPPING) | TO(HOSTING_REMOVING)},
	[HOSTING_STARTING] = {"starting", TO(HOSTING_ALIVE) | TO(HOSTING_STOPPING) | TO(HOSTING_REMOVING)},
	[HOSTING_ALIVE] = {"alive", TO(HOSTING_DRAINING) | TO(HOSTING_REMOVING)},
	[HOSTING_DRAINING] = {"draining", TO(HOSTING_STOPPING) | TO(HOSTING_REMOVING)},
	[HOSTING_STOPPING] = {"stopping", TO(HOSTING_REMOVING)},
	[HOSTING_REMOVING] = {"ended", TO(HOSTING_NONE)},
};

const char *hosting_state_name(enum hosting_state state) {
	return states[state].name;
}

void hosting_move(struct hosting *hosting, enum hosting_state next) {
	ASSERT(states[hosting->state].next & TO(next));
	hosting->state = next;
}

void hosting_deinit(struct hosting *hosting) {
	last_lines_deinit(&hosting->last_lines);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

void hosting_begin(struct hosting *hosting, const char *key, uint64_t attempt) {
	hosting_move(hosting, HOSTING_FETCHING);
	*hosting = (struct hosting){.effects = hosting->effects, .state = hosting->state, .attempt = attempt};
	snprintf(hosting->key, sizeof hosting->key, "%s", key);
	hosting->effects->ops->fetch(hosting->effects, hosting);
}

static void stop(struct hosting *hosting) {
	hosting_move(hosting, HOSTING_STOPPING);
	hosting->effects->ops->stop(hosting->effects);
}

static void drain(struct hosting *hosting, uint64_t due_ms) {
	if (hosting->state == HOSTING_ALIVE) {
		error_set(&hosting->why, CODE_CANCELLED, "terminated");
		hosting_move(hosting, HOSTING_DRAINING);
		hosting->due_ms = due_ms;
	}
	hosting->due_ms = MIN(hosting->due_ms, due_ms);
	if (hosting->effects->ops->calls(hosting->effects) == 0)
		stop(hosting);
}

void hosting_terminate(struct hosting *hosting, uint64_t now_ms, uint64_t grace_ms) {
	switch (hosting->state) {
	case HOSTING_FETCHING:
	case HOSTING_CHECKING:
	case HOSTING_STARTING:
		error_set(&hosting->why, CODE_CANCELLED, "terminated while %s", hosting_state_name(hosting->state));
		stop(hosting);
		break;
	case HOSTING_ALIVE:
	case HOSTING_DRAINING:
		drain(hosting, now_ms + MIN(grace_ms, UINT64_MAX - now_ms));
		break;
	case HOSTING_NONE:
	case HOSTING_STOPPING:
	case HOSTING_REMOVING:
		break;
	}
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void hosting_fetched(struct hosting *hosting) {
	if (hosting->state != HOSTING_FETCHING)
		return;
	hosting_move(hosting, HOSTING_CHECKING);
	hosting->effects->ops->check(hosting->effects);
}

void hosting_fetch_failed(struct hosting *hosting, const struct error *err) {
	/* Another Runner, or this one a moment later, may fare better. */
	hosting->runner_fault = hosting->state == HOSTING_FETCHING && agent_code_is_passing(err->code);
	hosting_ended(hosting, err, NULL, REMAINS_NOTHING);
}

void hosting_checked(struct hosting *hosting, uint64_t fetch_us) {
	if (hosting->state != HOSTING_CHECKING)
		return;
	hosting->fetch_us = fetch_us;
	hosting_move(hosting, HOSTING_STARTING);
	hosting->effects->ops->start(hosting->effects);
}

bool hosting_alive(struct hosting *hosting, uint64_t start_us) {
	if (hosting->state != HOSTING_STARTING)
		return false;
	hosting->start_us = start_us;
	hosting_move(hosting, HOSTING_ALIVE);
	return true;
}

void hosting_idle(struct hosting *hosting) {
	if (hosting->state == HOSTING_DRAINING)
		stop(hosting);
}

void hosting_ended(struct hosting *hosting, const struct error *why, struct last_lines *last_lines,
		   enum hosting_remains remains) {
	hosting_move(hosting, HOSTING_REMOVING);
	if (hosting->why.code == CODE_OK)
		hosting->why = *why;
	hosting->remains = remains;
	if (last_lines != NULL) {
		hosting->last_lines = *last_lines;
		*last_lines = (struct last_lines){0};
	}
	hosting->effects->ops->remove(hosting->effects);
}

void hosting_removed(struct hosting *hosting) {
	hosting_move(hosting, HOSTING_NONE);
	last_lines_deinit(&hosting->last_lines);
	hosting->last_lines = (struct last_lines){0};
}

void hosting_tick(struct hosting *hosting, uint64_t now_ms) {
	if (hosting_due_ms(hosting) <= now_ms)
		stop(hosting);
}
