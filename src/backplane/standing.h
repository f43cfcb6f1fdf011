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
	STANDING_FAILURES_MAX = 5, /* calls in a row that do not reach it, or are lost with it */
	STANDING_SLOW_MAX = 5, /* calls in a row that take SLOW_MIN_MS and SLOW_FACTOR times what they take elsewhere */
	STANDING_SLOW_MIN_MS = 250,
	STANDING_GIVEN_UP_MIN_MS = 25, /* instead of that, of a call that nobody waits for any more */
	STANDING_SLOW_FACTOR = 10,
	STANDING_STUCK_MS = 2000, /* calls are under way there, and not one has ended, while others did elsewhere */
	STANDING_OUT_FIRST_MS = 1000, /* give or take a fifth */
	STANDING_OUT_MAX_MS = 30000,
	STANDING_TEXT_MAX = 160,
};

enum standing_reason { STANDING_FAILED, STANDING_SLOW, STANDING_STUCK };

struct standing {
	atomic_uint refs;
	atomic_uint under_way; /* calls, of all workers */
	uint64_t seed; /* of the spread of its times */
	atomic_uint failures, slow; /* in a row */
	atomic_uint
		average; /* of what calls take, in 1/16 ms, and 1; 0: none has ended. The last one counts an eighth */
	atomic_uint rounds; /* times that it was left out, since it last did well for long */
	atomic_uint reason; /* enum standing_reason, of the last time */
	atomic_uint_fast64_t out_until_ms; /* 0: it is in */
	atomic_uint_fast64_t in_since_ms;
	atomic_uint_fast64_t progress_ms; /* when a call ended last, or one was sent while none was under way */
};

/* The replicas of a module; which of them is meant is told by its place. */
struct standings {
	struct standing *const *items;
	size_t count;
};

struct standing *standing_new(uint64_t seed);
struct standing *standing_ref(struct standing *standing);
void standing_unref(struct standing *standing); /* takes NULL */

static inline bool standing_is_out(const struct standing *standing) {
	return atomic_load_explicit(&standing->out_until_ms, memory_order_relaxed) != 0;
}

/* Its time is over, and this caller, no other, is to try it with one call. */
bool standing_try(struct standing *standing, uint64_t now_ms);

/* A call goes there, and has come back. */
static inline void standing_enter(struct standing *standing) {
	atomic_fetch_add_explicit(&standing->under_way, 1, memory_order_relaxed);
}
static inline void standing_leave(struct standing *standing) {
	atomic_fetch_sub_explicit(&standing->under_way, 1, memory_order_relaxed);
}
static inline unsigned standing_under_way(const struct standing *standing) {
	return atomic_load_explicit(&standing->under_way, memory_order_relaxed);
}

/* A call is about to be sent there; under_way: how many others are there. */
void standing_sent(struct standing *standing, size_t under_way, uint64_t now_ms);

/* Calls are under way at it: whether it is to be left out as nothing comes back. */
void standing_look(struct standings all, size_t at, uint64_t now_ms);

/* A call ended. trial: standing_try chose it. One that was given up by its caller says only that it took so long. */
void standing_failed(struct standings all, size_t at, bool trial, uint64_t now_ms);
void standing_answered(struct standings all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);
void standing_given_up(struct standings all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms);

/* "left out for 2 s: 5 calls in a row failed"; empty: it is in. */
void standing_text(const struct standing *standing, uint64_t now_ms, char ret_text[STANDING_TEXT_MAX]);
