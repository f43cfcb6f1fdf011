/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of a Runner, as the Backplane sees it. "gone" is no state: the record is freed, from every state.
 *
 *     found at the start    created
 *            │                 │
 *            ▼    registers    ▼        pong: hosts nothing
 *          FOUND ──▶ PROBING ◀── CREATING      ┌────────────▶ IDLE ◀───────────────────┐
 *            │         │  └────────────────────┘    hosts one  │ │ assigned            │ its deployment ended
 *            │         │ pong: hosts one  ┌────────────────────┘ ▼                     │
 *            │         ▼                  │                 DEPLOYING ─────────────────┤
 *            │      CLAIMING ◀────────────┘                      │ alive               │
 *            │         │  └───────────wanted of it─────────────▶ ALIVE ────────────────┤
 *            │         │ not wanted                              │                     │
 *            │         ▼        not wanted any more              │                     │
 *            │      DRAINING ◀──(PROBING, IDLE, DEPLOYING too)───┘                     │
 *            │       │  ▲ missed the end      ▲ ended before it was told to, unmanaged │
 *            │       ▼  │                     └────────────────────────────────────────┤
 *            └────▶ ENDING ────────────────ended, unmanaged────────────────────────────┘
 *       was told to end by the Backplane before
 *
 * A managed Runner that was told to end exits, and is gone by that.
 */
#pragma once

#include "control/model.h"

/* --- queries ------------------------------------------------------------------------------------------------------ */

/* The name by which people see the state. Several states share one. */
const char *runner_state_name(enum runner_state state);
bool runner_is_leaving(const struct runner *runner); /* DRAINING, ENDING */
/* The event that is told when the state is reached; 0: none, as people see no change. */
enum event_kind runner_state_event(enum runner_state state);

/* --- facts: what happened to a Runner ----------------------------------------------------------------------------- */

/* A new record. limit_ms: of its state. */
struct runner *runner_add(struct control *control, const char *key, const char *language, bool managed,
			  enum runner_state state, uint64_t limit_ms);
/* Frees the record; the Platform kills what is left of it. What became of it was told before. */
void runner_remove(struct control *control, struct runner *runner);

/* The Platform was asked for it, or found it. */
void runner_add_platform_key(struct control *control, const char *key);

/* Aborts on a transition that the diagram lacks. limit_ms 0: the state has no limit. The text is the cause. */
void runner_set_state(struct control *control, struct runner *runner, enum runner_state state, uint64_t limit_ms,
		      const char *format, ...) PRINTF_LIKE(5, 6);
void runner_tell(struct control *control, const struct runner *runner, enum event_kind kind, uint64_t retry_in_ms,
		 const char *text);
/* Call it when the limit of its state, its state or its next ping has changed. */
void runner_reschedule(struct control *control, struct runner *runner);
void runner_postpone(struct control *control, struct runner *runner, uint64_t by_ms);

/* DEPLOYING → ALIVE */
void runner_came_up(struct control *control, struct runner *runner, uint64_t fetch_us, uint64_t start_us);
/* Its deployment has ended: → IDLE; a managed Runner that is DRAINING or ENDING stays so until it exits. */
void runner_hosts_nothing(struct control *control, struct runner *runner, const char *deployment_key, const char *why);
/* ENDING → DRAINING: it was not told to end, or before it was told to host. */
void runner_missed_the_end(struct control *control, struct runner *runner);
/* The Runner refused its deployment: gone. */
void runner_refused(struct control *control, struct runner *runner, const struct error *err);
/* The Runner is gone. */
void runner_lose(struct control *control, struct runner *runner, const struct cause *cause);
/* The Runner may still run, and is of no use: gone. */
void runner_give_up(struct control *control, struct runner *runner, const char *why);
/* The limit of its state has passed. It may be gone afterwards. */
void runner_limit_passed(struct control *control, struct runner *runner);

/* --- decisions: reconciliation alone takes them ------------------------------------------------------------------- */

/* Asks the Platform for one. */
void runner_create(struct control *control, const char *language);
/* IDLE → DEPLOYING */
void runner_assign(struct control *control, struct runner *runner, struct deployment *deployment);
/* CLAIMING → ALIVE */
void runner_adopt(struct control *control, struct runner *runner, struct deployment *deployment);
/* → DRAINING; one that has not registered is gone at once. */
void runner_drain(struct control *control, struct runner *runner, const char *why);
/* DRAINING → ENDING; tells it. */
void runner_end(struct control *control, struct runner *runner);
