/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log files of modules: FOLDER/MODULE.log, and MODULE.log.1 with older lines. Both have a maximum size. A line is a
 * JSON object. Lines are not synced: a power failure may lose the last ones.
 *
 * All functions block on the disk, and one thread at a time may call them. log_files.h runs them on libuv's pool.
 */
#pragma once

#include "backplane/services/log_filter.h"
#include "base/error.h"
#include "base/str.h"

#define LOG_FOLDER_FILE_MAX MIB(8)
#define LOG_FOLDER_OPEN_MAX 64 /* files at once */
enum { LOG_FOLDER_TAIL_MAX = 10000 };

struct log_entry {
	int64_t time_ms;
	const char *level, *message, *module, *deployment_key, *runner_key;
	const char *attributes; /* a JSON object as text; empty: none */
};

struct log_folder;

int log_folder_open(const char *path, struct log_folder **ret_folder, struct error *err);
void log_folder_close(struct log_folder *folder); /* takes NULL */

/* The line of an entry without its '\n', to be freed by the caller. NULL: a text of the entry is not UTF-8. */
char *log_entry_to_line(const struct log_entry *entry);

/* Appends complete lines, each with its '\n', to the log of a module. */
int log_folder_append(struct log_folder *folder, struct str module, struct str lines, struct error *err);

/* Entries that were read, oldest first. */
struct log_tail {
	struct log_entry *entries;
	size_t count;
	struct log_line {
		struct json_t *parsed;
		int64_t time_ms;
		size_t position; /* among the lines of its module's files */
	} * lines; /* own the texts of the entries */
	size_t line_count;
	bool is_kept[LOG_FILTER_MODULES_MAX]; /* by module of the filter: there are lines of it, chosen or not */
};

/* Reads the last entries that the filter takes, sorted by time: at most count, and at most LOG_FOLDER_TAIL_MAX. Leaves
 * out files and lines that it cannot read. */
void log_folder_tail(const struct log_folder *folder, const struct log_filter *filter, size_t count,
		     struct log_tail *ret_tail);
void log_tail_deinit(struct log_tail *tail);
