/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deployment on this Runner, from the order to host it until nothing is left of it. Pure: part of the agent.
 *
 *   NONE ──order──▶ FETCHING ──files there──▶ CHECKING ──digests right──▶ STARTING ──answers Ping──▶ ALIVE
 *    ▲                 │ terminate               │ terminate                 │ terminate             │ terminate
 *    │                 ▼                         ▼                           ▼                       ▼
 *    │              STOPPING ◀──────────────────────────────────────────────────no calls, grace── DRAINING
 *    │                 │
 *    │                 │ ended
 *    └──folder gone── REMOVING ◀──ended, failed── every state but NONE
 */
#pragma once

#include "base/last_lines.h"
#include "base/random.h"
#include "runner/agent_effects.h"

enum hosting_state {
	HOSTING_NONE,
	HOSTING_FETCHING,
	HOSTING_CHECKING,
	HOSTING_STARTING,
	HOSTING_ALIVE,
	HOSTING_DRAINING, /* takes no new calls */
	HOSTING_STOPPING,
	HOSTING_REMOVING,
};

/* What is left of the code in the Runner's process after its end. */
enum hosting_remains {
	REMAINS_NOTHING,
	REMAINS_CODE, /* a shared object stays loaded: no later deployment shall meet what it left */
	REMAINS_THREADS, /* and some of it still runs, until the process ends */
};

struct hosting {
	struct agent_effects *effects;

	enum hosting_state state;
	char key[KEY_MAX];
	uint64_t attempt; /* what the Backplane called the order; reports name it */
	uint64_t due_ms; /* DRAINING: the end of the grace */
	uint64_t fetch_us, start_us;

	/* How it ended. */
	struct error why; /* CODE_OK: it has not, and was not terminated */
	bool runner_fault; /* it could not be fetched just now */
	enum hosting_remains remains;
	struct last_lines last_lines;
};

/* The fields above the first empty line are set; the rest is zero. */
void hosting_deinit(struct hosting *hosting);

/* In NONE: starts to fetch it. */
void hosting_begin(struct hosting *hosting, const char *key, uint64_t attempt);

/* Ends it: at once where it takes no calls yet, and otherwise when those in progress are answered, or after the grace.
 * A further order can only shorten the grace. */
void hosting_terminate(struct hosting *hosting, uint64_t now_ms, uint64_t grace_ms);

/* Events. What arrives in another state than the diagram has it in is ignored. */
void hosting_fetched(struct hosting *hosting);
void hosting_fetch_failed(struct hosting *hosting, const struct error *err);
void hosting_checked(struct hosting *hosting, uint64_t fetch_us);
bool hosting_alive(struct hosting *hosting, uint64_t start_us); /* true: it is ALIVE now */
void hosting_idle(struct hosting *hosting);
/* Takes the lines, which may be NULL. */
void hosting_ended(struct hosting *hosting, const struct error *why, struct last_lines *last_lines,
		   enum hosting_remains remains);
void hosting_removed(struct hosting *hosting);
void hosting_tick(struct hosting *hosting, uint64_t now_ms);

static inline uint64_t hosting_due_ms(const struct hosting *hosting) {
	return hosting->state == HOSTING_DRAINING ? hosting->due_ms : UINT64_MAX;
}

/* The key of the deployment that takes calls; "" for none. */
static inline const char *hosting_alive_key(const struct hosting *hosting) {
	return hosting->state == HOSTING_ALIVE ? hosting->key : "";
}

/* It was terminated, or has failed. */
static inline bool hosting_is_ending(const struct hosting *hosting) {
	return hosting->state > HOSTING_ALIVE;
}

/* "fetching", "alive", … */
const char *hosting_state_name(enum hosting_state state);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void hosting_move(struct hosting *hosting, enum hosting_state next);
