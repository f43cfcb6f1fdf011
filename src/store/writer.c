/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/size.h"

#define TO(state) (1u << (state))

static const unsigned allowed[WRITER_STATE_COUNT] = {
	[WRITER_WORKS] = TO(WRITER_TROUBLED) | TO(WRITER_STOPS),
	[WRITER_TROUBLED] = TO(WRITER_WORKS) | TO(WRITER_STOPS),
	[WRITER_STOPS] = 0,
};

void writer_state_change(enum writer_state *state, enum writer_state next) {
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

/* --- trouble ------------------------------------------------------------------------------------------------------ */

static void trouble(struct store_writer *writer, const struct error *why, int64_t free_bytes) {
	if (writer->state == WRITER_STOPS)
		return;
	writer->trouble.why = *why;
	writer->trouble.free_bytes = free_bytes;
	if (writer->state == WRITER_TROUBLED)
		return;
	writer_state_change(&writer->state, WRITER_TROUBLED);
	writer->trouble.since_ms = loop_now_ms(writer->loop);
	writer->events->troubled(writer, why);
}

void store_writer_fail(struct store_writer *writer, const struct error *why) {
	trouble(writer, why, writer->state == WRITER_TROUBLED ? writer->trouble.free_bytes : -1);
}

static void recover(struct store_writer *writer) {
	if (writer->state != WRITER_TROUBLED)
		return;
	writer_state_change(&writer->state, WRITER_WORKS);
	writer->events->recovered(writer, loop_now_ms(writer->loop) - writer->trouble.since_ms);
}

const struct error *store_writer_trouble(const struct store_writer *writer) {
	return writer->state == WRITER_TROUBLED ? &writer->trouble.why : NULL;
}

char *store_writer_problem(const struct store_writer *writer, struct arena *arena) {
	char since[TIME_TEXT_MAX], every[TIME_TEXT_MAX], left[SIZE_TEXT_MAX] = "an unknown number of bytes";
	if (writer->state != WRITER_TROUBLED)
		return NULL;
	duration_format(since, (int64_t)(loop_now_ms(writer->loop) - writer->trouble.since_ms));
	duration_format(every, (int64_t)writer->retry_ms);
	if (writer->trouble.free_bytes >= 0)
		size_format(left, (uint64_t)writer->trouble.free_bytes);
	char *text = arena_printf(arena, "the store cannot be written: %s; since %s, tried again every %s",
				  writer->trouble.why.msg, since, every);
	return writer->folder != NULL ? arena_printf(arena, "%s; %s are free at %s", text, left, writer->folder) : text;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Called on the queue's thread, as a file system may be slow. */
static int64_t measure_disk(const char *folder) {
	struct statvfs disk;
	if (folder == NULL || statvfs(folder, &disk) < 0)
		return -1;
	return (int64_t)((uint64_t)disk.f_bavail * disk.f_frsize);
}

static void write_work(struct store_job *job, struct store *store) {
	struct store_writer *writer = CONTAINER_OF(job, struct store_writer, work.job);
	const struct store_change *change = &writer->work.save->change;
	writer->work.failed = store->ops->commit(store, writer->epoch, change, &writer->work.err) < 0;
	if (writer->work.failed)
		writer->work.free_bytes = measure_disk(writer->folder);
}

static bool can_never_succeed(const struct error *err) {
	return err->code == CODE_NOT_FOUND ||
	       (err->code == CODE_FAILED_PRECONDITION && strcmp(err->reason, "STALE_EPOCH") != 0);
}

/* Returns whether the write is tried again. */
static bool write_failed(struct store_writer *writer) {
	const struct error *err = &writer->work.err;
	if (writer->state == WRITER_STOPS || can_never_succeed(err)) {
		log_failure(LOG_ERROR, err, "dropped a change that could not be stored");
		return false;
	}
	trouble(writer, err, writer->work.free_bytes);
	timer_start(writer->loop, &writer->retry, writer->retry_ms);
	return true;
}

static void write_done(struct store_job *job) {
	struct store_writer *writer = CONTAINER_OF(job, struct store_writer, work.job);
	const struct store_change *change = &writer->work.save->change;
	bool stored = !writer->work.failed, again = !stored && write_failed(writer);
	if (stored && change->event_count > 0)
		writer->events->stored(writer, &change->events[change->event_count - 1]);
	write_behind_written(&writer->write_behind, !again);
	if (stored)
		recover(writer);
}

static void start_write(struct write_behind *write_behind, const struct save *save) {
	struct store_writer *writer = CONTAINER_OF(write_behind, struct store_writer, write_behind);
	ASSERT(writer->epoch > 0);
	writer->work.save = save;
	store_queue_add(writer->queue, &writer->work.job);
}

static void on_retry(struct timer *timer) {
	write_behind_retry(&CONTAINER_OF(timer, struct store_writer, retry)->write_behind);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void store_writer_init(struct store_writer *writer, struct loop *loop, struct store_queue *queue,
		       const struct store_writer_events *events) {
	*writer = (struct store_writer){.events = events, .loop = loop, .queue = queue, .retry_ms = STORE_RETRY_MS};
	write_behind_init(&writer->write_behind, start_write);
	list_init(&writer->work.job.link);
	writer->work.job.work = write_work;
	writer->work.job.done = write_done;
	writer->retry.fire = on_retry;
}

void store_writer_deinit(struct store_writer *writer) {
	write_behind_deinit(&writer->write_behind);
	free(writer->folder);
	writer->folder = NULL;
}

void store_writer_open(struct store_writer *writer, uint64_t epoch, const char *folder) {
	free(writer->folder);
	writer->folder = folder != NULL ? mem_strdup(folder) : NULL;
	writer->epoch = epoch;
}

void store_writer_close(struct store_writer *writer) {
	store_writer_open(writer, 0, NULL);
}

void store_writer_stop(struct store_writer *writer) {
	if (writer->state != WRITER_STOPS)
		writer_state_change(&writer->state, WRITER_STOPS);
	timer_stop(writer->loop, &writer->retry);
	if (writer->epoch == 0)
		return;
	write_behind_flush(&writer->write_behind);
	write_behind_retry(&writer->write_behind);
}
