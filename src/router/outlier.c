/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlier.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)

struct outlier *outlier_new(uint64_t seed) {
	struct outlier *outlier = mem_zalloc(sizeof *outlier);
	outlier->refs = 1;
	outlier->seed = seed;
	return outlier;
}

struct outlier *outlier_ref(struct outlier *outlier) {
	atomic_fetch_add_explicit(&outlier->refs, 1, memory_order_relaxed);
	return outlier;
}

void outlier_unref(struct outlier *outlier) {
	if (outlier != NULL && atomic_fetch_sub_explicit(&outlier->refs, 1, memory_order_acq_rel) == 1)
		free(outlier);
}

/* --- states ------------------------------------------------------------------------------------------------------- */

void outlier_check(enum outlier_state from, enum outlier_state to) {
	static const unsigned allowed[] = {
		[OUTLIER_IN] = 1u << OUTLIER_EJECTED,
		[OUTLIER_EJECTED] = 1u << OUTLIER_ON_TRIAL | 1u << OUTLIER_IN,
		[OUTLIER_ON_TRIAL] = 1u << OUTLIER_IN | 1u << OUTLIER_EJECTED | 1u << OUTLIER_ON_TRIAL,
	};
	ASSERT(allowed[from] & 1u << to);
}

static enum outlier_state state_of(uint64_t shut) {
	return (enum outlier_state)(shut & 3);
}

static uint64_t until_ms_of(uint64_t shut) {
	return shut >> 2;
}

/* Returns false when another worker made a transition since shut was read. */
static bool move(struct outlier *outlier, uint_fast64_t shut, enum outlier_state state, uint64_t until_ms) {
	outlier_check(state_of(shut), state);
	return atomic_compare_exchange_strong_explicit(&outlier->shut, &shut, until_ms << 2 | (unsigned)state,
						       memory_order_relaxed, memory_order_relaxed);
}

/* For the n-th time in a row: twice as long as before, give or take a fifth, so that not all are tried at once. */
static uint64_t time_out_ms(const struct outlier *outlier, unsigned rounds) {
	uint64_t ms = OUTLIER_OUT_FIRST_MS, state = outlier->seed + rounds;
	for (unsigned i = 1; i < rounds && ms < OUTLIER_OUT_MAX_MS; i++)
		ms *= 2;
	ms = MIN(ms, (uint64_t)OUTLIER_OUT_MAX_MS);
	return ms * 4 / 5 + random_next(&state) % (ms * 2 / 5 + 1);
}

static bool shut_out(struct outlier *outlier, uint64_t shut, enum outlier_state state, unsigned rounds,
		     uint64_t now_ms) {
	if (!move(outlier, shut, state, now_ms + time_out_ms(outlier, rounds)))
		return false;
	SET(outlier->rounds, rounds);
	return true;
}

static bool may_eject(struct outliers all) {
	size_t ejected = 0;
	for (size_t i = 0; i < all.count; i++)
		ejected += outlier_is_ejected(all.items[i]);
	return ejected < all.count / 2;
}

static void eject(struct outliers all, size_t at, enum outlier_reason reason, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	uint64_t shut = GET(outlier->shut);
	if (state_of(shut) != OUTLIER_IN || !may_eject(all))
		return;
	/* After a long good time it begins with the shortest ejection again. */
	bool anew = now_ms - GET(outlier->in_since_ms) > OUTLIER_OUT_MAX_MS;
	SET(outlier->reason, (unsigned)reason);
	shut_out(outlier, shut, OUTLIER_EJECTED, anew ? 1 : GET(outlier->rounds) + 1, now_ms);
}

static void readmit(struct outlier *outlier, uint64_t now_ms) {
	uint64_t shut;
	SET(outlier->failures, 0);
	SET(outlier->slow, 0);
	SET(outlier->average, 0);
	SET(outlier->progress_ms, now_ms);
	SET(outlier->in_since_ms, now_ms);
	do {
		shut = GET(outlier->shut);
	} while (state_of(shut) != OUTLIER_IN && !move(outlier, shut, OUTLIER_IN, 0));
}

bool outlier_try(struct outlier *outlier, uint64_t now_ms) {
	uint64_t shut = GET(outlier->shut);
	/* The time of the next round begins now: it holds when the trial fails, and when it does not end at all. */
	return state_of(shut) != OUTLIER_IN && until_ms_of(shut) <= now_ms &&
	       shut_out(outlier, shut, OUTLIER_ON_TRIAL, GET(outlier->rounds) + 1, now_ms);
}

static void fail_trial(struct outlier *outlier, enum outlier_reason reason) {
	uint64_t shut = GET(outlier->shut);
	SET(outlier->reason, (unsigned)reason);
	if (state_of(shut) == OUTLIER_ON_TRIAL)
		move(outlier, shut, OUTLIER_EJECTED, until_ms_of(shut));
}

/* --- how calls end ------------------------------------------------------------------------------------------------ */

