/* SPDX-License-Identifier: Apache-2.0 */
#include "latencies.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/macros.h"
#include "base/memory.h"

enum { NS_IN_SECOND = 1000000000 };

uint64_t latencies_now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_SECOND + (uint64_t)now.tv_nsec;
}

void latencies_init(struct latencies *latencies, uint64_t rate, uint64_t seconds, uint64_t warm_up) {
	size_t count = (warm_up + seconds) * rate;
	*latencies = (struct latencies){
		.rate = rate,
		.start_ns = latencies_now_ns() + 1000000,
		.period_ns = NS_IN_SECOND / rate,
		.count = count,
		.skipped = MIN(warm_up * rate, count - 1),
		.ns = mem_zalloc(count * sizeof *latencies->ns),
	};
}

void latencies_set(struct latencies *latencies, size_t call) {
	uint64_t latency = latencies_now_ns() - latencies_due_ns(latencies, call);
	latencies->ns[call] = (uint32_t)MIN(latency, (uint64_t)UINT32_MAX);
}

static int compare(const void *a, const void *b) {
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static double percentile(const uint32_t *sorted, size_t count, double part) {
	return sorted[MIN((size_t)((double)count * part), count - 1)] / 1000.0;
}

void latencies_print(struct latencies *latencies, size_t failed) {
	size_t count = latencies->count - latencies->skipped;
	uint32_t *sorted = latencies->ns + latencies->skipped;
	qsort(sorted, count, sizeof *sorted, compare);
	printf("{\"calls\": %zu, \"failed\": %zu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
	       count, failed, percentile(sorted, count, 0.5), percentile(sorted, count, 0.9),
	       percentile(sorted, count, 0.99), percentile(sorted, count, 0.999), percentile(sorted, count, 1));
}
