/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  EXPECTED ──first chunk──▶ OPEN ──chunk of another file, or the end──▶ WRITTEN
 *
 * Only this process writes to the folder (mode 0700), and each file is created (O_EXCL), so no link can lead out of it.
 */
#include "runner/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/path.h"

enum { STEP_SIZE = 1 << 20, READ_SIZE = 64 << 10 };

void layout_init(struct layout *layout, const char *folder) {
	/* A path has at most ARTEFACT_PATH_MAX bytes, and its file struct less than 128. */
	*layout = (struct layout){
		.folder = folder,
		.arena = ARENA_INIT((size_t)LAYOUT_FILES_MAX * (ARTEFACT_PATH_MAX + 256)),
		.fd = -1,
	};
	map_init(&layout->by_path);
}

static void close_file(struct layout *layout) {
	if (layout->fd >= 0)
		close(layout->fd);
	layout->fd = -1;
	layout->open = NULL;
	hasher_deinit(&layout->hasher);
}

void layout_deinit(struct layout *layout) {
	close_file(layout);
	map_deinit(&layout->by_path);
	free(layout->files);
	arena_deinit(&layout->arena);
}

const struct layout_file *layout_find(const struct layout *layout, struct str path) {
	return map_get(&layout->by_path, path);
}

int layout_add(struct layout *layout, struct str digest_hex, struct str path, bool executable, struct error *err) {
	struct digest digest;
	if (path_check_relative(path, err) < 0 || digest_from_hex(digest_hex, &digest, err) < 0)
		return -1;
	if (layout->count == LAYOUT_FILES_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "the deployment has more than %d files (max-files)",
				 LAYOUT_FILES_MAX);
	if (layout_find(layout, path) != NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "the path \"%.*s\" comes twice", STR_ARG(path));
	struct layout_file *file = arena_alloc(&layout->arena, sizeof *file);
	*file = (struct layout_file){
		.digest = digest, .path = arena_strdup(&layout->arena, path), .executable = executable};
	if (layout->count == layout->capacity) {
		layout->capacity = MAX(layout->capacity * 2, (size_t)16);
		layout->files = mem_realloc(layout->files, layout->capacity * sizeof *layout->files);
	}
	layout->files[layout->count++] = file;
	map_put(&layout->by_path, path, file);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static char *full_path(const struct layout *layout, const struct layout_file *file) {
	return mem_printf("%s/%s", layout->folder, file->path);
}

static int make_parent(const char *path, struct error *err) {
	char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	int result = path_make_folders(folder, err);
	free(folder);
	return result;
}

static int create_file(struct layout *layout, struct layout_file *file, struct error *err) {
	char *path = full_path(layout, file);
	int result = strchr(file->path, '/') ? make_parent(path, err) : 0;
	if (result == 0) {
		layout->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				  file->executable ? 0700 : 0600);
		if (layout->fd < 0)
			result = error_set_errno(err, errno, "could not write %s", path);
	}
	free(path);
	if (result < 0)
		return -1;
	layout->open = file;
	file->state = FILE_OPEN;
	hasher_init(&layout->hasher);
	return 0;
}

/* Compares the digest of all bytes that were hashed. */
static int compare_digest(struct layout *layout, const char *when, struct error *err) {
	struct digest digest;
	hasher_final(&layout->hasher, &digest);
	const struct layout_file *file = layout->open;
	if (memcmp(digest.bytes, file->digest.bytes, sizeof digest.bytes) == 0)
		return 0;
	return error_set(err, CODE_DATA_LOSS, "the file %s has the digest %s %s; %s was announced", file->path,
			 digest_to_hex(&digest).text, when, digest_to_hex(&file->digest).text);
}

static int end_file(struct layout *layout, struct error *err) {
	if (layout->open == NULL)
		return 0;
	layout->open->state = FILE_WRITTEN;
	int result = compare_digest(layout, "as it came", err);
	close_file(layout);
	return result;
}

static int write_all(struct layout *layout, struct str bytes, struct error *err) {
	hasher_update(&layout->hasher, bytes);
	while (bytes.len > 0) {
		ssize_t put = write(layout->fd, bytes.ptr, bytes.len);
		if (put < 0 && errno != EINTR)
			return error_set_errno(err, errno, "could not write %s/%s", layout->folder, layout->open->path);
		bytes = str_from_offset(bytes, put > 0 ? (size_t)put : 0);
	}
	return 0;
}

int layout_write(struct layout *layout, struct str digest_hex, struct str path, struct str chunk, struct error *err) {
	struct layout_file *file = map_get(&layout->by_path, path);
	struct str shown = str_new(path.ptr ? path.ptr : "", MIN(path.len, (size_t)120));
	if (file == NULL || !str_eq_c(digest_hex, digest_to_hex(&file->digest).text))
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the Backplane sent the file \"%.*s\" with a digest that it had not announced",
				 STR_ARG(shown));
	if (file->state == FILE_WRITTEN)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "the Backplane sent the file \"%.*s\" in pieces among others", STR_ARG(shown));
	if (file != layout->open && (end_file(layout, err) < 0 || create_file(layout, file, err) < 0))
		return -1;
	return write_all(layout, chunk, err);
}

int layout_finish(struct layout *layout, struct error *err) {
	if (end_file(layout, err) < 0)
		return -1;
	for (size_t i = 0; i < layout->count; i++)
		if (layout->files[i]->state != FILE_WRITTEN)
			return error_set(err, CODE_DATA_LOSS, "the Backplane did not send the file \"%s\"",
					 layout->files[i]->path);
	return 0;
}

/* --- checking ----------------------------------------------------------------------------------------------------- */

static int open_to_check(struct layout *layout, struct error *err) {
	struct layout_file *file = layout->files[layout->checked];
	char *path = full_path(layout, file);
	layout->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int result = layout->fd < 0 ? error_set_errno(err, errno, "could not read %s", path) : 0;
	free(path);
	if (result < 0)
		return -1;
	layout->open = file;
	hasher_init(&layout->hasher);
	return 0;
}

/* Returns the bytes read; 0 at the end of the file. */
static ssize_t check_piece(struct layout *layout, struct error *err) {
	char bytes[READ_SIZE];
	ssize_t got;
	do
		got = read(layout->fd, bytes, sizeof bytes);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set_errno(err, errno, "could not read %s/%s", layout->folder, layout->open->path);
	hasher_update(&layout->hasher, str_new(bytes, (size_t)got));
	return got;
}

int layout_check_step(struct layout *layout, struct error *err) {
	for (size_t done = 0; done < STEP_SIZE;) {
		if (layout->checked == layout->count)
			return 0;
		if (layout->open == NULL && open_to_check(layout, err) < 0)
			return -1;
		ssize_t got = check_piece(layout, err);
		if (got < 0)
			return -1;
		/* Opening a file costs time even when it is empty. */
		done += (size_t)got + KIB(4);
		if (got > 0)
			continue;
		int result = compare_digest(layout, "on disk", err);
		close_file(layout);
		if (result < 0)
			return -1;
		layout->checked++;
	}
	return 1;
}
