/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns are expanded component by component from the module's folder down, so that only folders that can contain a
 * match are read.
 */
#include "cli/project/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/path.h"

struct collector {
	const char *folder;
	char *real_folder; /* the folder with all links resolved */
	struct arena *arena;
	struct map seen;
	struct files files;
	size_t capacity;
	size_t matched; /* files that the current pattern matched */
};

/* The chain of folders above the current one, to detect a link that leads back into it. */
struct ancestor {
	const struct ancestor *above;
	dev_t device;
	ino_t inode;
	unsigned depth;
};

static const char *full_path(const struct collector *collector, const char *path) {
	return path[0] == '\0' ? collector->folder : arena_printf(collector->arena, "%s/%s", collector->folder, path);
}

static const char *join(const struct collector *collector, const char *path, const char *name) {
	return path[0] == '\0' ? name : arena_printf(collector->arena, "%s/%s", path, name);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int check_stays_inside(const struct collector *collector, const char *path, struct error *err) {
	char *real = realpath(full_path(collector, path), NULL);
	if (real == NULL)
		return error_set_errno(err, errno, "could not resolve the path %s", full_path(collector, path));
	size_t len = strlen(collector->real_folder);
	bool inside = strcmp(collector->real_folder, "/") == 0 ||
		      (strncmp(real, collector->real_folder, len) == 0 && real[len] == '/');
	if (!inside)
		error_set(err, CODE_INVALID_ARGUMENT,
			  "%s is a link to %s, outside of the module's folder; deploy a copy instead",
			  full_path(collector, path), real);
	free(real);
	return inside ? 0 : -1;
}

/* The path with bytes that are no printable ASCII or UTF-8 as "\\xFF", to be named in an error. */
static const char *visible(struct arena *arena, const char *path) {
	bool is_text = str_is_text(str_from(path));
	const char *shown = "";
	for (const char *at = path; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;
		bool plain = byte >= 0x20 && byte != 0x7F && (byte < 0x80 || is_text);
		shown = arena_printf(arena, plain ? "%s%c" : "%s\\x%02X", shown, byte);
	}
	return shown;
}

static int add_file(struct collector *collector, const char *path, struct error *err) {
	if (path_check_relative(str_from(path), err) < 0)
		return error_wrap(err, "%s/%s", collector->folder, visible(collector->arena, path));
	if (check_stays_inside(collector, path, err) < 0)
		return -1;
	collector->matched++;
	if (map_put(&collector->seen, str_from(path), collector) != NULL)
		return 0;
	struct files *files = &collector->files;
	if (files->count == ARTEFACTS_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "%s: \"deploy\" stands for more than %d files; name fewer, or pack them into one",
				 collector->folder, ARTEFACTS_MAX);
	if (files->count == collector->capacity) {
		collector->capacity = MAX(collector->capacity * 2, (size_t)64);
		files->items = mem_realloc(files->items, collector->capacity * sizeof *files->items);
	}
	files->items[files->count++] = (struct file){.path = arena_strdup(collector->arena, str_from(path))};
	return 0;
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

static int enter(const struct collector *collector, const char *path, const struct ancestor *above,
		 struct ancestor *ret_entered, struct error *err) {
	struct stat status;
	if (path[0] != '\0' && check_stays_inside(collector, path, err) < 0)
		return -1;
	if (stat(full_path(collector, path), &status) < 0)
		return error_set_errno(err, errno, "could not read the attributes of %s", full_path(collector, path));
	*ret_entered = (struct ancestor){above, status.st_dev, status.st_ino, above ? above->depth + 1 : 0};
	if (ret_entered->depth > FILES_DEPTH_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, "%s: folders are nested deeper than %d",
				 full_path(collector, path), FILES_DEPTH_MAX);
	for (const struct ancestor *at = above; at != NULL; at = at->above)
		if (at->device == status.st_dev && at->inode == status.st_ino)
			return error_set(err, CODE_INVALID_ARGUMENT, "%s is a link to a folder that it is in",
					 full_path(collector, path));
	return 0;
}

static int select_entry(const struct dirent *entry) {
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

struct file_listing {
	struct dirent **entries;
	int count;
};

static int list(const struct collector *collector, const char *path, struct file_listing *ret_listing,
		struct error *err) {
	struct file_listing listing;
	listing.count = scandir(full_path(collector, path), &listing.entries, select_entry, alphasort);
	if (listing.count < 0)
		return error_set_errno(err, errno, "could not read the folder %s", full_path(collector, path));
	*ret_listing = listing;
	return 0;
}

static void free_listing(struct file_listing *listing) {
	for (int i = 0; i < listing->count; i++)
		free(listing->entries[i]);
	free(listing->entries);
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

enum what { NOTHING, FILE_THERE, FOLDER_THERE, OTHER_THERE };

static enum what look(const struct collector *collector, const char *path) {
	struct stat status;
	if (stat(full_path(collector, path), &status) < 0)
		return NOTHING;
	return S_ISREG(status.st_mode) ? FILE_THERE : S_ISDIR(status.st_mode) ? FOLDER_THERE : OTHER_THERE;
}

static int add_all(struct collector *collector, const char *path, const struct ancestor *above, struct error *err);

/* Adds a path that a whole pattern expanded to. */
static int add(struct collector *collector, const char *path, const struct ancestor *above, bool files_only,
	       struct error *err) {
	switch (look(collector, path)) {
	case FILE_THERE:
		return add_file(collector, path, err);
	case FOLDER_THERE:
		return files_only ? 0 : add_all(collector, path, above, err);
	case OTHER_THERE:
		return error_set(err, CODE_INVALID_ARGUMENT, "%s is neither a file nor a folder",
				 full_path(collector, path));
	case NOTHING:
		break;
	}
	/* A missing path is reported with the pattern; a dangling link is an error here. */
	struct stat status;
	if (lstat(full_path(collector, path), &status) == 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s is a dangling link", full_path(collector, path));
	return 0;
}

static int add_all(struct collector *collector, const char *path, const struct ancestor *above, struct error *err) {
	struct ancestor here;
	struct file_listing listing;
	if (enter(collector, path, above, &here, err) < 0 || list(collector, path, &listing, err) < 0)
		return -1;
	int result = 0;
	for (int i = 0; i < listing.count && result == 0; i++)
		result = add(collector, join(collector, path, listing.entries[i]->d_name), &here, false, err);
	free_listing(&listing);
	return result;
}

static int expand(struct collector *collector, const char *path, struct str pattern, bool files_only,
		  const struct ancestor *above, struct error *err);

/* Continues with rest below child, which matched the component before it. */
static int expand_child(struct collector *collector, const char *child, struct str rest, bool files_only,
			const struct ancestor *here, struct error *err) {
	if (rest.ptr == NULL)
		return add(collector, child, here, files_only, err);
	return look(collector, child) == FOLDER_THERE ? expand(collector, child, rest, files_only, here, err) : 0;
}

static bool is_folder_itself(const struct collector *collector, const char *path) {
	struct stat status;
	return lstat(full_path(collector, path), &status) == 0 && S_ISDIR(status.st_mode);
}

/* "**" matches the folder itself and every folder below it; links are not followed. */
static int expand_below(struct collector *collector, const char *path, struct str pattern, struct str rest,
			const struct ancestor *above, struct error *err) {
	struct ancestor here;
	struct file_listing listing;
	bool is_last = rest.ptr == NULL;
	if (expand(collector, path, is_last ? STR("*") : rest, is_last, above, err) < 0)
		return -1;
	if (enter(collector, path, above, &here, err) < 0 || list(collector, path, &listing, err) < 0)
		return -1;
	int result = 0;
	for (int i = 0; i < listing.count && result == 0; i++) {
		const char *child = join(collector, path, listing.entries[i]->d_name);
		if (listing.entries[i]->d_name[0] != '.' && is_folder_itself(collector, child))
			result = expand(collector, child, pattern, false, &here, err);
	}
	free_listing(&listing);
	return result;
}

static int expand(struct collector *collector, const char *path, struct str pattern, bool files_only,
		  const struct ancestor *above, struct error *err) {
	struct str rest;
	struct str part = str_cut(pattern, '/', &rest);
	if (str_eq(part, STR("**")))
		return expand_below(collector, path, pattern, rest, above, err);
	const char *name = arena_strdup(collector->arena, part);
	struct ancestor here;
	if (enter(collector, path, above, &here, err) < 0)
		return -1;
	if (strpbrk(name, "*?[") == NULL)
		return expand_child(collector, join(collector, path, name), rest, files_only, &here, err);
	struct file_listing listing;
	if (list(collector, path, &listing, err) < 0)
		return -1;
	int result = 0;
	for (int i = 0; i < listing.count && result == 0; i++)
		if (fnmatch(name, listing.entries[i]->d_name, FNM_PERIOD | FNM_NOESCAPE) == 0)
			result = expand_child(collector, join(collector, path, listing.entries[i]->d_name), rest,
					      files_only, &here, err);
	free_listing(&listing);
	return result;
}

/* "./dist/" is "dist", and "./" is ".". */
static struct str tidy(struct str pattern) {
	while (str_starts_with(pattern, STR("./")))
		pattern = str_from_offset(pattern, 2);
	if (pattern.len == 0)
		return STR(".");
	while (pattern.len > 1 && pattern.ptr[pattern.len - 1] == '/')
		pattern.len--;
	return pattern;
}

static int collect(struct collector *collector, const char *text, struct error *err) {
	struct str pattern = tidy(str_from(text));
	collector->matched = 0;
	if (str_eq(pattern, STR("."))) {
		if (add_all(collector, "", NULL, err) < 0)
			return -1;
	} else if (path_check_relative(pattern, err) < 0) {
		return error_wrap(err, "%s: \"deploy\"", collector->folder);
	} else if (expand(collector, "", pattern, false, NULL, err) < 0) {
		return -1;
	}
	if (collector->matched == 0)
		return error_set(err, CODE_NOT_FOUND, "%s: \"%s\" in \"deploy\" stands for no file; was it built?",
				 collector->folder, text);
	return 0;
}

static int by_path(const void *a, const void *b) {
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

int files_collect(const char *folder, const char *const *patterns, size_t count, struct arena *arena,
		  struct files *ret_files, struct error *err) {
	struct collector collector = {.folder = folder, .real_folder = realpath(folder, NULL), .arena = arena};
	if (collector.real_folder == NULL)
		return error_set_errno(err, errno, "could not find the folder %s", folder);
	int result = 0;
	map_init(&collector.seen);
	for (size_t i = 0; i < count && result == 0; i++)
		result = collect(&collector, patterns[i], err);
	map_deinit(&collector.seen);
	free(collector.real_folder);
	if (result == 0) {
		size_t size = collector.files.count * sizeof *collector.files.items;
		struct file *items = (struct file *)arena_copy(arena, str_new(collector.files.items, size)).ptr;
		qsort(items, collector.files.count, sizeof *items, by_path);
		*ret_files = (struct files){items, collector.files.count};
	}
	free(collector.files.items);
	return result;
}

/* --- contents ----------------------------------------------------------------------------------------------------- */

int files_open(const char *folder, const struct file *file, int *ret_fd, struct error *err) {
	char *path = mem_printf("%s/%s", folder, file->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(err, errno, "could not open %s", path);
	free(path);
	if (fd < 0)
		return -1;
	*ret_fd = fd;
	return 0;
}

int files_check(const char *folder, struct files *files, uint64_t max, struct error *err) {
	for (size_t i = 0; i < files->count; i++) {
		struct file *file = &files->items[i];
		struct stat status;
		int fd;
		if (files_open(folder, file, &fd, err) < 0)
			return -1;
		int failed = fstat(fd, &status);
		close(fd);
		if (failed < 0)
			return error_set_errno(err, errno, "could not read the attributes of %s/%s", folder,
					       file->path);
		file->size = (uint64_t)status.st_size;
		file->executable = (status.st_mode & 0111) != 0;
		if (max > 0 && file->size > max)
			return error_set(
				err, CODE_RESOURCE_EXHAUSTED,
				"%s/%s has %llu bytes; the Backplane takes files of at most %llu, which is its max-artefact; "
				"leave the file out of \"deploy\", or cut it into several",
				folder, file->path, (unsigned long long)file->size, (unsigned long long)max);
	}
	return 0;
}

static int hash(int fd, struct file *file, struct hasher *hasher, struct error *err) {
	struct stat status;
	char *chunk = mem_alloc(FILES_CHUNK);
	ssize_t got = fstat(fd, &status);
	file->size = 0;
	file->executable = got == 0 && (status.st_mode & 0111) != 0;
	while (got >= 0 && (got = read(fd, chunk, FILES_CHUNK)) > 0) {
		hasher_update(hasher, str_new(chunk, (size_t)got));
		file->size += (uint64_t)got;
	}
	free(chunk);
	return got < 0 ? error_set_errno(err, errno, "could not read %s", file->path) : 0;
}

int files_hash(const char *folder, struct file *file, struct error *err) {
	int fd;
	if (files_open(folder, file, &fd, err) < 0)
		return -1;
	struct hasher hasher;
	hasher_init(&hasher);
	int result = hash(fd, file, &hasher, err);
	if (result == 0)
		hasher_final(&hasher, &file->digest);
	hasher_deinit(&hasher);
	close(fd);
	return result;
}

const struct file *files_find(const struct files *files, const char *path) {
	const struct file wanted = {.path = path};
	return bsearch(&wanted, files->items, files->count, sizeof *files->items, by_path);
}
