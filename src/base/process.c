/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

enum { STAT_MAX = 4096 };

int process_read(pid_t pid, const char *file, size_t max, char **ret_bytes, size_t *ret_len) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	return file_read(path, max, ret_bytes, ret_len, NULL);
}

/* The text from the field on, in *ret_text, which is the caller's to free; NULL: the process is gone. */
static const char *read_stat(pid_t pid, int field, char **ret_text) {
	size_t len;
	*ret_text = NULL;
	if (process_read(pid, "stat", STAT_MAX, ret_text, &len) < 0)
		return NULL;
	/* The process name, field 2, may contain anything; the last bracket ends it. */
	const char *at = strrchr(*ret_text, ')');
	for (int i = 2; at != NULL && i < field; i++)
		at = strchr(at + 1, ' ');
	return at != NULL ? at + 1 : NULL;
}

uint64_t process_stat(pid_t pid, int field) {
	char *text;
	const char *at = read_stat(pid, field, &text);
	uint64_t number = at != NULL ? strtoull(at, NULL, 10) : 0;
	free(text);
	return number;
}

char process_state(pid_t pid) {
	enum { STATE = 3 };
	char *text;
	const char *at = read_stat(pid, STATE, &text);
	char state = at != NULL ? *at : '\0';
	free(text);
	return state;
}

static bool is_of_our_user(pid_t pid) {
	char path[64];
	struct stat status;
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return stat(path, &status) == 0 && status.st_uid == geteuid();
}

void process_for_each(process_function *each, void *data) {
	DIR *folder = opendir("/proc");
	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		uint64_t pid;
		if (str_to_u64(str_from(entry->d_name), &pid) && is_of_our_user((pid_t)pid))
			each(data, (pid_t)pid);
	}
	if (folder != NULL)
		closedir(folder);
}

struct session_search {
	pid_t session;
	bool is_stopped;
	uint64_t ticks;
};

static void look(void *data, pid_t pid) {
	struct session_search *search = data;
	if (process_stat(pid, PROCESS_STAT_SESSION) != (uint64_t)search->session)
		return;
	search->is_stopped |= process_state(pid) == 'T';
	search->ticks += process_stat(pid, PROCESS_STAT_USER_TIME) + process_stat(pid, PROCESS_STAT_SYSTEM_TIME);
}

bool process_session_is_stopped(pid_t session) {
	struct session_search search = {.session = session};
	process_for_each(look, &search);
	return search.is_stopped;
}

uint64_t process_session_ticks(pid_t session) {
	struct session_search search = {.session = session};
	process_for_each(look, &search);
	return search.ticks;
}
