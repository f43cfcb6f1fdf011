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

#define LOGBOOK_FILE_MAX MIB(8)
enum { LOGBOOK_TAIL_MAX = 10000 };

struct log_entry {
	int64_t time_ms;
	const char *level, *message, *module, *deployment_key, *runner_key;
	const char *attributes; /* a JSON object as text; empty: none */
};

struct logbook;

int logbook_open(const char *folder, struct logbook **ret_logbook, struct error *err);
void logbook_close(struct logbook *logbook);

/* Lines whose module is no name of one are dropped. */
void logbook_add(struct logbook *logbook, const struct log_entry *entry);

/* The last lines of a module (empty: of all, by time), oldest first, at most count and LOGBOOK_TAIL_MAX. The entry is
 * lent. */
void logbook_tail(const struct logbook *logbook, struct str module, size_t count,
		  void (*each)(void *data, const struct log_entry *entry), void *data);
