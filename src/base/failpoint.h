/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints simulate a crash at a named place: FTL_FAILPOINT=NAME[:N] kills the process when it reaches that place for
 * the N-th time (default 1). Each is a place at which a crash could lose something; crash tests arm them.
 *
 * No failpoint is on the path of a call. An unarmed one costs a comparison.
 */
#pragma once

#include "base/error.h"

enum failpoint {
	/* A transaction of the store: before its commit, and right after. */
	FAILPOINT_STORE_MIGRATE_COMMITTING,
	FAILPOINT_STORE_MIGRATE_COMMITTED,
	FAILPOINT_STORE_ACQUIRE_COMMITTING,
	FAILPOINT_STORE_ACQUIRE_COMMITTED,
	FAILPOINT_STORE_CREATE_COMMITTING,
	FAILPOINT_STORE_CREATE_COMMITTED,
	FAILPOINT_STORE_SWITCH_COMMITTING, /* a deployment and its module */
	FAILPOINT_STORE_SWITCH_COMMITTED,
	FAILPOINT_STORE_STATE_COMMITTING, /* a deployment */
	FAILPOINT_STORE_STATE_COMMITTED,
	FAILPOINT_STORE_MODULE_COMMITTING, /* a module */
	FAILPOINT_STORE_MODULE_COMMITTED,
	FAILPOINT_STORE_EVENTS_COMMITTING, /* events alone */
	FAILPOINT_STORE_EVENTS_COMMITTED,
	FAILPOINT_ARTEFACT_OPENED,
	FAILPOINT_ARTEFACT_WRITTEN,
	FAILPOINT_ARTEFACT_SYNCED,
	FAILPOINT_ARTEFACT_RENAMED,
	FAILPOINT_ARTEFACT_PLACED,
	FAILPOINT_ARTEFACT_ANSWERING,
	FAILPOINT_FILE_SYNCED, /* a small file beside its place, as of a pid */
	FAILPOINT_START_LOADED,
	FAILPOINT_CREATE_WRITTEN,
	FAILPOINT_CREATE_APPLIED,
	FAILPOINT_CREATE_ANSWERING,
	FAILPOINT_RUNNER_CREATING,
	FAILPOINT_RUNNER_STARTED, /* before the pid file is written */
	FAILPOINT_RUNNER_NAMED,
	FAILPOINT_RUNNER_ACCEPTED,
	FAILPOINT_RUNNER_EXITED,
	FAILPOINT_DEPLOY_SENT,
	FAILPOINT_DEPLOY_ANSWERED,
	FAILPOINT_REPLICA_REPORTED,
	FAILPOINT_REPLICA_ALIVE,
	FAILPOINT_ROUTES_PUBLISHING,
	FAILPOINT_ROUTES_PUBLISHED,
	FAILPOINT_TERMINATE_SENT,
	FAILPOINT_TERMINATE_ANSWERED,
	FAILPOINT_SCALE_APPLIED,
	FAILPOINT_SCALE_ANSWERING,
	FAILPOINT_ROLLBACK_APPLIED,
	FAILPOINT_ROLLBACK_ANSWERING,
	FAILPOINT_KILL_APPLIED,
	FAILPOINT_KILL_ANSWERING,
	FAILPOINT_EVENTS_WRITTEN,
	FAILPOINT_COUNT,
};

extern int failpoint_armed; /* FAILPOINT_COUNT: none */

void failpoint_pass(void);

static inline void failpoint(enum failpoint point) {
	if (__builtin_expect(failpoint_armed == (int)point, 0))
		failpoint_pass();
}

/* Called before threads are started. The error names near failpoints, or all. */
int failpoint_arm(const char *text, struct error *err);

const char *failpoint_name(enum failpoint point);
