/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of this machine, as proc(5) shows them.
 */
#pragma once

#include <sys/types.h>

#include "base/str.h"

/* A field of /proc/PID/stat that is a number, counted from 1 as in proc(5), after the name; 0: the process is gone. */
uint64_t process_stat(pid_t pid, int field);

enum { PROCESS_STAT_PARENT = 4, PROCESS_STAT_START_TIME = 22 };

/* /proc/PID/FILE, terminated, the caller's to free; -1: it is gone, not ours to read, or longer than max. */
int process_read(pid_t pid, const char *file, size_t max, char **ret_bytes, size_t *ret_len);

typedef void process_function(void *data, pid_t pid);

/* Every process of our user. */
void process_for_each(process_function *each, void *data);
