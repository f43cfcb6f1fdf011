/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of the local Platform in tests, as /proc shows them.
 */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/process.h"

struct process_search {
	const char *text;
	pid_t pid; /* of one that was found; 0: none */
	bool kills;
};

static inline void process_matches(void *data, pid_t pid) {
	struct process_search *search = data;
	char *line;
	size_t len;
	if (process_read(pid, "cmdline", 64 << 10, &line, &len) < 0)
		return;
	bool matches = pid != getpid() && memmem(line, len, search->text, strlen(search->text)) != NULL;
	free(line);
	if (matches)
		search->pid = pid;
	if (matches && search->kills)
		kill(pid, SIGKILL);
}

/* A process with the text in its command line; 0: none. */
static inline pid_t find_process(const char *text) {
	struct process_search search = {.text = text};
	process_for_each(process_matches, &search);
	return search.pid;
}

static inline void kill_processes(const char *text) {
	process_for_each(process_matches, &(struct process_search){.text = text, .kills = true});
}

static inline pid_t find_runner(const char *folder, const char *key) {
	char *work_folder = mem_printf("%s/%s.d", folder, key);
	pid_t pid = find_process(work_folder);
	free(work_folder);
	return pid;
}