/* What calls take at the quickest of the others, in 1/16 ms; UINT64_MAX: none of them has answered any. */
static uint64_t best_of_others(struct outliers all, size_t at) {
	uint64_t best = UINT64_MAX;
	for (size_t i = 0; i < all.count; i++) {
		unsigned average = GET(all.items[i]->average);
		if (i != at && average != 0 && !outlier_is_ejected(all.items[i]))
			best = MIN(best, (uint64_t)average - 1);
	}
	return best;
}

static bool is_far_slower(struct outliers all, size_t at, uint64_t took_ms, uint64_t min_ms) {
	if (took_ms < min_ms)
		return false;
	uint64_t best = best_of_others(all, at);
	return best != UINT64_MAX && took_ms * 16 >= best * OUTLIER_SLOW_FACTOR;
}

static void average_in(struct outlier *outlier, uint64_t took_ms) {
	unsigned sample = (unsigned)MIN(took_ms, (uint64_t)1 << 24) * 16, before = GET(outlier->average);
	unsigned after = before == 0 ? sample : before - 1 - (before - 1) / 8 + sample / 8;
	if (after + 1 != before)
		SET(outlier->average, after + 1);
}

static void count_slow(struct outliers all, size_t at, uint64_t now_ms) {
	unsigned slow = GET(all.items[at]->slow) + 1;
	SET(all.items[at]->slow, slow);
	if (slow >= OUTLIER_SLOW_MAX)
		eject(all, at, OUTLIER_SLOW, now_ms);
}

void outlier_sent(struct outlier *outlier, size_t under_way, uint64_t now_ms) {
	if (under_way == 0)
		SET(outlier->progress_ms, now_ms);
}

void outlier_check_progress(struct outliers all, size_t at, uint64_t now_ms) {
	uint64_t progress_ms = GET(all.items[at]->progress_ms);
	if (now_ms < progress_ms + OUTLIER_STUCK_MS || outlier_is_ejected(all.items[at]))
		return;
	bool others_go_on = false;
	for (size_t i = 0; i < all.count; i++)
		others_go_on |= i != at && GET(all.items[i]->progress_ms) > progress_ms;
	if (others_go_on && is_far_slower(all, at, now_ms - progress_ms, OUTLIER_STUCK_MS))
		eject(all, at, OUTLIER_STUCK, now_ms);
}

/* A call that began before the replica was ejected says nothing of how it does now. */
static bool began_before(const struct outlier *outlier, bool trial) {
	return !trial && outlier_is_ejected(outlier);
}

void outlier_failed(struct outliers all, size_t at, bool trial, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	SET(outlier->progress_ms, now_ms);
	if (began_before(outlier, trial))
		return;
	unsigned failures = GET(outlier->failures) + 1;
	SET(outlier->failures, failures);
	if (trial)
		fail_trial(outlier, OUTLIER_FAILED);
	else if (failures >= OUTLIER_FAILURES_MAX)
		eject(all, at, OUTLIER_FAILED, now_ms);
}

void outlier_answered(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	SET(outlier->progress_ms, now_ms);
	if (began_before(outlier, trial))
		return;
	bool slow = is_far_slower(all, at, took_ms, OUTLIER_SLOW_MIN_MS);
	if (trial && !slow)
		readmit(outlier, now_ms);
	else if (trial)
		fail_trial(outlier, OUTLIER_SLOW);
	if (GET(outlier->failures) != 0)
		SET(outlier->failures, 0);
	average_in(outlier, took_ms);
	if (slow)
		count_slow(all, at, now_ms);
	else if (GET(outlier->slow) != 0)
		SET(outlier->slow, 0);
}

void outlier_given_up(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms) {
	if (began_before(all.items[at], trial) || !is_far_slower(all, at, took_ms, OUTLIER_GIVEN_UP_MIN_MS))
		return;
	average_in(all.items[at], took_ms);
	if (trial)
		fail_trial(all.items[at], OUTLIER_SLOW);
	count_slow(all, at, now_ms);
}

/* --- for people --------------------------------------------------------------------------------------------------- */

void outlier_text(const struct outlier *outlier, uint64_t now_ms, char ret_text[OUTLIER_TEXT_MAX]) {
	uint64_t shut = GET(outlier->shut), until_ms = until_ms_of(shut);
	char time[TIME_TEXT_MAX + 4] = "until a call has tried it", why[64] = "";
	ret_text[0] = '\0';
	if (state_of(shut) == OUTLIER_IN)
		return;
	if (until_ms > now_ms)
		snprintf(time, sizeof time, "for %" PRIu64 " s", (until_ms - now_ms + 999) / 1000);
	switch ((enum outlier_reason)GET(outlier->reason)) {
	case OUTLIER_FAILED:
		snprintf(why, sizeof why, "%u calls in a row failed", GET(outlier->failures));
		break;
	case OUTLIER_SLOW:
		snprintf(why, sizeof why, "%u calls in a row were far slower than at the others", GET(outlier->slow));
		break;
	case OUTLIER_STUCK:
		snprintf(why, sizeof why, "calls are under way there, and none has ended for %d s",
			 OUTLIER_STUCK_MS / 1000);
		break;
	}
	snprintf(ret_text, OUTLIER_TEXT_MAX, "left out %s: %s", time, why);
}
