/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the calls of one verb: how many, how they ended, how long they took.
 *
 * Each worker has counts of its own, made with its first call of the verb. It alone writes them, without locks and
 * without instructions that lock; whoever reads them adds them up, at any time, and may see a call that is counted
 * here and not yet there.
 *
 * Times are in microseconds, in buckets of a quarter of a power of two: a percentile is off by an eighth at most.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

enum { VERB_BUCKETS = 128 }; /* the last one takes what is longer than an hour */

struct verb_counts {
	atomic_uint_fast64_t begun;
	atomic_uint_fast64_t ended[CODE_COUNT]; /* by the status that the caller got */
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

struct verb_stats;

struct verb_stats *verb_stats_new(size_t workers);
struct verb_stats *verb_stats_ref(struct verb_stats *stats);
void verb_stats_unref(struct verb_stats *stats); /* takes NULL */

/* A call begins; what it gives lives as long as stats. On the thread of that worker, counted from 0. */
struct verb_counts *verb_stats_begin(struct verb_stats *stats, size_t worker);
void verb_counts_end(struct verb_counts *counts, enum code status, bool verb_failed, uint64_t took_us);

/* From any thread. */
void verb_stats_read(const struct verb_stats *stats, struct verb_summary *ret_summary);

/* What share (0 to 1) of the calls took at most so many microseconds; 0 when none has ended. */
uint64_t verb_summary_percentile(const struct verb_summary *summary, double share);

/* The bucket of a time, and the first time that is past a bucket. */
size_t verb_bucket(uint64_t us);
uint64_t verb_bucket_end(size_t bucket);
