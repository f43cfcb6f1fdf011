/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/memory.h"

static bool is_plain_text(struct str path) {
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.ptr[i] < ' ' || path.ptr[i] == 0x7F || path.ptr[i] == '\\')
			return false;
	return str_is_text(path);
}

int path_check_relative(struct str path, struct error *err) {
	int shown = (int)MIN(path.len, (size_t)120);
	if (path.len == 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "an artefact has an empty path");
	if (path.len > ARTEFACT_PATH_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "the path \"%.*s…\" has %zu bytes; at most %d are allowed",
				 shown, path.ptr, path.len, ARTEFACT_PATH_MAX);
	/* The error does not repeat a path with control characters. */
	if (!is_plain_text(path))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "a path of %zu bytes is not UTF-8 text, or has a control character or a backslash",
				 path.len);
	if (path.ptr[0] == '/')
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the path \"%.*s\" is absolute; give it relative to the module's folder", shown,
				 path.ptr);
	for (struct str rest = path; rest.ptr != NULL;) {
		struct str part = str_cut(rest, '/', &rest);
		if (part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return error_set(
				err, CODE_INVALID_ARGUMENT,
				"the path \"%.*s\" has the part \"%.*s\"; empty parts, \".\" and \"..\" are not allowed",
				shown, path.ptr, STR_ARG(part));
		if (part.len > NAME_MAX)
			return error_set(err, CODE_INVALID_ARGUMENT,
					 "the path \"%.*s…\" has a part of %zu bytes; a file name has at most %d",
					 shown, path.ptr, part.len, NAME_MAX);
	}
	return 0;
}

int path_make_folders(const char *path, struct error *err) {
	char *copy = mem_strdup(path);
	int result = 0;
	for (char *at = copy + 1; result == 0; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char end = *at;
		*at = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			result = error_set_errno(err, errno, "could not make the folder %s", copy);
		*at = end;
		if (end == '\0')
			break;
	}
	free(copy);
	return result;
}

static int remove_entry(const char *path, const struct stat *status UNUSED, int kind UNUSED, struct FTW *walk UNUSED) {
	return remove(path) < 0 && errno != ENOENT ? errno : 0;
}

int path_remove_tree(const char *path, struct error *err) {
	enum { FOLDERS_OPEN = 16 };
	int failed = nftw(path, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
	if (failed == 0 || (failed < 0 && errno == ENOENT))
		return 0;
	return error_set_errno(err, failed > 0 ? failed : errno, "could not remove %s", path);
}

static int read_all(int fd, const char *path, size_t max, char **ret_bytes, size_t *ret_len, struct error *err) {
	size_t capacity = 4096, len = 0;
	char *bytes = mem_alloc(capacity);
	for (;;) {
		if (len + 1 == capacity)
			bytes = mem_realloc(bytes, capacity *= 2);
		ssize_t got = read(fd, bytes + len, capacity - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(bytes);
			return error_set_errno(err, errno, "could not read %s", path);
		}
		len += (size_t)got;
		if (len > max) {
			free(bytes);
			return error_set(err, CODE_RESOURCE_EXHAUSTED, "%s has more than %zu bytes", path, max);
		}
		if (got == 0)
			break;
	}
	bytes[len] = '\0';
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

int file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_len, struct error *err) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "could not open %s", path);
	int result = read_all(fd, path, max, ret_bytes, ret_len, err);
	close(fd);
	return result;
}

static int write_all(int fd, struct str bytes) {
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.ptr, bytes.len);
		if (put < 0 && errno != EINTR)
			return -1;
		bytes = str_from_offset(bytes, put > 0 ? (size_t)put : 0);
	}
	return 0;
}

int file_write_whole(const char *path, struct str bytes, unsigned mode, struct error *err) {
	char *aside = mem_printf("%s.XXXXXX", path);
	int fd = mkostemp(aside, O_CLOEXEC);
	int result = 0;
	if (fd < 0) {
		result = error_set_errno(err, errno, "could not write %s", path);
	} else {
		bool synced = write_all(fd, bytes) == 0 && fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0;
		failpoint(FAILPOINT_FILE_SYNCED);
		if (!synced || rename(aside, path) < 0) {
			result = error_set_errno(err, errno, "could not write %s", path);
			unlink(aside);
		}
		close(fd);
	}
	free(aside);
	return result;
}

int folder_sync(const char *path, struct error *err) {
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "could not open the folder %s", path);
	int result = fsync(fd) < 0 ? error_set_errno(err, errno, "could not sync the folder %s", path) : 0;
	close(fd);
	return result;
}
