/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/log_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/path.h"
#include "schema/schema.h"

/* Limit of modules whose logs a tail of all modules reads. */
enum { TAIL_MODULES_MAX = 64 };

struct log_folder {
	char *path;
	struct map files; /* struct log_file by module */
};

struct log_file {
	int fd;
	size_t size;
};

int log_folder_open(const char *path, struct log_folder **ret_folder, struct error *err) {
	if (path_make_folders(path, err) < 0)
		return -1;
	struct log_folder *folder = mem_zalloc(sizeof *folder);
	folder->path = mem_strdup(path);
	map_init(&folder->files);
	*ret_folder = folder;
	return 0;
}

/* A module that publishes again has its file opened again. */
static void close_files(struct log_folder *folder) {
	struct log_file *file;
	for (size_t cursor = 0; (file = map_next(&folder->files, &cursor)) != NULL;) {
		close(file->fd);
		free(file);
	}
	map_deinit(&folder->files);
	map_init(&folder->files);
}

void log_folder_close(struct log_folder *folder) {
	if (folder == NULL)
		return;
	close_files(folder);
	map_deinit(&folder->files);
	free(folder->path);
	free(folder);
}

static char *path_of(const struct log_folder *folder, struct str module, const char *suffix) {
	return mem_printf("%s/%.*s.log%s", folder->path, STR_ARG(module), suffix);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

char *log_entry_to_line(const struct log_entry *entry) {
	json_t *line = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "time_ms", (json_int_t)entry->time_ms, "level",
				 entry->level, "message", entry->message, "module", entry->module, "deployment",
				 entry->deployment_key, "runner", entry->runner_key);
	if (line == NULL)
		return NULL;
	if (entry->attributes[0] != '\0')
		json_object_set_new(line, "attributes", json_string(entry->attributes));
	char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	return text;
}

