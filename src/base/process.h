/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads processes of this machine from /proc (proc(5)).
 */
#pragma once

#include <sys/types.h>

#include "base/str.h"

/* A numeric field of /proc/PID/stat after the name, counted from 1 as in proc(5); 0: the process is gone. */
uint64_t process_stat(pid_t pid, int field);

enum {
	PROCESS_STAT_PARENT = 4,
	PROCESS_STAT_SESSION = 6,
	PROCESS_STAT_USER_TIME = 14,
	PROCESS_STAT_SYSTEM_TIME = 15,
	PROCESS_STAT_START_TIME = 22
};

/* The state's letter of /proc/PID/stat, as in proc(5): 'R', 'S', 'T', …; 0: the process is gone. */
char process_state(pid_t pid);

/* Reads /proc/PID/FILE, NUL-terminated, for the caller to free; -1: gone, unreadable, or longer than max. */
int process_read(pid_t pid, const char *file, size_t max, char **ret_bytes, size_t *ret_len);

typedef void process_function(void *data, pid_t pid);

/* Calls each for every process of this user. */
void process_for_each(process_function *each, void *data);

/* Whether a signal (SIGSTOP, SIGTSTP, …) has stopped a process of the session. One that a debugger holds does not
 * count. */
bool process_session_is_stopped(pid_t session);

/* The processor time that the living processes of the session have used, in ticks of sysconf(_SC_CLK_TCK). */
uint64_t process_session_ticks(pid_t session);
