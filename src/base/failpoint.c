/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"

int failpoint_armed = FAILPOINT_COUNT;
static atomic_ullong passes_left;

static const char *const names[FAILPOINT_COUNT] = {
	[FAILPOINT_STORE_MIGRATE_COMMITTING] = "store-migrate-committing",
	[FAILPOINT_STORE_MIGRATE_COMMITTED] = "store-migrate-committed",
	[FAILPOINT_STORE_ACQUIRE_COMMITTING] = "store-acquire-committing",
	[FAILPOINT_STORE_ACQUIRE_COMMITTED] = "store-acquire-committed",
	[FAILPOINT_STORE_CREATE_COMMITTING] = "store-create-committing",
	[FAILPOINT_STORE_CREATE_COMMITTED] = "store-create-committed",
	[FAILPOINT_STORE_SWITCH_COMMITTING] = "store-switch-committing",
	[FAILPOINT_STORE_SWITCH_COMMITTED] = "store-switch-committed",
	[FAILPOINT_STORE_STATE_COMMITTING] = "store-state-committing",
	[FAILPOINT_STORE_STATE_COMMITTED] = "store-state-committed",
	[FAILPOINT_STORE_MODULE_COMMITTING] = "store-module-committing",
	[FAILPOINT_STORE_MODULE_COMMITTED] = "store-module-committed",
	[FAILPOINT_STORE_EVENTS_COMMITTING] = "store-events-committing",
	[FAILPOINT_STORE_EVENTS_COMMITTED] = "store-events-committed",
	[FAILPOINT_ARTEFACT_OPENED] = "artefact-opened",
	[FAILPOINT_ARTEFACT_WRITTEN] = "artefact-written",
	[FAILPOINT_ARTEFACT_SYNCED] = "artefact-synced",
	[FAILPOINT_ARTEFACT_RENAMED] = "artefact-renamed",
	[FAILPOINT_ARTEFACT_PLACED] = "artefact-placed",
	[FAILPOINT_ARTEFACT_ANSWERING] = "artefact-answering",
	[FAILPOINT_FILE_SYNCED] = "file-synced",
	[FAILPOINT_START_LOADED] = "start-loaded",
	[FAILPOINT_CREATE_WRITTEN] = "create-written",
	[FAILPOINT_CREATE_APPLIED] = "create-applied",
	[FAILPOINT_CREATE_ANSWERING] = "create-answering",
	[FAILPOINT_RUNNER_CREATING] = "runner-creating",
	[FAILPOINT_RUNNER_STARTED] = "runner-started",
	[FAILPOINT_RUNNER_NAMED] = "runner-named",
	[FAILPOINT_RUNNER_ACCEPTED] = "runner-accepted",
	[FAILPOINT_RUNNER_EXITED] = "runner-exited",
	[FAILPOINT_DEPLOY_SENT] = "deploy-sent",
	[FAILPOINT_DEPLOY_ANSWERED] = "deploy-answered",
	[FAILPOINT_REPLICA_REPORTED] = "replica-reported",
	[FAILPOINT_REPLICA_ALIVE] = "replica-alive",
	[FAILPOINT_ROUTES_PUBLISHING] = "routes-publishing",
	[FAILPOINT_ROUTES_PUBLISHED] = "routes-published",
	[FAILPOINT_TERMINATE_SENT] = "terminate-sent",
	[FAILPOINT_TERMINATE_ANSWERED] = "terminate-answered",
	[FAILPOINT_SCALE_APPLIED] = "scale-applied",
	[FAILPOINT_SCALE_ANSWERING] = "scale-answering",
	[FAILPOINT_ROLLBACK_APPLIED] = "rollback-applied",
	[FAILPOINT_ROLLBACK_ANSWERING] = "rollback-answering",
	[FAILPOINT_KILL_APPLIED] = "kill-applied",
	[FAILPOINT_KILL_ANSWERING] = "kill-answering",
	[FAILPOINT_EVENTS_WRITTEN] = "events-written",
};

const char *failpoint_name(enum failpoint point) {
	return names[point];
}

void failpoint_pass(void) {
	if (atomic_fetch_sub(&passes_left, 1) != 1)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Whether a name shares its first word with wanted, or is spelt alike. */
static bool is_near(const char *name, struct str wanted) {
	struct str rest, kind = str_cut(str_from(name), '-', &rest);
	return str_starts_with(wanted, kind) || str_distance(wanted, str_from(name), 7) < 7;
}

static int refuse(struct str wanted, struct error *err) {
	char near[512] = "";
	size_t used = 0;
	for (int i = 0; i < FAILPOINT_COUNT && used < sizeof near; i++)
		if (is_near(names[i], wanted))
			used += (size_t)snprintf(near + used, sizeof near - used, "%s%s", used > 0 ? ", " : "",
						 names[i]);
	return error_set(err, CODE_INVALID_ARGUMENT,
			 "FTL_FAILPOINT names no failpoint: \"%.*s\"%s%s; FTL_FAILPOINT=list lists all",
			 (int)MIN(wanted.len, (size_t)80), wanted.ptr, used > 0 ? "; near it: " : "", near);
}

int failpoint_arm(const char *text, struct error *err) {
	struct str times, wanted = str_cut(str_from(text), ':', &times);
	uint64_t pass = 1;
	if (times.ptr != NULL && (!str_to_u64(times, &pass) || pass == 0))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "FTL_FAILPOINT is \"%.80s\"; it must be NAME or NAME:N, N from 1", text);
	for (int i = 0; i < FAILPOINT_COUNT; i++) {
		if (!str_eq_c(wanted, names[i]))
			continue;
		atomic_store(&passes_left, pass);
		failpoint_armed = i;
		return 0;
	}
	return refuse(wanted, err);
}
