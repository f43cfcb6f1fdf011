/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log files of modules in DATA/logs (log_folder.h), written and read on libuv's pool, so that the control thread
 * never waits for the disk.
 *
 *   log_files_add  ─▶ the open batch ──the work before it is done──▶ appended to the files
 *   log_files_tail ─▶ queued behind that batch ────────────────────▶ done, on the loop
 *
 * Writes and reads run one at a time, in the order of the calls: a tail has every line that was added before it, and
 * none that was added later.
 */
#pragma once

#include "backplane/services/log_folder.h"
#include "net/work_queue.h"

/* Limit of lines that wait for the disk. Further lines are dropped and counted; the number goes to the logs of the
 * Backplane and of their module once there is room. */
enum { LOG_FILES_WAITING_MAX = 20000 };
#define LOG_FILES_WAITING_BYTES_MAX MIB(16)

struct log_files;

/* Blocks on the disk, so it is called before the loop runs. */
int log_files_open(const char *path, struct loop *loop, struct log_files **ret_log_files, struct error *err);
/* Called once the loop has run out (loop_run_out). Takes NULL. */
void log_files_close(struct log_files *log_files);

/* Copies the entry. An entry whose module is not a valid name, or whose text is not UTF-8, is ignored. */
void log_files_add(struct log_files *log_files, const struct log_entry *entry);

/* A tail that is being read. Embedded in its owner, which must leave it alone until done. The owner then frees the
 * entries with log_tail_deinit. */
struct log_files_tail {
	void (*done)(struct log_files_tail *tail); /* on the loop, exactly once, never from inside log_files_tail */
	struct log_tail tail;
	/* Set while the tail is being read: */
	struct log_files *log_files;
	struct work work;
	const struct log_filter *filter;
	size_t count;
};

/* filter is borrowed until done. */
void log_files_tail(struct log_files *log_files, struct log_files_tail *tail, const struct log_filter *filter,
		    size_t count);

/* Waits until each line that was added before is in its file, unless its write failed. Embedded in its owner, which
 * must leave it alone until done. */
struct log_files_flush {
	void (*done)(struct log_files_flush *flush); /* on the loop, exactly once, never from inside log_files_flush */
	struct work work;
};

void log_files_flush(struct log_files *log_files, struct log_files_flush *flush);
