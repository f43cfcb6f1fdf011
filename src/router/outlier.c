/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlier.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

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

/* --- leaving out -------------------------------------------------------------------------------------------------- */

/* For the n-th time in a row: twice as long as before, give or take a fifth, so that not all are tried at once. */
static uint64_t time_out_ms(const struct outlier *outlier, unsigned rounds) {
	uint64_t ms = OUTLIER_OUT_FIRST_MS;
	for (unsigned i = 1; i < rounds && ms < OUTLIER_OUT_MAX_MS; i++)
		ms *= 2;
	ms = MIN(ms, (uint64_t)OUTLIER_OUT_MAX_MS);
	uint64_t mixed = (outlier->seed + rounds) * 0x9E3779B97F4A7C15u;
	return ms * 4 / 5 + (mixed >> 32) % (ms * 2 / 5 + 1);
}

/* The CAS lets one of several workers in, each time. */
static bool go_out(struct outlier *outlier, uint_fast64_t before, unsigned rounds, uint64_t now_ms) {
	uint_fast64_t until_ms = now_ms + time_out_ms(outlier, rounds);
	if (!atomic_compare_exchange_strong_explicit(&outlier->out_until_ms, &before, until_ms, memory_order_relaxed,
						     memory_order_relaxed))
		return false;
	SET(outlier->rounds, rounds);
	return true;
}

static bool may_leave_out(struct outliers all) {
	size_t out = 0;
	for (size_t i = 0; i < all.count; i++)
		out += outlier_is_out(all.items[i]);
	return out < all.count / 2;
}

static void leave_out(struct outliers all, size_t at, enum outlier_reason reason, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	if (outlier_is_out(outlier) || !may_leave_out(all))
		return;
	/* What it did long ago is forgiven. */
	bool anew = now_ms - GET(outlier->in_since_ms) > OUTLIER_OUT_MAX_MS;
	SET(outlier->reason, (unsigned)reason);
	go_out(outlier, 0, anew ? 1 : GET(outlier->rounds) + 1, now_ms);
}

static void take_in(struct outlier *outlier, uint64_t now_ms) {
	SET(outlier->failures, 0);
	SET(outlier->slow, 0);
	SET(outlier->average, 0);
	SET(outlier->progress_ms, now_ms);
	SET(outlier->in_since_ms, now_ms);
	SET(outlier->out_until_ms, 0);
}

bool outlier_try(struct outlier *outlier, uint64_t now_ms) {
	uint_fast64_t until_ms = GET(outlier->out_until_ms);
	/* Out for longer at once: a call that does not come back is no good sign either. */
	return until_ms != 0 && until_ms <= now_ms && go_out(outlier, until_ms, GET(outlier->rounds) + 1, now_ms);
}

/* --- what calls tell ---------------------------------------------------------------------------------------------- */

/* At the quickest of the others, in 1/16 ms; UINT64_MAX: nothing is known. */
static uint64_t best_of_others(struct outliers all, size_t at) {
	uint64_t best = UINT64_MAX;
	for (size_t i = 0; i < all.count; i++) {
		unsigned average = GET(all.items[i]->average);
		if (i != at && average != 0 && !outlier_is_out(all.items[i]))
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
		leave_out(all, at, OUTLIER_SLOW, now_ms);
}

void outlier_sent(struct outlier *outlier, size_t under_way, uint64_t now_ms) {
	if (under_way == 0)
		SET(outlier->progress_ms, now_ms);
}

void outlier_look(struct outliers all, size_t at, uint64_t now_ms) {
	uint64_t progress_ms = GET(all.items[at]->progress_ms);
	if (now_ms < progress_ms + OUTLIER_STUCK_MS || outlier_is_out(all.items[at]))
		return;
	bool others_go_on = false;
	for (size_t i = 0; i < all.count; i++)
		others_go_on |= i != at && GET(all.items[i]->progress_ms) > progress_ms;
	if (others_go_on && is_far_slower(all, at, now_ms - progress_ms, OUTLIER_STUCK_MS))
		leave_out(all, at, OUTLIER_STUCK, now_ms);
}

/* A call that began before the replica was left out says nothing of how it is now. */
static bool is_of_before(const struct outlier *outlier, bool trial) {
	return !trial && outlier_is_out(outlier);
}

void outlier_failed(struct outliers all, size_t at, bool trial, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	SET(outlier->progress_ms, now_ms);
	if (is_of_before(outlier, trial))
		return;
	unsigned failures = GET(outlier->failures) + 1;
	SET(outlier->failures, failures);
	if (trial)
		SET(outlier->reason, (unsigned)OUTLIER_FAILED);
	else if (failures >= OUTLIER_FAILURES_MAX)
		leave_out(all, at, OUTLIER_FAILED, now_ms);
}

void outlier_answered(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms) {
	struct outlier *outlier = all.items[at];
	SET(outlier->progress_ms, now_ms);
	if (is_of_before(outlier, trial))
		return;
	bool slow = is_far_slower(all, at, took_ms, OUTLIER_SLOW_MIN_MS);
	if (trial && !slow)
		take_in(outlier, now_ms);
	if (GET(outlier->failures) != 0)
		SET(outlier->failures, 0);
	average_in(outlier, took_ms);
	if (slow)
		count_slow(all, at, now_ms);
	else if (GET(outlier->slow) != 0)
		SET(outlier->slow, 0);
}

void outlier_given_up(struct outliers all, size_t at, bool trial, uint64_t took_ms, uint64_t now_ms) {
	if (is_of_before(all.items[at], trial) || !is_far_slower(all, at, took_ms, OUTLIER_GIVEN_UP_MIN_MS))
		return;
	average_in(all.items[at], took_ms);
	if (trial)
		SET(all.items[at]->reason, (unsigned)OUTLIER_SLOW);
	count_slow(all, at, now_ms);
}

/* --- for people --------------------------------------------------------------------------------------------------- */

void outlier_text(const struct outlier *outlier, uint64_t now_ms, char ret_text[OUTLIER_TEXT_MAX]) {
	uint64_t until_ms = GET(outlier->out_until_ms);
	char time[TIME_TEXT_MAX + 4] = "until a call has tried it", why[64] = "";
	ret_text[0] = '\0';
	if (until_ms == 0)
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
