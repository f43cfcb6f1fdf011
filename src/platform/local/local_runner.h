/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process of one Runner, from its start until its files are removed:
 *
 *   spawned, found ──▶ RUNNING ──SIGKILL sent──▶ ENDING
 *                       │  │                       │
 *     the platform      │  │ exit, could not be    │ exit
 *     closes            │  │ started               ▼
 *                       │  └───────────────────▶ CLEANING ──what it left is removed──▶ CLOSING ──▶ freed
 *                       └───────────────────────────────────────────────────────────────▲
 *
 * Work that blocks on the disk runs on libuv's pool, one piece at a time, so that the pid file is written before it is
 * removed.
 */
#pragma once

#include <sys/types.h>

#include "base/list.h"
#include "base/random.h"
#include "platform/platform.h"

enum local_runner_state {
	LOCAL_RUNNER_RUNNING,
	LOCAL_RUNNER_ENDING, /* the platform waits for the exit, also when it closes */
	LOCAL_RUNNER_CLEANING, /* ended, or could not be started: reads the last lines and removes the files */
	LOCAL_RUNNER_CLOSING, /* the handle is closing; the process may run on */
};

enum { LOCAL_RUNNER_STATE_COUNT = 4 };

struct local_runner;

/* The Runners of a platform, and the data that they share. */
struct local_runners {
	struct loop *loop;
	const char *folder; /* the run folder; borrowed */
	struct list all;
	/* The Runner has ended: its why and lines are set. It is freed in a later turn. */
	void (*ended)(struct local_runners *runners, struct local_runner *runner);
	/* A Runner was freed, and is no longer in `all`. */
	void (*freed)(struct local_runners *runners);
};

struct local_runner {
	struct list link; /* in all */
	struct local_runners *runners;
	char key[KEY_MAX];
	enum local_runner_state state;
	pid_t pid; /* 0: the Runner could not be started */
	struct {
		uv_process_t child; /* of a Runner that this process started */
		uv_poll_t poll; /* of pidfd, for a Runner that was found: it is not a child of this process */
		int pidfd; /* -1: a child */
		bool closed;
	} handle;
	struct {
		uv_work_t request;
		bool in_progress;
		bool failed; /* the pid file could not be written; err says why */
		struct error err;
	} work;
	char why[256]; /* the cause of its exit */
	struct last_lines lines;
	bool left_something; /* the work folder is not empty, so processes of its deployments may be left, too */
};

/* Starts a Runner. If the start fails, `ended` is called in a later turn. */
struct local_runner *local_runner_spawn(struct local_runners *runners, const struct runner_spec *spec,
					const struct runner_settings *settings);
/* Watches a Runner that was found; takes the pidfd. */
struct local_runner *local_runner_watch(struct local_runners *runners, const char *key, pid_t pid, int pidfd);

/* RUNNING → ENDING; does nothing in other states. */
void local_runner_kill(struct local_runner *runner);
/* RUNNING → CLOSING, and the process runs on; does nothing in other states. */
void local_runner_leave(struct local_runner *runner);

/* Asserts that the table allows it. */
void local_runner_set_state(struct local_runner *runner, enum local_runner_state state);
