/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Runner's side of the control plane: what it says to the Backplane and when, what it does with an order while
 * something else is under way, and when the process ends. Pure: events come in by the functions below, effects go out
 * by struct agent_effects, time is passed in by agent_advance before each event, and randomness by an effect. So the
 * very same code runs in tests/sim.
 *
 *   SERVING ──a signal, Terminate, refused, orphaned, a shared object's end──▶ STOPPING
 *                                                                               │ nothing is hosted
 *   ENDED ◀──all is said, or it takes too long── FINISHING ◀────────────────────┘
 *
 * The registration (registrar.h), the deployment (hosting.h) and each report (reports.h) have machines of their own,
 * which the agent owns. A Runner whose hosting is NONE is idle.
 */
#pragma once

#include "runner/hosting.h"
#include "runner/registrar.h"
#include "runner/reports.h"

enum {
	/* Between two pings on the connection to the Backplane, which is gone when it is silent for twice as long. */
	RUNNER_KEEPALIVE_MS = 2000,
	AGENT_STOP_GRACE_MS = 30000, /* for calls in progress, when it is not the Backplane that ends the Runner */
	AGENT_FINISHING_MAX_MS = 1000, /* for the last words */
	AGENT_FINISHING_POLL_MS = 5,
};

enum agent_state { AGENT_SERVING, AGENT_STOPPING, AGENT_FINISHING, AGENT_ENDED };

struct agent_options {
	const char *backplane; /* endpoint of the Backplane, for messages */
	const char *language;
	const char *endpoint; /* the Runner's own */
	const char *key; /* NULL: the Backplane makes one */
	bool managed; /* a Backplane started it, and tells itself what happens to it */
	uint64_t orphan_timeout_ms;
	struct agent_effects *effects;
};

struct agent {
	struct agent_options options; /* its texts are the owner's and outlive the agent */
	struct agent_effects *effects;
	uint64_t now_ms;
	enum agent_state state;
	struct registrar registrar;
	struct hosting hosting;
	struct reports reports;
	uint64_t finishing_until_ms, finishing_poll_ms;
	struct error failure; /* why the Backplane refused the Runner; CODE_OK: it did not */
};

void agent_init(struct agent *agent, const struct agent_options *options, uint64_t now_ms);
/* Registers for the first time. */
void agent_begin(struct agent *agent);
/* Gives up what is under way. */
void agent_deinit(struct agent *agent);

/* Sets the time of the events that follow. */
void agent_advance(struct agent *agent, uint64_t now_ms);
/* After each event: does what is due, and returns when something is due next (UINT64_MAX: never). */
uint64_t agent_tick(struct agent *agent);

/* --- orders ------------------------------------------------------------------------------------------------------- */

/* RunnerService.Deploy. The same order again is one order; its attempt counts for the reports to come. */
int agent_deploy(struct agent *agent, const char *deployment_key, uint64_t attempt, struct error *err);

/* RunnerService.Terminate. deployment_key "": the Runner itself. */
int agent_terminate(struct agent *agent, const char *deployment_key, uint64_t grace_ms, struct error *err);

/* A signal that ends the Runner. A second one that is an order (net/stop_signals.h) leaves calls in progress no time.
 */
void agent_signalled(struct agent *agent, const char *name, bool is_order);

/* --- results of effects ------------------------------------------------------------------------------------------- */

void agent_accepted(struct agent *agent, struct str key);
/* why NULL: the stream ended in order. */
void agent_stream_closed(struct agent *agent, const struct error *why);
void agent_report_answered(struct agent *agent, uint64_t send_id, const struct error *err);

void agent_fetched(struct agent *agent);
void agent_fetch_failed(struct agent *agent, const struct error *err);
void agent_checked(struct agent *agent, uint64_t fetch_us);
void agent_alive(struct agent *agent, uint64_t start_us);
void agent_idle(struct agent *agent);
void agent_host_ended(struct agent *agent, const struct error *why, struct last_lines *last_lines,
		      enum hosting_remains remains);
void agent_removed(struct agent *agent);

/* --- queries ------------------------------------------------------------------------------------------------------ */

/* A key that can name a folder. */
int agent_check_key(const char *key, struct error *err);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void agent_move(struct agent *agent, enum agent_state next);