static struct log_file *open_file(struct log_folder *folder, struct str module, struct error *err) {
	struct log_file *file = map_get(&folder->files, module);
	if (file != NULL)
		return file;
	if (folder->files.len >= LOG_FOLDER_OPEN_MAX)
		close_files(folder);
	char *path = path_of(folder, module, "");
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		error_set_errno(err, errno, "could not open %s", path);
		free(path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	free(path);
	file = mem_alloc(sizeof *file);
	*file = (struct log_file){.fd = fd, .size = (size_t)status.st_size};
	map_put(&folder->files, module, file);
	return file;
}

/* Renames MODULE.log to MODULE.log.1; the next line begins a new file. */
static void rotate(struct log_folder *folder, struct str module) {
	struct log_file *file = map_remove(&folder->files, module);
	char *path = path_of(folder, module, ""), *before = path_of(folder, module, ".1");
	close(file->fd);
	free(file);
	if (rename(path, before) < 0)
		log_warn("could not rename %s to %s: %s", path, before, strerror(errno));
	free(path);
	free(before);
}

/* The lines that fit into a file of that size before it reaches its maximum, and at least one. */
static struct str cut_lines(struct str lines, size_t size) {
	size_t room = LOG_FOLDER_FILE_MAX - MIN(size, (size_t)LOG_FOLDER_FILE_MAX), end = MIN(room, lines.len);
	while (end > 0 && lines.ptr[end - 1] != '\n')
		end--;
	if (end == 0)
		end = (size_t)((const char *)memchr(lines.ptr, '\n', lines.len) - lines.ptr) + 1;
	return str_new(lines.ptr, end);
}

static int write_all(const struct log_file *file, struct str bytes, struct str module, struct error *err) {
	while (bytes.len > 0) {
		ssize_t put = write(file->fd, bytes.ptr, bytes.len);
		if (put < 0 && errno != EINTR)
			return error_set_errno(err, errno, "could not write the log of %.*s", STR_ARG(module));
		bytes = str_from_offset(bytes, put > 0 ? (size_t)put : 0);
	}
	return 0;
}

int log_folder_append(struct log_folder *folder, struct str module, struct str lines, struct error *err) {
	while (lines.len > 0) {
		struct log_file *file = open_file(folder, module, err);
		if (file == NULL)
			return -1;
		struct str fitting = cut_lines(lines, file->size);
		if (write_all(file, fitting, module, err) < 0) {
			/* A piece of a line would spoil the next one. */
			if (ftruncate(file->fd, (off_t)file->size) < 0)
				log_warn("could not cut the log of %.*s: %s", STR_ARG(module), strerror(errno));
			return -1;
		}
		lines = str_from_offset(lines, fitting.len);
		file->size += fitting.len;
		if (file->size >= LOG_FOLDER_FILE_MAX)
			rotate(folder, module);
	}
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* By time; lines of the same millisecond stay in the order of their file. */
static int compare_lines(const void *a, const void *b) {
	const struct log_line *left = a, *right = b;
	if (left->time_ms != right->time_ms)
		return left->time_ms < right->time_ms ? -1 : 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

static const char *text_of(const json_t *line, const char *key) {
	const char *text = json_string_value(json_object_get(line, key));
	return text ? text : "";
}

static struct log_entry to_entry(const json_t *line) {
	return (struct log_entry){
		.time_ms = json_integer_value(json_object_get(line, "time_ms")),
		.level = text_of(line, "level"),
		.message = text_of(line, "message"),
		.module = text_of(line, "module"),
		.deployment_key = text_of(line, "deployment"),
		.runner_key = text_of(line, "runner"),
		.attributes = text_of(line, "attributes"),
	};
}

/* What of the files goes into a tail. */
struct log_reading {
	const struct log_filter *filter;
	size_t max; /* lines of one module */
	struct log_tail *tail; /* its lines have room for that */
};

/* Takes the last line off text. */
static struct str last_line(struct str *text) {
	size_t at = text->len;
	while (at > 0 && text->ptr[at - 1] != '\n')
		at--;
	struct str line = str_from_offset(*text, at);
	text->len = at > 0 ? at - 1 : 0;
	return line;
}

/* Keeps the line if the filter takes it. */
static bool keep_line(const struct log_reading *reading, struct str line, size_t position) {
	json_t *parsed = line.len > 0 ? json_loadb(line.ptr, line.len, 0, NULL) : NULL;
	if (parsed == NULL)
		return false;
	const struct log_entry entry = to_entry(parsed);
	if (!log_filter_takes(reading->filter, &entry)) {
		json_decref(parsed);
		return false;
	}
	reading->tail->lines[reading->tail->line_count++] = (struct log_line){parsed, entry.time_ms, position};
	return true;
}

/* Reads a file from its end on, until max lines are kept. Their positions count down from that of the end. */
static size_t read_file(const struct log_reading *reading, const char *path, size_t max, size_t end) {
	char *bytes;
	size_t len, kept = 0;
	/* A file may be over its maximum by one line. */
	if (file_read(path, LOG_FOLDER_FILE_MAX + MIB(1), &bytes, &len, NULL) < 0)
		return 0;
	for (struct str rest = str_new(bytes, len); rest.len > 0 && kept < max; end--)
		kept += keep_line(reading, last_line(&rest), end);
	free(bytes);
	return kept;
}

static void read_module(const struct log_folder *folder, const struct log_reading *reading, struct str module) {
	/* More than the lines of a file, so that those of the newer file are behind those of the older. */
	const size_t newer_end = 4 * (size_t)LOG_FOLDER_FILE_MAX, older_end = newer_end / 2;
	char *path = path_of(folder, module, ""), *older = path_of(folder, module, ".1");
	size_t kept = read_file(reading, path, reading->max, newer_end);
	if (kept < reading->max)
		read_file(reading, older, reading->max - kept, older_end);
	free(path);
	free(older);
}

/* Reads the logs of at most TAIL_MODULES_MAX modules. */
static void read_all(const struct log_folder *folder, const struct log_reading *reading) {
	DIR *entries = opendir(folder->path);
	size_t modules = 0;
	for (struct dirent *entry;
	     entries != NULL && modules < TAIL_MODULES_MAX && (entry = readdir(entries)) != NULL;) {
		struct str name = str_from(entry->d_name);
		if (!str_ends_with(name, STR(".log")))
			continue;
		read_module(folder, reading, str_new(name.ptr, name.len - 4));
		modules++;
	}
	if (entries != NULL)
		closedir(entries);
}

static bool has_file(const struct log_folder *folder, struct str module) {
	char *path = path_of(folder, module, "");
	bool has = access(path, F_OK) == 0;
	free(path);
	return has;
}

void log_folder_tail(const struct log_folder *folder, const struct log_filter *filter, size_t count,
		     struct log_tail *ret_tail) {
	count = MIN(count, (size_t)LOG_FOLDER_TAIL_MAX);
	size_t modules = filter->module_count > 0 ? filter->module_count : TAIL_MODULES_MAX;
	struct log_tail tail = {.lines = mem_alloc((modules * count + 1) * sizeof *ret_tail->lines)};
	const struct log_reading reading = {.filter = filter, .max = count, .tail = &tail};
	if (filter->module_count == 0)
		read_all(folder, &reading);
	for (size_t i = 0; i < filter->module_count; i++) {
		read_module(folder, &reading, str_from(filter->modules[i]));
		tail.is_kept[i] = has_file(folder, str_from(filter->modules[i]));
	}
	qsort(tail.lines, tail.line_count, sizeof *tail.lines, compare_lines);
	tail.count = MIN(tail.line_count, count);
	tail.entries = mem_alloc((tail.count + 1) * sizeof *tail.entries);
	for (size_t i = 0; i < tail.count; i++)
		tail.entries[i] = to_entry(tail.lines[tail.line_count - tail.count + i].parsed);
	*ret_tail = tail;
}

void log_tail_deinit(struct log_tail *tail) {
	for (size_t i = 0; i < tail->line_count; i++)
		json_decref(tail->lines[i].parsed);
	free(tail->entries);
	free(tail->lines);
}
