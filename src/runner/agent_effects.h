/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Runner's state machines (agent.h) do to the world: a seam. src/runner/runner_effects.c is the real
 * implementation, tests/sim/runners.c the simulated one.
 *
 * Each effect returns at once and calls nothing of the agent. Its result comes later, as one of the agent's events.
 * What is passed is borrowed during the call.
 */
#pragma once

#include <stdbool.h>

#include "base/log.h"

struct hosting;
struct registrar;
struct report;

struct agent_effects {
	const struct agent_effects_ops *ops;
};

struct agent_effects_ops {
	uint64_t (*random)(struct agent_effects *effects);
	void (*log)(struct agent_effects *effects, enum log_level level, const char *text);

	/* The registration's stream, of which there is at most one. Opens it with the registrar's language, endpoint,
	 * key and said_hosted: agent_accepted or agent_stream_closed follows. */
	void (*open_stream)(struct agent_effects *effects, const struct registrar *registrar);
	/* Tells the Backplane that the Runner leaves: agent_stream_closed follows. */
	void (*half_close_stream)(struct agent_effects *effects);
	/* Gives the stream up: no event follows. */
	void (*drop_stream)(struct agent_effects *effects, const char *why);

	/* BackplaneService.Deployed: agent_report_answered follows with the report's send_id, within the timeout. */
	void (*send_report)(struct agent_effects *effects, struct report *report, uint64_t timeout_ms);
	/* Gives up sending it: no event follows. */
	void (*cancel_report)(struct agent_effects *effects, struct report *report);

	/* The deployment, one step after the other. */
	void (*fetch)(struct agent_effects *effects, const struct hosting *hosting); /* agent_fetched, _fetch_failed */
	void (*check)(struct agent_effects *effects); /* agent_checked: the digests are right */
	void (*start)(struct agent_effects *effects); /* agent_alive */
	/* Ends the step that is under way or what runs. agent_host_ended follows, as it does when a step fails or what
	 * runs ends by itself. */
	void (*stop)(struct agent_effects *effects);
	void (*remove)(struct agent_effects *effects); /* agent_removed: its folder is gone */
	size_t (*calls)(struct agent_effects *effects); /* in progress. agent_idle follows when the last one ends. */

	/* The end of the Runner: sends what waits in the log, tells whether all is sent, and ends the process. */
	void (*say_last_words)(struct agent_effects *effects);
	bool (*has_said_all)(struct agent_effects *effects);
	void (*exit)(struct agent_effects *effects);
};

/* Writes a line to the Runner's own log. */
void agent_log(struct agent_effects *effects, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether the same request may succeed a moment later, or at another Runner. */
bool agent_code_is_passing(enum code code);
