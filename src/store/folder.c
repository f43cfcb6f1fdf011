/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/path.h"
#include "base/reasons.h"

/* A folder that this process may not open was not created by it. */
static int sync_if_readable(const char *path, struct error *err) {
	if (access(path, R_OK) < 0)
		return 0;
	return folder_sync(path, err);
}

int folder_make(const char *path, struct error *err) {
	if (path_make_folders(path, err) < 0)
		return -1;
	char *above = mem_strdup(path);
	int result = folder_sync(path, err);
	/* All parents, as an earlier process may have died between creating one and syncing its name. */
	for (char *slash; result == 0 && (slash = strrchr(above, '/')) != NULL;) {
		*slash = '\0';
		result = sync_if_readable(slash == above ? "/" : above, err);
	}
	if (result == 0 && path[0] != '/')
		result = sync_if_readable(".", err);
	free(above);
	return result;
}

static int already_taken(int fd, const char *path, struct error *err) {
	char pid[24] = "";
	ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
	pid[len > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	error_set(err, CODE_FAILED_PRECONDITION,
		  "the data folder %s is in use by %s%s: stop that process, take it over, or use another data folder",
		  path, pid[0] != '\0' ? "process " : "another process", pid);
	return error_set_reason(err, REASON_DATA_FOLDER_IN_USE);
}

int folder_lock(const char *path, int *ret_lock, struct error *err) {
	char *file = mem_printf("%s/lock", path);
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int result = fd < 0 ? error_set_errno(err, errno, "could not open %s", file) : 0;
	if (result == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		result = errno == EWOULDBLOCK ? already_taken(fd, path, err)
					      : error_set_errno(err, errno, "could not lock %s", file);
	free(file);
	if (result < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* Ignore a failure, such as a full disk: the process id only makes the error above clearer. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	*ret_lock = fd;
	return 0;
}

/* Unlocks explicitly: closing alone would leave the lock with a forked child that still has the descriptor. */
void folder_unlock(int lock) {
	flock(lock, LOCK_UN);
	close(lock);
}
