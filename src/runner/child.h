/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process in a process group of its own: starts it, reads its output, reports its exit.
 *
 * No process of the child outlives the Runner. The exit of the child ends all processes that it started, also those
 * that left its group or its session. When the Runner is killed, the kernel kills the child (PR_SET_PDEATHSIG), and the
 * Platform kills what the child started. libuv's uv_spawn can set no death signal, and a program between the Runner and
 * the child would cost one more process for each deployment: so this file forks and executes by itself. There is one
 * child at a time, as any other child of this process counts as a leftover of the first.
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
	/* The child and what it started have ended, and all their output was passed on. Comes once, as the last event,
	 * and never from inside of a function of this file. */
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

/* Returns NULL with err set when the program could not be started. */
struct child *child_start(struct loop *loop, const struct child_options *options, struct error *err);

/* Sends a signal to the child's process group; does nothing once the child was reaped. */
void child_signal(struct child *child, int number);

pid_t child_pid(const struct child *child);

enum { EXIT_TEXT_MAX = 96 };

/* "exited with status 3", "was killed by SIGSEGV (Segmentation fault)". */
void exit_status_format(int wait_status, char ret_text[EXIT_TEXT_MAX]);
