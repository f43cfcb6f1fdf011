/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the Backplane how deployments came up or ended (BackplaneService.Deployed), and does not give up while it is
 * away.
 */
#pragma once

#include "base/last_lines.h"
#include "rpc/channel.h"

struct reports {
	struct loop *loop;
	struct rpc_channel *backplane;
	const char *runner_key; /* borrowed; may be filled later */
	struct list open; /* of struct report */
	size_t count;
	/* The Backplane wants nothing of what was reported alive. */
	void (*unwanted)(struct reports *reports, const char *deployment_key);
};

/* Past this many undelivered reports the oldest is dropped. */
enum { REPORTS_MAX = 16 };

void reports_init(struct reports *reports, struct loop *loop, struct rpc_channel *backplane, const char *runner_key);
/* Drops what is not delivered. After this the loop runs on before reports may go. */
void reports_end(struct reports *reports);

struct report_options {
	const char *deployment_key;
	const struct error *error; /* NULL: it is alive */
	const struct last_lines *last_lines; /* with an error */
	uint64_t attempt; /* what DeployRequest called it */
	bool runner_fault;
	uint64_t fetch_us, start_us;
};

/* Copies all. Replaces what was to be said of the same deployment. */
void reports_send(struct reports *reports, const struct report_options *options);

static inline bool reports_are_sent(const struct reports *reports) {
	return reports->count == 0;
}
