/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a call on its way through the router (call.c):
 *
 *                   ┌──another replica──┐
 *                   ▼                   │
 *   READING ──────▶ SENT ───────────────┘
 *      │            │  ▲
 *      │ no replica │  │ a replica came up
 *      │ can have it▼  │
 *      └──────────▶ HELD
 *
 *   SENT, HELD ──another process has taken over──▶ PASSED_ON ──refused there──▶ PASSED_ON, HELD
 *   READING, SENT, HELD, PASSED_ON ──an error of the router──▶ ANSWERED
 *   each ──the caller has its answer, or is gone──▶ ENDED, and freed
 */
#pragma once

enum call_state {
	CALL_READING, /* the first bytes of its message, until they tell the verb */
	CALL_SENT, /* a replica has it */
	CALL_HELD, /* waits for a replica */
	CALL_PASSED_ON, /* the Backplane that has taken over has it */
	CALL_ANSWERED, /* by the router, with an error; its stream is about to close */
	CALL_ENDED, /* told to the observers */
};

/* Moves to next; asserts that the diagram has the transition. */
void call_state_set(enum call_state *state, enum call_state next);
