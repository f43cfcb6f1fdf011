/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slow disk for a process that is started with this library in LD_PRELOAD: each call below that touches a file in the
 * folders of SLOW_DISK_FOLDERS (separated by colons) is delayed by the number of milliseconds at the start of the file
 * SLOW_DISK_DELAY. A delayed call adds a line "CALL main|other PATH" to the file SLOW_DISK_LOG, where main is the first
 * thread of the process. The processes that it starts are not slowed down.
 *
 * Only calls through the dynamic linker are delayed, so a test must check that the log has lines.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const volatile int *delay_ms;
static const char *folders;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void) {
	const char *delay = getenv("SLOW_DISK_DELAY"), *log = getenv("SLOW_DISK_LOG");
	folders = getenv("SLOW_DISK_FOLDERS");
	unsetenv("LD_PRELOAD");
	if (delay == NULL || log == NULL || folders == NULL)
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, delay, O_RDONLY | O_CLOEXEC);
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, fd, 0);
	log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (memory != MAP_FAILED)
		delay_ms = memory;
}

static bool is_below(const char *path, const char *folder, size_t len) {
	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_slow(const char *path) {
	for (const char *folder = folders; *folder != '\0';) {
		size_t len = strcspn(folder, ":");
		if (len > 0 && is_below(path, folder, len))
			return true;
		folder += len + (folder[len] == ':');
	}
	return false;
}

static void delay(const char *call, const char *path) {
	char line[PATH_MAX + 64];
	int saved = errno, ms = *delay_ms;
	bool is_main = syscall(SYS_gettid) == getpid();
	int len = snprintf(line, sizeof line, "%s %s %s\n", call, is_main ? "main" : "other", path);
	if (len > 0)
		syscall(SYS_write, log_fd, line, (size_t)len);
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L}, NULL);
	errno = saved;
}

static bool is_on(void) {
	return delay_ms != NULL && *delay_ms > 0;
}

static void on_fd(const char *call, int fd) {
	char link[64], path[PATH_MAX];
	if (!is_on())
		return;
	int saved = errno;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof path - 1);
	errno = saved;
	path[len > 0 ? len : 0] = '\0';
	if (is_slow(path))
		delay(call, path);
}

static void on_path(const char *call, int folder, const char *name) {
	char link[64], path[2 * PATH_MAX];
	if (!is_on() || name == NULL)
		return;
	if (name[0] == '/') {
		if (is_slow(name))
			delay(call, name);
		return;
	}
	int saved = errno;
	if (folder == AT_FDCWD)
		snprintf(link, sizeof link, "/proc/self/cwd");
	else
		snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
	ssize_t len = readlink(link, path, PATH_MAX - 1);
	errno = saved;
	if (len <= 0)
		return;
	snprintf(path + len, sizeof path - (size_t)len, "/%s", name);
	if (is_slow(path))
		delay(call, path);
}

/* --- calls, each passed on to the function that this one hides ---------------------------------------------------- */

static void *hidden(const char *name) {
	void *function = dlsym(RTLD_NEXT, name);
	if (function == NULL)
		abort();
	return function;
}

