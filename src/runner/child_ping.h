/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a child that came alive still answers. Its Runner goes on sending it VerbService.Ping; this decides what a
 * missed answer means. Pure.
 *
 *                 ┌──an answer──────────────────┐
 *                 ▼                             │
 *   ANSWERING ──CHILD_PINGS_MISSED_MAX missed──▶ BUSY ──another missed──▶ HUNG
 *        └───────────────────the same, and it has no reason────────────────▲
 *
 * A child with calls in progress may have a reason to miss a Ping: many servers take one call after the other, so that
 * Ping waits for the calls before it. Such a child is BUSY: that is told, and it stays. A child hangs that has no
 * reason: one that is stopped by a signal, whatever is in progress there, and one without a call in progress. A call
 * whose caller has left still counts for CHILD_ABANDONED_MS, as the child may not have noticed yet. A child that used
 * the processor meanwhile has a reason up to CHILD_PINGS_MISSED_WORKING: it does work of its own, or the machine is
 * overloaded, and a restart would only add to that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHILD_PINGS_MISSED_MAX = 3, /* in a row */
	CHILD_PINGS_MISSED_WORKING = 15,
	CHILD_ABANDONED_MS = 60000,
	CHILD_PING_LATE_MS = 500,
};

enum child_state { CHILD_ANSWERING, CHILD_BUSY, CHILD_HUNG };

struct child_ping {
	uint64_t every_ms; /* also the time for an answer; 0: the child is not pinged */

	enum child_state state;
	uint64_t sent_ms;
	unsigned missed; /* in a row */
	uint64_t abandoned_ms; /* when the last caller left before its answer, since the last Ping was answered; 0: none
				*/
};

/* A Ping is sent. */
void child_ping_sent(struct child_ping *ping, uint64_t now_ms);

/* The child answered it. Returns whether it was BUSY. */
bool child_ping_answered(struct child_ping *ping);

/* What the child does that misses a Ping. */
struct child_activity {
	size_t calls; /* in progress there */
	bool is_stopped; /* by a signal */
	bool has_worked; /* it used the processor since the Ping before */
};

/* The child did not answer a Ping. Returns its state afterwards. */
enum child_state child_ping_missed(struct child_ping *ping, uint64_t now_ms, const struct child_activity *activity);

/* Whether the answer's timeout fired so late that this process was stalled, or the whole machine; the child is not to
 * blame then, and the Ping does not count. */
bool child_ping_is_late(const struct child_ping *ping, uint64_t now_ms);

/* The caller of a call in progress has left. */
void child_ping_abandoned(struct child_ping *ping, uint64_t now_ms);

/* When the next one is sent. */
uint64_t child_ping_due_ms(const struct child_ping *ping);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void child_ping_move(enum child_state *state, enum child_state next);
