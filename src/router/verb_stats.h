/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of the calls of one verb: how many, how they ended, how long they took.
 *
 * Each worker has counts of its own, made with its first call of the verb. Only that worker writes them, without locks
 * and without instructions that lock. A reader on any thread adds up the counts of all workers at any time, and may see
 * a call in one number and not yet in another.
 *
 * Times are in microseconds, in buckets of a quarter of a power of two: a percentile is off by an eighth at most. The
 * longest time is exact, and so is each percentile of a single call.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

enum { VERB_BUCKETS = 128 }; /* the last one takes what is longer than an hour */

struct verb_stats;

struct verb_counts {
	struct verb_stats *stats; /* that they belong to */
	atomic_uint_fast64_t begun;
	atomic_uint_fast64_t ended[CODE_COUNT]; /* by status, as the caller got it */
	atomic_uint_fast64_t failed; /* those of them with CODE_OK whose answer is an error of the verb */
	atomic_uint_fast64_t sum_us, max_us;
	atomic_uint_fast64_t buckets[VERB_BUCKETS];
};

/* All workers together. */
struct verb_summary {
	uint64_t begun, ended[CODE_COUNT], failed;
	uint64_t finished; /* the sum of ended */
	uint64_t sum_us, max_us;
	uint64_t buckets[VERB_BUCKETS];
};

struct verb_stats *verb_stats_new(size_t workers);
struct verb_stats *verb_stats_ref(struct verb_stats *stats);
void verb_stats_unref(struct verb_stats *stats); /* takes NULL */

/* Counts a call that begins, on the thread of that worker, counted from 0. The counts keep stats alive until
 * verb_counts_end, which each call needs. */
struct verb_counts *verb_stats_begin(struct verb_stats *stats, size_t worker);
void verb_counts_end(struct verb_counts *counts, enum code status, bool verb_failed, uint64_t took_us);

/* From any thread. */
void verb_stats_read(const struct verb_stats *stats, struct verb_summary *ret_summary);

/* What share (0 to 1) of the calls took at most so many microseconds; 0 when none has ended. */
uint64_t verb_summary_percentile(const struct verb_summary *summary, double share);

/* The bucket of a time, and the first time that is past a bucket. */
size_t verb_bucket(uint64_t us);
uint64_t verb_bucket_end(size_t bucket);
