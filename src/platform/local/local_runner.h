/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process of one Runner, from its start until what it left is removed:
 *
 *   spawned, found ──▶ RUNNING ──SIGKILL sent──▶ ENDING
 *                       │  │                       │
 *     the platform      │  │ exit, could not be    │ exit
 *     closes            │  │ started               ▼
 *                       │  └───────────────────▶ CLEANING ──what it left is removed──▶ CLOSING ──▶ freed
 *                       └───────────────────────────────────────────────────────────────▲
 *
 * What waits for the disk runs on libuv's pool, one piece of work at a time: a Runner's pid file is written before it
 * is removed.
 */
#pragma once

#include <sys/types.h>

#include "base/list.h"
#include "base/random.h"
#include "platform/platform.h"

enum local_runner_state {
	LOCAL_RUNNER_RUNNING,
	LOCAL_RUNNER_ENDING, /* its exit is waited for, also when the platform closes */
	LOCAL_RUNNER_CLEANING, /* it ended, or never began: its last words are read, its files removed */
	LOCAL_RUNNER_CLOSING, /* its handle closes; the process may run on */
};

enum { LOCAL_RUNNER_STATE_COUNT = 4 };

struct local_runner;

/* The Runners of a platform, and what they share. */
struct local_runners {
	struct loop *loop;
	const char *folder; /* the run folder; borrowed */
	struct list all;
	/* The Runner has ended, as why and lines say; it is freed in a later turn. */
	void (*ended)(struct local_runners *runners, struct local_runner *runner);
	/* A Runner was freed, and is not in `all` any more. */
	void (*freed)(struct local_runners *runners);
};

struct local_runner {
	struct list link; /* in all */
	struct local_runners *runners;
	char key[KEY_MAX];
	enum local_runner_state state;
	pid_t pid; /* 0: the Runner could not be started */
	struct {
		uv_process_t child; /* one that this process started */
		uv_poll_t poll; /* one that was found, by its pidfd: it is nobody's child any more */
		int pidfd; /* -1: a child */
		bool closed;
	} handle;
	struct {
		uv_work_t request;
		bool in_progress;
		bool failed; /* the pid file could not be written, as err says */
		struct error err;
	} work;
	char why[256]; /* how it ended */
	struct last_lines lines;
	bool left_something; /* in its work folder: processes of its deployments may be left, too */
};

/* Starts a Runner. One that cannot be started ends at once, as `ended` tells in a later turn. */
struct local_runner *local_runner_spawn(struct local_runners *runners, const struct runner_spec *spec,
					const struct runner_settings *settings);
/* Watches one that was found; takes the pidfd. */
struct local_runner *local_runner_watch(struct local_runners *runners, const char *key, pid_t pid, int pidfd);

/* RUNNING → ENDING; harmless in every other state. */
void local_runner_kill(struct local_runner *runner);
/* RUNNING → CLOSING, and the process runs on; harmless in every other state. */
void local_runner_leave(struct local_runner *runner);

/* Asserts that the table allows it. */
void local_runner_set_state(struct local_runner *runner, enum local_runner_state state);
