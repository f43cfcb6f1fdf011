/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of modules: kept in files of bounded size, DATA/logs/MODULE.log and the one before it, MODULE.log.1, and
 * handed to those who follow.
 *
 * A line of a file is a JSON object. Lines are not synced: a power cut may lose the last few.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

#define LOG_FILES_FILE_MAX MIB(8)
enum { LOG_FILES_TAIL_MAX = 10000 };

struct log_entry {
	int64_t time_ms;
	const char *level, *message, *module, *deployment_key, *runner_key;
	const char *attributes; /* a JSON object as text; empty: none */
};

struct log_files;

int log_files_open(const char *folder, struct log_files **ret_logbook, struct error *err);
void log_files_close(struct log_files *log_files);

/* Lines whose module is no name of one are dropped. */
void log_files_add(struct log_files *log_files, const struct log_entry *entry);

/* The last lines of a module (empty: of all, by time), oldest first, at most count and LOG_FILES_TAIL_MAX. The entry is
 * lent. */
void log_files_tail(const struct log_files *log_files, struct str module, size_t count,
		    void (*each)(void *data, const struct log_entry *entry), void *data);
