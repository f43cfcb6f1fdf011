/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process a Runner is, for the Backplane after this one: "PID START-TIME". The kernel gives a pid anew; with the
 * start time it names one process. Both functions wait for the disk.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

int pid_file_write(const char *folder, const char *key, pid_t pid, struct error *err);

/* A pidfd of the process that the Runner's pid file names; -1: there is no such file, or the process has exited. */
int pid_file_open(const char *folder, const char *key, pid_t *ret_pid);
