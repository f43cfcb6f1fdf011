/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of modules in DATA/logs (log_folder.h), written and read by a thread of libuv's pool, so that the control
 * thread never waits for the disk.
 *
 *   add ──▶ the batch that waits ──the job before it is done──▶ appended to the files
 *   tail ─▶ behind that batch ────────────────────────────────▶ done, on the loop
 *
 * Writes and reads happen one after the other, in the order of asking: a tail has every line that was added before it,
 * and none that was added later.
 */
#pragma once

#include "backplane/services/log_folder.h"
#include "net/work_queue.h"

/* Lines that wait for the disk. Further ones are dropped, counted, and told in the log of the Backplane and of their
 * module. */
enum { LOG_FILES_WAITING_MAX = 20000 };
#define LOG_FILES_WAITING_BYTES_MAX MIB(16)

struct log_files;

/* Blocks: to be called before the loop serves. */
int log_files_open(const char *path, struct loop *loop, struct log_files **ret_log_files, struct error *err);
/* When nothing is at work any more: the loop has run out (loop_run_out). Takes NULL. */
void log_files_close(struct log_files *log_files);

/* Copies the entry. Entries whose module is not the name of a module, or whose text is not UTF-8, are ignored. */
void log_files_add(struct log_files *log_files, const struct log_entry *entry);

/* A tail that is being read. Embedded in its owner, whose it is again in done, with the entries, to be freed by
 * log_tail_deinit. */
struct log_files_tail {
	void (*done)(struct log_files_tail *tail); /* on the loop, exactly once, never from inside */
	struct log_tail tail;
	/* While it is read: */
	struct log_files *log_files;
	struct work work;
	struct str module;
	size_t count;
};

/* module (empty: all) is lent until done. */
void log_files_tail(struct log_files *log_files, struct log_files_tail *tail, struct str module, size_t count);

/* Embedded in its owner, whose it is again in done: each line that was added before is in its file, unless the disk
 * refused it. */
struct log_files_flush {
	void (*done)(struct log_files_flush *flush); /* on the loop, exactly once, never from inside */
	struct work work;
};

void log_files_flush(struct log_files *log_files, struct log_files_flush *flush);
