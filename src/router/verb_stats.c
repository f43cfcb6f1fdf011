/* SPDX-License-Identifier: Apache-2.0 */
#include "router/verb_stats.h"

#include <stdlib.h>

#include "base/memory.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
/* Not atomic as a whole: there is one writer. */
#define ADD(field, value) atomic_store_explicit(&(field), GET(field) + (value), memory_order_relaxed)

struct verb_stats {
	atomic_uint refs;
	uint32_t worker_count;
	_Atomic(struct verb_counts *) workers[];
};

/* --- buckets ------------------------------------------------------------------------------------------------------ */

/* 0, 1, 2, 3, then four for each power of two. */
size_t verb_bucket(uint64_t us) {
	if (us < 4)
		return (size_t)us;
	unsigned power = 63 - (unsigned)__builtin_clzll(us);
	size_t bucket = (power - 1) * 4 + (size_t)(us >> (power - 2) & 3);
	return MIN(bucket, (size_t)VERB_BUCKETS - 1);
}

uint64_t verb_bucket_end(size_t bucket) {
	if (bucket < 4)
		return bucket + 1;
	return (uint64_t)(bucket % 4 + 5) << (bucket / 4 - 1);
}

/* --- counting ----------------------------------------------------------------------------------------------------- */

struct verb_stats *verb_stats_new(size_t workers) {
	struct verb_stats *stats = mem_zalloc(sizeof *stats + workers * sizeof stats->workers[0]);
	stats->refs = 1;
	stats->worker_count = (uint32_t)workers;
	return stats;
}

struct verb_stats *verb_stats_ref(struct verb_stats *stats) {
	atomic_fetch_add_explicit(&stats->refs, 1, memory_order_relaxed);
	return stats;
}

void verb_stats_unref(struct verb_stats *stats) {
	if (stats == NULL || atomic_fetch_sub_explicit(&stats->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < stats->worker_count; i++)
		free(GET(stats->workers[i]));
	free(stats);
}

struct verb_counts *verb_stats_begin(struct verb_stats *stats, size_t worker) {
	ASSERT(worker < stats->worker_count);
	struct verb_counts *counts = GET(stats->workers[worker]);
	if (counts == NULL) {
		counts = mem_zalloc(sizeof *counts);
		counts->stats = stats;
		/* A reader must not see it before it is zeroed. */
		atomic_store_explicit(&stats->workers[worker], counts, memory_order_release);
	}
	ADD(counts->begun, 1);
	verb_stats_ref(stats);
	return counts;
}

void verb_counts_end(struct verb_counts *counts, enum code status, bool verb_failed, uint64_t took_us) {
	/* A reader that sees the call's end sees its begin. */
	atomic_store_explicit(&counts->ended[status], GET(counts->ended[status]) + 1, memory_order_release);
	if (verb_failed)
		ADD(counts->failed, 1);
	ADD(counts->sum_us, took_us);
	if (took_us > GET(counts->max_us))
		atomic_store_explicit(&counts->max_us, took_us, memory_order_relaxed);
	ADD(counts->buckets[verb_bucket(took_us)], 1);
	verb_stats_unref(counts->stats);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void add_counts(const struct verb_counts *counts, struct verb_summary *sum) {
	for (size_t i = 0; i < CODE_COUNT; i++) {
		uint64_t ended = atomic_load_explicit(&counts->ended[i], memory_order_acquire);
		sum->ended[i] += ended;
		sum->finished += ended;
	}
	/* Read after the ends, so that begun - finished is never below 0. */
	sum->begun += GET(counts->begun);
	sum->failed += GET(counts->failed);
	sum->sum_us += GET(counts->sum_us);
	sum->max_us = MAX(sum->max_us, (uint64_t)GET(counts->max_us));
	for (size_t i = 0; i < VERB_BUCKETS; i++)
		sum->buckets[i] += GET(counts->buckets[i]);
}

void verb_stats_read(const struct verb_stats *stats, struct verb_summary *ret_summary) {
	struct verb_summary sum = {0};
	for (size_t i = 0; i < stats->worker_count; i++) {
		const struct verb_counts *counts = atomic_load_explicit(&stats->workers[i], memory_order_acquire);
		if (counts != NULL)
			add_counts(counts, &sum);
	}
	*ret_summary = sum;
}

/* The middle of the bucket that it falls into; the longest call, which is known, for shares that only that one fills.
 */
uint64_t verb_summary_percentile(const struct verb_summary *summary, double share) {
	uint64_t total = 0, seen = 0;
	for (size_t i = 0; i < VERB_BUCKETS; i++)
		total += summary->buckets[i];
	if (total > 0 && share * (double)total > (double)(total - 1))
		return summary->max_us;
	for (size_t i = 0; total > 0 && i < VERB_BUCKETS; i++) {
		seen += summary->buckets[i];
		if ((double)seen < share * (double)total || summary->buckets[i] == 0)
			continue;
		uint64_t begin = i > 0 ? verb_bucket_end(i - 1) : 0;
		return MIN((begin + verb_bucket_end(i) - 1) / 2, summary->max_us);
	}
	return 0;
}
