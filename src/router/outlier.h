/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a replica has done of late, and whether calls leave it out for a while.
 *
 *   IN ──calls in a row that fail, that are far slower than at the others, or that do not end──▶ OUT for a time
 *    ▲                                                                          │    ▲
 *    └─────────────────────────the one call that tries it goes well─────────────┴────┘ it does not: for twice the time
 *
 * At most half of the replicas of a module are left out, so never the only one. Each worker counts with relaxed atomics
 * and without a lock: when two count at once one may be lost, which puts a decision off by a call.
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
	OUTLIER_GIVEN_UP_MIN_MS = 25, /* instead of that, of a call that nobody waits for any more */
	OUTLIER_SLOW_FACTOR = 10,
	OUTLIER_STUCK_MS = 2000, /* calls are under way there, and not one has ended, while others did elsewhere */
	OUTLIER_OUT_FIRST_MS = 1000, /* give or take a fifth */
	OUTLIER_OUT_MAX_MS = 30000,
	OUTLIER_TEXT_MAX = 160,
};

enum outlier_reason { OUTLIER_FAILED, OUTLIER_SLOW, OUTLIER_STUCK };

struct outlier {
	atomic_uint refs;
	atomic_uint under_way; /* calls, of all workers */
	uint64_t seed; /* of the spread of its times */
	atomic_uint failures, slow; /* in a row */
	atomic_uint
		average; /* of what calls take, in 1/16 ms, and 1; 0: none has ended. The last one counts an eighth */
	atomic_uint rounds; /* times that it was left out, since it last did well for long */
	atomic_uint reason; /* enum outlier_reason, of the last time */
	atomic_uint_fast64_t out_until_ms; /* 0: it is in */
	atomic_uint_fast64_t in_since_ms;
	atomic_uint_fast64_t progress_ms; /* when a call ended last, or one was sent while none was under way */
};

/* The replicas of a module; which of them is meant is told by its place. */
struct outliers {
	struct outlier *const *items;
	size_t count;
};

struct outlier *outlier_new(uint64_t seed);
struct outlier *outlier_ref(struct outlier *outlier);
void outlier_unref(struct outlier *outlier); /* takes NULL */

static inline bool outlier_is_out(const struct outlier *outlier) {
	return atomic_load_explicit(&outlier->out_until_ms, memory_order_relaxed) != 0;
}

/* Its time is over, and this caller, no other, is to try it with one call. */
bool outlier_try(struct outlier *outlier, uint64_t now_ms);

/* A call goes there, and has come back. */
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

/* Calls are under way at it: whether it is to be left out as nothing comes back. */
void outlier_look(struct outliers all, size_t at, uint64_t now_ms);

/* A call ended. trial: outlier_try chose it. One that was given up by its caller says only that it took so long. */
void outlier_failed(struct outliers all, size_t at, bool trial, uint64_t now_ms);
void outlier_answered(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);
void outlier_given_up(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);

/* "left out for 2 s: 5 calls in a row failed"; empty: it is in. */
void outlier_text(const struct outlier *outlier, uint64_t now_ms, char ret_text[OUTLIER_TEXT_MAX]);
