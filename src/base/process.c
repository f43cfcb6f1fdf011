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

uint64_t process_stat(pid_t pid, int field) {
	char *text;
	size_t len;
	if (process_read(pid, "stat", STAT_MAX, &text, &len) < 0)
		return 0;
	uint64_t number = 0;
	/* The process name, field 2, may contain anything; the last bracket ends it. */
	char *at = strrchr(text, ')');
	for (int i = 2; at != NULL && i < field; i++)
		at = strchr(at + 1, ' ');
	if (at != NULL)
		number = strtoull(at + 1, NULL, 10);
	free(text);
	return number;
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
