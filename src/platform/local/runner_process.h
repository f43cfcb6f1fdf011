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

enum runner_process_state {
	RUNNER_PROCESS_RUNNING,
	RUNNER_PROCESS_ENDING, /* its exit is waited for, also when the platform closes */
	RUNNER_PROCESS_CLEANING, /* it ended, or never began: its last words are read, its files removed */
	RUNNER_PROCESS_CLOSING, /* its handle closes; the process may run on */
};

enum { RUNNER_PROCESS_STATE_COUNT = 4 };

struct runner_process;

/* What the processes of a platform share. */
struct runner_processes {
	struct loop *loop;
	const char *folder; /* the run folder; borrowed */
	struct list all;
	/* It has ended, as why and lines say. It is not in `all` any more when its memory is gone. */
	void (*ended)(struct runner_processes *processes, struct runner_process *process);
	/* One is gone from `all`. */
	void (*freed)(struct runner_processes *processes);
};

struct runner_process {
	struct list link; /* in all */
	struct runner_processes *processes;
	char key[KEY_MAX];
	enum runner_process_state state;
	pid_t pid; /* 0: it could not be started */
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
struct runner_process *runner_process_spawn(struct runner_processes *processes, const struct runner_spec *spec,
					    const struct runner_settings *settings);
/* Watches one that was found; takes the pidfd. */
struct runner_process *runner_process_watch(struct runner_processes *processes, const char *key, pid_t pid, int pidfd);

/* RUNNING → ENDING; harmless in every other state. */
void runner_process_kill(struct runner_process *process);
/* RUNNING → CLOSING, and the process runs on; harmless in every other state. */
void runner_process_leave(struct runner_process *process);

/* Asserts that the table allows it. */
void runner_process_set_state(struct runner_process *process, enum runner_process_state state);
