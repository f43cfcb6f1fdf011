/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/pid_file.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"
#include "base/process.h"
#include "platform/local/run_folder.h"

enum { PID_FILE_MAX = 64 };

int pid_file_write(const char *folder, const char *key, pid_t pid, struct error *err) {
	char *path = run_folder_path(folder, key, RUN_PID_FILE), text[PID_FILE_MAX];
	snprintf(text, sizeof text, "%d %" PRIu64 "\n", (int)pid, process_stat(pid, PROCESS_STAT_START_TIME));
	int result = file_write_whole(path, str_from(text), 0600, err);
	free(path);
	return result;
}

static bool read_file(const char *folder, const char *key, int *ret_pid, uint64_t *ret_ticks) {
	char *path = run_folder_path(folder, key, RUN_PID_FILE), *text;
	size_t len;
	struct stat status;
	/* Opening a FIFO of that name would wait for its writer. */
	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)) {
		free(path);
		return false;
	}
	int result = file_read(path, PID_FILE_MAX, &text, &len, NULL);
	free(path);
	if (result < 0)
		return false;
	bool is_whole = sscanf(text, "%d %" SCNu64, ret_pid, ret_ticks) == 2 && *ret_pid > 1 && *ret_ticks > 0;
	free(text);
	return is_whole;
}

/* Asks the pidfd, as /proc still has an entry for a process whose parent has not waited for it yet. */
static bool has_exited(int pidfd) {
	return poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0;
}

int pid_file_open(const char *folder, const char *key, pid_t *ret_pid) {
	int pid;
	uint64_t ticks;
	if (!read_file(folder, key, &pid, &ticks))
		return -1;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Reads the start time after opening the pidfd, so that both are of one process. */
	if (pidfd >= 0 && (process_stat((pid_t)pid, PROCESS_STAT_START_TIME) != ticks || has_exited(pidfd))) {
		close(pidfd);
		return -1;
	}
	*ret_pid = (pid_t)pid;
	return pidfd;
}
