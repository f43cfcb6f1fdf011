/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a replica answers beside the other replicas of its module, and whether calls pass it over for a while.
 *
 *   IN ──calls in a row that fail, that are far slower than at the others, or that do not end──▶ EJECTED for a time
 *   ▲                                                                                              │     ▲
 *   │                                                         the time is over: one call tries it  │     │ fails,
 *   │                                                                                              ▼     │ or slow
 *   └──────────────────────────────answers well───────────────────────────────────────────────── ON_TRIAL
 *
 * A trial that does not end by the next, doubled time leaves the replica to another trial: ON_TRIAL → ON_TRIAL. The
 * late answer of an earlier trial readmits as well: EJECTED → IN.
 *
 * At most half of the replicas of a module are ejected, so never the only one. Each worker counts with relaxed atomics
 * and without a lock: when two count at once one count may be lost, which puts a decision off by a call. State and time
 * are one atomic, so that one of several workers makes a transition.
 *
 * Time is passed in, in milliseconds.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/macros.h"

enum {
	OUTLIER_FAILURES_MAX = 5, /* calls in a row that do not reach it, or are lost with it */
	OUTLIER_SLOW_MAX = 5, /* calls in a row that take SLOW_MIN_MS and SLOW_FACTOR times what they take elsewhere */
	OUTLIER_SLOW_MIN_MS = 250,
	OUTLIER_GIVEN_UP_MIN_MS = 25, /* in place of SLOW_MIN_MS for a call that its caller gave up */
	OUTLIER_SLOW_FACTOR = 10,
	OUTLIER_STUCK_MS =
		2000, /* calls are under way there and none has ended for so long, while others did elsewhere */
	OUTLIER_OUT_FIRST_MS = 1000, /* give or take a fifth */
	OUTLIER_OUT_MAX_MS = 30000,
	OUTLIER_TEXT_MAX = 160,
};

enum outlier_state { OUTLIER_IN, OUTLIER_EJECTED, OUTLIER_ON_TRIAL };

enum outlier_reason { OUTLIER_FAILED, OUTLIER_SLOW, OUTLIER_STUCK };

struct outlier {
	atomic_uint refs;
	atomic_uint under_way; /* calls, of all workers */
	uint64_t seed; /* of the spread of its times */
	atomic_uint failures, slow; /* in a row */
	atomic_uint
		average; /* of what calls take, in 1/16 ms, and 1; 0: none has ended. The last one counts an eighth */
	atomic_uint rounds; /* times that it was ejected or tried in vain since it last did well for OUT_MAX_MS */
	atomic_uint reason; /* enum outlier_reason, of the last ejection */
	atomic_uint_fast64_t shut; /* four times the end of the ejection in ms, and enum outlier_state; 0: IN */
	atomic_uint_fast64_t in_since_ms;
	atomic_uint_fast64_t progress_ms; /* when a call ended last, or one was sent while none was under way */
};

/* The replicas of a module; each is named by its place. */
struct outliers {
	struct outlier *const *items;
	size_t count;
};

struct outlier *outlier_new(uint64_t seed);
struct outlier *outlier_ref(struct outlier *outlier);
void outlier_unref(struct outlier *outlier); /* takes NULL */

/* EJECTED or ON_TRIAL. */
static inline bool outlier_is_ejected(const struct outlier *outlier) {
	return atomic_load_explicit(&outlier->shut, memory_order_relaxed) != 0;
}

/* To ON_TRIAL, when its time is over: this caller and no other is to try it with one call. */
bool outlier_try(struct outlier *outlier, uint64_t now_ms);

/* Counts a call that goes there, and one that has come back. */
static inline void outlier_enter(struct outlier *outlier) {
	atomic_fetch_add_explicit(&outlier->under_way, 1, memory_order_relaxed);
}
static inline void outlier_leave(struct outlier *outlier) {
	atomic_fetch_sub_explicit(&outlier->under_way, 1, memory_order_relaxed);
}
static inline unsigned outlier_under_way(const struct outlier *outlier) {
	return atomic_load_explicit(&outlier->under_way, memory_order_relaxed);
}

/* A call is about to be sent there; under_way: how many others are there. */
void outlier_sent(struct outlier *outlier, size_t under_way, uint64_t now_ms);

/* Calls are under way there: ejects it when none has ended for OUTLIER_STUCK_MS. */
void outlier_check_progress(struct outliers all, size_t at, uint64_t now_ms);

/* A call ended. trial: outlier_try chose the replica. One that its caller gave up tells only that it took so long. */
void outlier_failed(struct outliers all, size_t at, bool trial, uint64_t now_ms);
void outlier_answered(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);
void outlier_given_up(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);

/* "left out for 2 s: 5 calls in a row failed"; empty: it is in. */
void outlier_text(const struct outlier *outlier, uint64_t now_ms, char ret_text[OUTLIER_TEXT_MAX]);

/* Asserts that the diagram has the transition. */
void outlier_check(enum outlier_state from, enum outlier_state to);
