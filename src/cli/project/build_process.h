/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a build command and waits for it. A signal that asks this process to end is passed on to the command and to all
 * that it started, a compiler among them; this process ends by the signal once they are gone.
 *
 *   running ──SIGTERM, SIGHUP, SIGINT, SIGQUIT──▶ ending ──all gone, or BUILD_END_MS passed (SIGKILL)──▶ raised
 *      └──the command ends──▶ its status
 */
#pragma once

#include "base/error.h"

enum { BUILD_END_MS = 2000 };

struct build_command {
	const char *command; /* for /bin/sh */
	const char *folder;
	int output; /* the descriptor that becomes standard output */
};

/* *ret_status is that of waitpid(2). */
int build_process_run(const struct build_command *build, int *ret_status, struct error *err);
