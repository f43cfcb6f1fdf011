/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/log_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/path.h"
#include "schema/schema.h"

struct log_files {
	char *folder;
	struct map files; /* struct log_file by module */
	bool told; /* of a write that failed */
};

struct log_file {
	int fd;
	size_t size;
};

int log_files_open(const char *folder, struct log_files **ret_logbook, struct error *err) {
	if (path_make_folders(folder, err) < 0)
		return -1;
	struct log_files *log_files = mem_zalloc(sizeof *log_files);
	log_files->folder = mem_strdup(folder);
	map_init(&log_files->files);
	*ret_logbook = log_files;
	return 0;
}

void log_files_close(struct log_files *log_files) {
	if (log_files == NULL)
		return;
	for (size_t cursor = 0;;) {
		struct log_file *file = map_next(&log_files->files, &cursor);
		if (file == NULL)
			break;
		close(file->fd);
		free(file);
	}
	map_deinit(&log_files->files);
	free(log_files->folder);
	free(log_files);
}

static char *path_of(const struct log_files *log_files, struct str module, const char *suffix) {
	return mem_printf("%s/%.*s.log%s", log_files->folder, STR_ARG(module), suffix);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static struct log_file *open_file(struct log_files *log_files, struct str module) {
	struct log_file *file = map_get(&log_files->files, module);
	if (file != NULL)
		return file;
	char *path = path_of(log_files, module, "");
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	file = mem_alloc(sizeof *file);
	*file = (struct log_file){.fd = fd, .size = (size_t)status.st_size};
	map_put(&log_files->files, module, file);
	return file;
}

static void turn_over(struct log_files *log_files, struct str module) {
	struct log_file *file = map_remove(&log_files->files, module);
	char *path = path_of(log_files, module, ""), *before = path_of(log_files, module, ".1");
	close(file->fd);
	free(file);
	if (rename(path, before) < 0)
		log_warn("could not turn %s over: %s", path, strerror(errno));
	free(path);
	free(before);
}

static char *to_line(const struct log_entry *entry) {
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

void log_files_add(struct log_files *log_files, const struct log_entry *entry) {
	struct str module = str_from(entry->module);
	if (!schema_is_name(module))
		return;
	struct log_file *file = open_file(log_files, module);
	char *line = to_line(entry);
	struct buf whole = BUF_INIT(MIB(1));
	bool failed = file == NULL || line == NULL || buf_printf(&whole, "%s\n", line) < 0 ||
		      write(file->fd, buf_view(&whole).ptr, buf_len(&whole)) < 0;
	if (failed && !log_files->told)
		log_error("lines of %s are lost: %s", entry->module, strerror(errno));
	log_files->told = failed;
	if (!failed && (file->size += buf_len(&whole)) > LOG_FILES_FILE_MAX)
		turn_over(log_files, module);
	buf_deinit(&whole);
	free(line);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct tail {
	json_t **lines;
	size_t count, max;
};

static int compare_times(const void *a, const void *b) {
	json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "time_ms"));
	json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "time_ms"));
	return left < right ? -1 : left > right;
}

/* Where the last max lines of text begin. */
static struct str last_lines(struct str text, size_t max) {
	size_t at = text.len, lines = 0;
	while (at > 0 && (lines < max || text.ptr[at - 1] != '\n')) {
		at--;
		lines += at > 0 && text.ptr[at - 1] == '\n';
	}
	return str_from_offset(text, at);
}

static void read_file(const char *path, size_t max, struct tail *tail) {
	char *bytes;
	size_t len;
	/* A file may be over its maximum by one line. */
	if (file_read(path, LOG_FILES_FILE_MAX + MIB(1), &bytes, &len, NULL) < 0)
		return;
	for (struct str rest = last_lines(str_new(bytes, len), max); rest.ptr != NULL && tail->count < tail->max;) {
		struct str line = str_cut(rest, '\n', &rest);
		json_t *parsed = json_loadb(line.ptr, line.len, 0, NULL);
		if (parsed != NULL)
			tail->lines[tail->count++] = parsed;
	}
	free(bytes);
}

static void read_module(const struct log_files *log_files, struct str module, size_t max, struct tail *tail) {
	size_t before = tail->count;
	char *path = path_of(log_files, module, ""), *older = path_of(log_files, module, ".1");
	read_file(path, max, tail);
	size_t got = tail->count - before;
	if (got < max)
		read_file(older, max - got, tail);
	free(path);
	free(older);
}

static const char *text_of(const json_t *line, const char *key) {
	const char *text = json_string_value(json_object_get(line, key));
	return text ? text : "";
}

static void show_tail(struct tail *tail, size_t count, void (*each)(void *data, const struct log_entry *entry),
		      void *data) {
	qsort(tail->lines, tail->count, sizeof *tail->lines, compare_times);
	for (size_t i = 0; i < tail->count; i++) {
		const json_t *line = tail->lines[i];
		const struct log_entry entry = {
			.time_ms = json_integer_value(json_object_get(line, "time_ms")),
			.level = text_of(line, "level"),
			.message = text_of(line, "message"),
			.module = text_of(line, "module"),
			.deployment_key = text_of(line, "deployment"),
			.runner_key = text_of(line, "runner"),
			.attributes = text_of(line, "attributes"),
		};
		if (i + count >= tail->count)
			each(data, &entry);
		json_decref(tail->lines[i]);
	}
}

void log_files_tail(const struct log_files *log_files, struct str module, size_t count,
		    void (*each)(void *data, const struct log_entry *entry), void *data) {
	count = MIN(count, (size_t)LOG_FILES_TAIL_MAX);
	enum { FILES_MAX = 64 }; /* lines of more modules than this are not sorted into one tail */
	size_t files = module.len > 0 ? 1 : FILES_MAX;
	struct tail tail = {.lines = mem_alloc((files * (count + 1)) * sizeof(json_t *)), .max = files * (count + 1)};
	if (module.len > 0) {
		if (schema_is_name(module))
			read_module(log_files, module, count, &tail);
	} else {
		DIR *folder = opendir(log_files->folder);
		for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
			struct str name = str_from(entry->d_name);
			if (str_ends_with(name, STR(".log")))
				read_module(log_files, str_new(name.ptr, name.len - 4), count, &tail);
		}
		if (folder != NULL)
			closedir(folder);
	}
	show_tail(&tail, count, each, data);
	free(tail.lines);
}
