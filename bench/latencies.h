/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies of calls at a fixed rate, each from the moment at which the call was due. A call that starts late because
 * earlier ones were slow counts with its delay, so that a stall is not hidden (no coordinated omission).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct latencies {
	uint64_t rate; /* calls a second */
	uint64_t start_ns, period_ns;
	size_t count, skipped; /* the first calls are a warm-up */
	uint32_t *ns; /* by call; each thread sets those of its own calls */
};

uint64_t latencies_now_ns(void);

/* The first call is due in a millisecond. The memory is never freed. */
void latencies_init(struct latencies *latencies, uint64_t rate, uint64_t seconds, uint64_t warm_up);

static inline uint64_t latencies_due_ns(const struct latencies *latencies, size_t call) {
	return latencies->start_ns + call * latencies->period_ns;
}

/* Records that the response to a call has come. */
void latencies_set(struct latencies *latencies, size_t call);

/* Prints one line of JSON: microseconds, by percentile. Once, as it sorts them. */
void latencies_print(struct latencies *latencies, size_t failed);
