/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/log_files.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "schema/schema.h"

/* Limit of modules whose dropped lines are counted separately, for a warning in the module's own log. */
enum { DROPPED_MODULES_MAX = 256 };

struct log_files {
	struct loop *loop;
	struct work_queue queue; /* runs one piece of work at a time */
	size_t waiting_lines, waiting_bytes;
	uint64_t dropped; /* dropped lines that were not reported yet */
	struct map dropped_of; /* struct dropped by module */
	struct {
		pthread_mutex_t lock;
		struct batch *open; /* the last batch of the queue, which has not started; NULL: none */
	} shared;
	struct { /* used by the queue's thread only */
		struct log_folder *folder;
		bool failing; /* the last write failed, and that was logged */
	} disk;
};

struct dropped {
	char *module;
	uint64_t lines;
};

/* The lines of one module in a batch, appended by one write. */
struct section {
	char *module;
	struct buf lines;
};

struct batch {
	struct log_files *log_files;
	struct work work;
	struct map sections; /* struct section by module */
	size_t lines, bytes;
};

int log_files_open(const char *path, struct loop *loop, struct log_files **ret_log_files, struct error *err) {
	struct log_folder *folder;
	if (log_folder_open(path, &folder, err) < 0)
		return -1;
	struct log_files *log_files = mem_zalloc(sizeof *log_files);
	log_files->loop = loop;
	log_files->disk.folder = folder;
	work_queue_init(&log_files->queue, 1);
	pthread_mutex_init(&log_files->shared.lock, NULL);
	map_init(&log_files->dropped_of);
	*ret_log_files = log_files;
	return 0;
}

static void forget_dropped(struct log_files *log_files) {
	struct dropped *dropped;
	for (size_t cursor = 0; (dropped = map_next(&log_files->dropped_of, &cursor)) != NULL;) {
		free(dropped->module);
		free(dropped);
	}
	map_deinit(&log_files->dropped_of);
	map_init(&log_files->dropped_of);
	log_files->dropped = 0;
}

