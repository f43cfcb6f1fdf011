/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the Backplane how deployments came up or ended (BackplaneService.Deployed), and tries again while it is away.
 * Pure: part of the agent.
 *
 * A report:
 *               ┌──a passing error──▶ WAITING
 *   (new)──▶ SENDING ◀──delay over──────┘│
 *               │ answered               │ replaced, dropped
 *               ▼                        ▼
 *             freed                    freed
 */
#pragma once

#include "base/arena.h"
#include "base/last_lines.h"
#include "base/list.h"
#include "base/random.h"
#include "runner/agent_effects.h"

enum {
	REPORTS_MAX = 16, /* past this many undelivered reports the oldest is dropped */
	REPORT_RETRY_FIRST_MS = 50,
	REPORT_RETRY_LAST_MS = 1000,
	REPORT_ANSWER_MAX_MS = 5000,
};

enum report_state { REPORT_WAITING, REPORT_SENDING };

struct report {
	struct list link;
	enum report_state state;
	struct arena arena;
	const char *deployment_key;
	uint64_t attempt; /* what DeployRequest called the order */
	const char *error; /* NULL: it is alive */
	const char **last_lines; /* with an error */
	size_t line_count;
	bool runner_fault;
	uint64_t fetch_us, start_us;
	uint64_t send_id; /* of the last attempt to send it */
	uint64_t due_ms; /* WAITING: the next attempt */
	uint64_t delay_ms;
	void *sending; /* the effects' own, while SENDING */
};

struct reports {
	struct agent_effects *effects;
	struct list open; /* of struct report, oldest first */
	size_t count;
	uint64_t last_send_id;
};

void reports_init(struct reports *reports, struct agent_effects *effects);
/* Drops what is not delivered. */
void reports_deinit(struct reports *reports);

struct report_options {
	const char *deployment_key;
	uint64_t attempt;
	const struct error *error; /* NULL: it is alive */
	const struct last_lines *last_lines; /* with an error */
	bool runner_fault;
	uint64_t fetch_us, start_us;
};

/* Copies all. Replaces an undelivered report on the same deployment. */
void reports_send(struct reports *reports, const struct report_options *options);

/* Returns true, and the deployment's key, when the Backplane wants nothing of what was reported alive. */
bool reports_answered(struct reports *reports, uint64_t now_ms, uint64_t send_id, const struct error *err,
		      char ret_unwanted[KEY_MAX]);

void reports_tick(struct reports *reports, uint64_t now_ms);
uint64_t reports_due_ms(const struct reports *reports); /* UINT64_MAX: never */

static inline bool reports_are_sent(const struct reports *reports) {
	return reports->count == 0;
}

/* The one place where the state of a report changes. Aborts when the diagram has no such arrow. */
void report_move(struct report *report, enum report_state next);
