/* SPDX-License-Identifier: Apache-2.0 */
#include "router/stats_observer.h"

#include "router/verb_stats.h"

/* The token: the counts of the call's verb, of this worker. While nothing of the module is active its verbs have none;
 * a call that is held meanwhile is counted as soon as they have. */
static struct verb_counts *count(const struct call_info *call, void **token) {
	struct verb_stats *stats = *token == NULL ? route_module_stats(call->module, call->place) : NULL;
	if (stats != NULL)
		*token = verb_stats_begin(stats, call->worker);
	return *token;
}

static void on_begin(const struct call_observer *observer UNUSED, const struct call_info *call,
		     const struct http_headers *received UNUSED, void **token) {
	count(call, token);
}

static void on_attempt(const struct call_observer *observer UNUSED, const struct call_info *call,
		       const struct route_replica *replica UNUSED, const struct http_headers *added UNUSED,
		       void **token) {
	count(call, token);
}

static void on_end(const struct call_observer *observer UNUSED, const struct call_info *call,
		   const struct call_outcome *outcome, void **token) {
	struct verb_counts *counts = count(call, token);
	if (counts != NULL)
		verb_counts_end(counts, outcome->status, outcome->verb_failed, outcome->took_us);
}

const struct call_observer stats_observer = {.begin = on_begin, .attempt = on_attempt, .end = on_end};