void log_files_close(struct log_files *log_files) {
	if (log_files == NULL)
		return;
	forget_dropped(log_files);
	work_queue_deinit(&log_files->queue);
	pthread_mutex_destroy(&log_files->shared.lock);
	log_folder_close(log_files->disk.folder);
	free(log_files);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void batch_free(struct batch *batch) {
	struct section *section;
	for (size_t cursor = 0; (section = map_next(&batch->sections, &cursor)) != NULL;) {
		buf_deinit(&section->lines);
		free(section->module);
		free(section);
	}
	map_deinit(&batch->sections);
	free(batch);
}

/* Lines that are added from now on go into the next batch. */
static void close_batch(struct log_files *log_files, const struct batch *batch) {
	pthread_mutex_lock(&log_files->shared.lock);
	if (log_files->shared.open == batch)
		log_files->shared.open = NULL;
	pthread_mutex_unlock(&log_files->shared.lock);
}

static void run_batch(struct work *work) {
	struct batch *batch = CONTAINER_OF(work, struct batch, work);
	struct log_files *log_files = batch->log_files;
	struct section *section;
	struct error err;
	bool failed = false;
	close_batch(log_files, batch);
	for (size_t cursor = 0; (section = map_next(&batch->sections, &cursor)) != NULL;) {
		if (log_folder_append(log_files->disk.folder, str_from(section->module), buf_view(&section->lines),
				      &err) == 0)
			continue;
		if (!log_files->disk.failing && !failed)
			log_failure(LOG_ERROR, &err, "log lines of modules are lost");
		failed = true;
	}
	log_files->disk.failing = failed;
}

/* Whether half of the queue is free again, so that there is room for the warnings about dropped lines, too. */
static bool has_caught_up(const struct log_files *log_files) {
	return log_files->waiting_lines < LOG_FILES_WAITING_MAX / 2 &&
	       log_files->waiting_bytes < LOG_FILES_WAITING_BYTES_MAX / 2;
}

static void report_dropped(struct log_files *log_files) {
	struct map modules = log_files->dropped_of;
	struct dropped *dropped;
	log_warn("%llu log lines of modules were dropped: more than %d lines, or %zu MiB of them, waited for the disk",
		 (unsigned long long)log_files->dropped, LOG_FILES_WAITING_MAX,
		 (size_t)LOG_FILES_WAITING_BYTES_MAX >> 20);
	map_init(&log_files->dropped_of);
	log_files->dropped = 0;
	for (size_t cursor = 0; (dropped = map_next(&modules, &cursor)) != NULL;) {
		char message[128];
		snprintf(message, sizeof message,
			 "%llu lines were dropped here: the disk of the Backplane was too slow for them",
			 (unsigned long long)dropped->lines);
		log_files_add(log_files, &(struct log_entry){.time_ms = clock_wall_ms(),
							     .level = log_level_name(LOG_WARN),
							     .message = message,
							     .module = dropped->module,
							     .deployment_key = "",
							     .runner_key = "",
							     .attributes = ""});
		free(dropped->module);
		free(dropped);
	}
	map_deinit(&modules);
}

static void on_batch_done(struct work *work) {
	struct batch *batch = CONTAINER_OF(work, struct batch, work);
	struct log_files *log_files = batch->log_files;
	log_files->waiting_lines -= batch->lines;
	log_files->waiting_bytes -= batch->bytes;
	batch_free(batch);
	if (log_files->dropped > 0 && has_caught_up(log_files))
		report_dropped(log_files);
}

static struct batch *batch_new(struct log_files *log_files) {
	struct batch *batch = mem_zalloc(sizeof *batch);
	batch->log_files = log_files;
	batch->work = (struct work){.run = run_batch, .done = on_batch_done};
	map_init(&batch->sections);
	return batch;
}

static void batch_add(struct batch *batch, struct str module, struct str line) {
	struct section *section = map_get(&batch->sections, module);
	if (section == NULL) {
		section = mem_alloc(sizeof *section);
		*section = (struct section){.module = mem_strndup(module.ptr, module.len),
					    .lines = BUF_INIT(2 * LOG_FILES_WAITING_BYTES_MAX)};
		map_put(&batch->sections, module, section);
	}
	int over = buf_append(&section->lines, line);
	ASSERT(over == 0);
	over = buf_append(&section->lines, STR("\n"));
	ASSERT(over == 0);
	batch->lines++;
	batch->bytes += line.len + 1;
}

static void keep(struct log_files *log_files, struct str module, struct str line) {
	log_files->waiting_lines++;
	log_files->waiting_bytes += line.len + 1;
	pthread_mutex_lock(&log_files->shared.lock);
	struct batch *batch = log_files->shared.open;
	bool is_new = batch == NULL;
	if (is_new)
		log_files->shared.open = batch = batch_new(log_files);
	batch_add(batch, module, line);
	pthread_mutex_unlock(&log_files->shared.lock);
	if (is_new)
		work_queue_add(&log_files->queue, log_files->loop, &batch->work);
}

static void drop(struct log_files *log_files, struct str module) {
	struct dropped *dropped = map_get(&log_files->dropped_of, module);
	if (dropped == NULL && log_files->dropped_of.len < DROPPED_MODULES_MAX) {
		dropped = mem_zalloc(sizeof *dropped);
		dropped->module = mem_strndup(module.ptr, module.len);
		map_put(&log_files->dropped_of, module, dropped);
	}
	if (dropped != NULL)
		dropped->lines++;
	log_files->dropped++;
}

void log_files_add(struct log_files *log_files, const struct log_entry *entry) {
	struct str module = str_from(entry->module);
	char *line = schema_is_name(module) ? log_entry_to_line(entry) : NULL;
	if (line == NULL)
		return;
	struct str text = str_from(line);
	if (log_files->waiting_lines < LOG_FILES_WAITING_MAX &&
	    log_files->waiting_bytes + text.len < LOG_FILES_WAITING_BYTES_MAX)
		keep(log_files, module, text);
	else
		drop(log_files, module);
	free(line);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Queues work. Lines that are added from now on go into a batch behind it. */
static void add_work(struct log_files *log_files, struct work *work) {
	pthread_mutex_lock(&log_files->shared.lock);
	log_files->shared.open = NULL;
	pthread_mutex_unlock(&log_files->shared.lock);
	work_queue_add(&log_files->queue, log_files->loop, work);
}

static void run_tail(struct work *work) {
	struct log_files_tail *tail = CONTAINER_OF(work, struct log_files_tail, work);
	log_folder_tail(tail->log_files->disk.folder, tail->filter, tail->count, &tail->tail);
}

static void on_tail_done(struct work *work) {
	struct log_files_tail *tail = CONTAINER_OF(work, struct log_files_tail, work);
	tail->done(tail);
}

void log_files_tail(struct log_files *log_files, struct log_files_tail *tail, const struct log_filter *filter,
		    size_t count) {
	tail->log_files = log_files;
	tail->filter = filter;
	tail->count = count;
	tail->work = (struct work){.run = run_tail, .done = on_tail_done};
	add_work(log_files, &tail->work);
}

static void run_flush(struct work *work UNUSED) {
}

static void on_flushed(struct work *work) {
	struct log_files_flush *flush = CONTAINER_OF(work, struct log_files_flush, work);
	flush->done(flush);
}

void log_files_flush(struct log_files *log_files, struct log_files_flush *flush) {
	flush->work = (struct work){.run = run_flush, .done = on_flushed};
	add_work(log_files, &flush->work);
}
