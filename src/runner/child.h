/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process in a process group of its own: started, its output read, its end seen.
 *
 * Nothing of it outlives us. While we live, the end of the child ends all that it started, also what left its group or
 * its session; when we are killed, the kernel kills the child (PR_SET_PDEATHSIG), and the Platform what the child
 * started. libuv's uv_spawn can set no death signal, and a program between us and the child would cost a process for
 * each deployment, so this file forks and executes by itself. One child at a time, as whatever else is a child of this
 * process is taken for its leftovers.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"
#include "net/loop.h"

enum child_output { CHILD_STDOUT, CHILD_STDERR };
enum { CHILD_OUTPUTS = 2 };

struct child_events {
	void (*output)(void *owner, enum child_output which, struct str bytes);
	/* The child and what it started have ended, and all that they wrote was passed on. Once, last, never from
	 * inside. */
	void (*exited)(void *owner, int wait_status);
};

struct child_options {
	const char *program; /* absolute path */
	const char *folder; /* where it starts */
	char *const *environment; /* NULL at the end; "NAME=value" */
	const struct child_events *events;
	void *owner;
};

struct child;

/* NULL: it could not be started, and err says why. */
struct child *child_start(struct loop *loop, const struct child_options *options, struct error *err);

/* Sends a signal to the child's group, while there is one. */
void child_signal(struct child *child, int number);

pid_t child_pid(const struct child *child);

enum { EXIT_TEXT_MAX = 96 };

/* "exited with status 3", "was killed by SIGSEGV (Segmentation fault)". */
void exit_status_format(int wait_status, char ret_text[EXIT_TEXT_MAX]);
