/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long calls took that were due at a fixed rate, each from the moment that it was due. A call that is late because
 * those before it were slow counts with its wait, so a stall is not hidden by the calls that it kept from being made.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct latencies {
	uint64_t rate; /* calls in a second */
	uint64_t start_ns, period_ns;
	size_t count, skipped; /* the first calls are a warm-up */
	uint32_t *ns; /* by call; several threads may each set those of their own calls */
};

uint64_t latencies_now_ns(void);

/* The first call is due in a millisecond. The memory stays until the end of the program. */
void latencies_init(struct latencies *latencies, uint64_t rate, uint64_t seconds, uint64_t warm_up);

static inline uint64_t latencies_due_ns(const struct latencies *latencies, size_t call) {
	return latencies->start_ns + call * latencies->period_ns;
}

/* The answer to a call is there. */
void latencies_set(struct latencies *latencies, size_t call);

/* Prints one line of JSON: microseconds, by percentile. Once, as it sorts them. */
void latencies_print(struct latencies *latencies, size_t failed);