#define FORWARD(result, name, parameters, arguments, before) \
	EXPORT result name parameters;                       \
	EXPORT result name parameters {                      \
		static result(*function) parameters;         \
		if (function == NULL)                        \
			*(void **)&function = hidden(#name); \
		before;                                      \
		return function arguments;                   \
	}

/* The mode is read even if the caller passed none: on this architecture it is then any value of a register. */
#define FORWARD_OPEN(name)                                                \
	EXPORT int name(const char *path, int flags, ...);                \
	EXPORT int name(const char *path, int flags, ...) {               \
		static int (*function)(const char *path, int flags, ...); \
		if (function == NULL)                                     \
			*(void **)&function = hidden(#name);              \
		va_list list;                                             \
		va_start(list, flags);                                    \
		mode_t mode = va_arg(list, mode_t);                       \
		va_end(list);                                             \
		on_path("open", AT_FDCWD, path);                          \
		return function(path, flags, mode);                       \
	}

#define FORWARD_OPENAT(name)                                                          \
	EXPORT int name(int folder, const char *path, int flags, ...);                \
	EXPORT int name(int folder, const char *path, int flags, ...) {               \
		static int (*function)(int folder, const char *path, int flags, ...); \
		if (function == NULL)                                                 \
			*(void **)&function = hidden(#name);                          \
		va_list list;                                                         \
		va_start(list, flags);                                                \
		mode_t mode = va_arg(list, mode_t);                                   \
		va_end(list);                                                         \
		on_path("openat", folder, path);                                      \
		return function(folder, path, flags, mode);                           \
	}

struct stat64;

FORWARD_OPEN(open)
FORWARD_OPEN(open64)
FORWARD_OPENAT(openat)
FORWARD_OPENAT(openat64)
FORWARD(int, __open_2, (const char *path, int flags), (path, flags), on_path("open", AT_FDCWD, path))
FORWARD(int, __open64_2, (const char *path, int flags), (path, flags), on_path("open", AT_FDCWD, path))
FORWARD(FILE *, fopen, (const char *path, const char *mode), (path, mode), on_path("fopen", AT_FDCWD, path))
FORWARD(FILE *, fopen64, (const char *path, const char *mode), (path, mode), on_path("fopen", AT_FDCWD, path))
FORWARD(int, fsync, (int fd), (fd), on_fd("fsync", fd))
FORWARD(int, fdatasync, (int fd), (fd), on_fd("fdatasync", fd))
FORWARD(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size), on_fd("read", fd))
FORWARD(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), on_fd("write", fd))
FORWARD(ssize_t, pread, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at), on_fd("pread", fd))
FORWARD(ssize_t, pread64, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at), on_fd("pread", fd))
FORWARD(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at), on_fd("pwrite", fd))
FORWARD(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at),
	on_fd("pwrite", fd))
FORWARD(ssize_t, __read_chk, (int fd, void *bytes, size_t size, size_t room), (fd, bytes, size, room),
	on_fd("read", fd))
FORWARD(ssize_t, __pread64_chk, (int fd, void *bytes, size_t size, off_t at, size_t room), (fd, bytes, size, at, room),
	on_fd("pread", fd))
FORWARD(int, ftruncate, (int fd, off_t size), (fd, size), on_fd("ftruncate", fd))
FORWARD(int, ftruncate64, (int fd, off_t size), (fd, size), on_fd("ftruncate", fd))
FORWARD(int, rename, (const char *from, const char *to), (from, to), on_path("rename", AT_FDCWD, to))
FORWARD(int, renameat, (int from_folder, const char *from, int to_folder, const char *to),
	(from_folder, from, to_folder, to), on_path("renameat", to_folder, to))
FORWARD(int, unlink, (const char *path), (path), on_path("unlink", AT_FDCWD, path))
FORWARD(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags),
	on_path("unlinkat", folder, path))
FORWARD(int, access, (const char *path, int mode), (path, mode), on_path("access", AT_FDCWD, path))
FORWARD(int, faccessat, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags),
	on_path("faccessat", folder, path))
FORWARD(int, stat, (const char *path, struct stat *status), (path, status), on_path("stat", AT_FDCWD, path))
FORWARD(int, stat64, (const char *path, struct stat64 *status), (path, status), on_path("stat", AT_FDCWD, path))
FORWARD(int, lstat, (const char *path, struct stat *status), (path, status), on_path("lstat", AT_FDCWD, path))
FORWARD(int, lstat64, (const char *path, struct stat64 *status), (path, status), on_path("lstat", AT_FDCWD, path))
FORWARD(int, fstatat, (int folder, const char *path, struct stat *status, int flags), (folder, path, status, flags),
	on_path("fstatat", folder, path))
FORWARD(int, fstatat64, (int folder, const char *path, struct stat64 *status, int flags), (folder, path, status, flags),
	on_path("fstatat", folder, path))
FORWARD(int, statvfs, (const char *path, struct statvfs *status), (path, status), on_path("statvfs", AT_FDCWD, path))
FORWARD(int, statvfs64, (const char *path, struct statvfs64 *status), (path, status),
	on_path("statvfs", AT_FDCWD, path))
