/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pid file of a Runner, by which the next Backplane finds its process: "PID START-TIME". The kernel reuses pids;
 * with its start time a pid identifies one process. Both functions block on the disk.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

int pid_file_write(const char *folder, const char *key, pid_t pid, struct error *err);

/* A pidfd of the process that the Runner's pid file names; -1: there is no such file, or the process has exited. */
int pid_file_open(const char *folder, const char *key, pid_t *ret_pid);
