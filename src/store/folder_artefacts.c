/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each operation is one piece of work on the pool. A writer opens its file with its first write, and a reader with its
 * first read, so that making one does not touch the disk.
 *
 * `users` counts the writers, readers and operations. Freeing an unfinished writer is work as well, as it removes a
 * file: the writer is a user until that is done. The folder closes when the last user is gone.
 */
#include "store/folder_artefacts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "store/artefact_files.h"

/* Contents after which a long artefacts_have lets other operations use its thread. */
enum { HAVE_STEP = 64 };

struct folder_artefacts {
	struct artefacts artefacts;
	struct artefact_files *files;
	struct work_queue queue;
	struct {
		pthread_mutex_t lock;
		size_t users;
		struct artefact_op *closing; /* waits for the last user; NULL: none */
	} shared;
};

struct folder_writer {
	struct artefact_writer writer;
	struct artefact_file_writer *file; /* NULL before the first write, and after the commit or an error */
	struct str bytes; /* of the operation */
	struct digest *ret_digest;
	struct work discard;
};

struct folder_reader {
	struct artefact_reader reader;
	struct digest digest;
	struct artefact_file_reader *file; /* NULL before the first read, and after the end or an error */
	bool ended;
	char *bytes; /* of the operation */
	size_t size, *ret_len;
	struct work discard;
};

static struct folder_artefacts *folder_of(struct artefacts *artefacts) {
	return CONTAINER_OF(artefacts, struct folder_artefacts, artefacts);
}

static struct folder_writer *writer_of(struct artefact_writer *writer) {
	return CONTAINER_OF(writer, struct folder_writer, writer);
}

static struct folder_reader *reader_of(struct artefact_reader *reader) {
	return CONTAINER_OF(reader, struct folder_reader, reader);
}

/* --- users -------------------------------------------------------------------------------------------------------- */

static void retain(struct folder_artefacts *folder) {
	pthread_mutex_lock(&folder->shared.lock);
	ASSERT(folder->shared.closing == NULL || folder->shared.users > 0);
	folder->shared.users++;
	pthread_mutex_unlock(&folder->shared.lock);
}

/* The last user starts the close. The caller may not use the folder afterwards. */
static void release(struct folder_artefacts *folder) {
	pthread_mutex_lock(&folder->shared.lock);
	struct artefact_op *closing = --folder->shared.users == 0 ? folder->shared.closing : NULL;
	pthread_mutex_unlock(&folder->shared.lock);
	if (closing != NULL)
		loop_post(closing->loop, &closing->task);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static struct artefact_op *op_of(struct work *work) {
	return CONTAINER_OF(work, struct artefact_op, work);
}

static void finish(struct artefact_op *op) {
	struct folder_artefacts *folder = folder_of(op->artefacts);
	op->done(op, op->failed ? &op->err : NULL);
	release(folder);
}

static void on_op_done(struct work *work) {
	finish(op_of(work));
}

static void start(struct folder_artefacts *folder, struct artefact_op *op, void (*run)(struct work *work),
		  void (*done)(struct work *work)) {
	retain(folder);
	op->artefacts = &folder->artefacts;
	op->failed = false;
	op->work.run = run;
	op->work.done = done;
	work_queue_add(&folder->queue, op->loop, &op->work);
}

/* --- what is in place --------------------------------------------------------------------------------------------- */

static void run_have(struct work *work) {
	struct artefact_op *op = op_of(work);
	struct artefact_files *files = folder_of(op->artefacts)->files;
	size_t end = MIN(op->have.at + HAVE_STEP, op->have.count);
	for (; op->have.at < end; op->have.at++)
		op->have.ret_have[op->have.at] = artefact_files_have(files, &op->have.digests[op->have.at]);
}

static bool is_closing(struct folder_artefacts *folder) {
	pthread_mutex_lock(&folder->shared.lock);
	bool closing = folder->shared.closing != NULL;
	pthread_mutex_unlock(&folder->shared.lock);
	return closing;
}

/* Ends early when the folder closes: on a slow disk many contents take minutes. */
static void on_have_done(struct work *work) {
	struct artefact_op *op = op_of(work);
	struct folder_artefacts *folder = folder_of(op->artefacts);
	bool is_answered = op->have.at == op->have.count;
	if (!is_answered && !is_closing(folder)) {
		work_queue_add(&folder->queue, op->loop, work);
		return;
	}
	if (!is_answered) {
		op->failed = true;
		error_set(&op->err, CODE_UNAVAILABLE, "the artefacts are being closed; ask again");
	}
	finish(op);
}

static void folder_have(struct artefacts *artefacts, struct artefact_op *op) {
	op->have.at = 0;
	start(folder_of(artefacts), op, run_have, on_have_done);
}

static void run_quarantine(struct work *work) {
	struct artefact_op *op = op_of(work);
	artefact_files_quarantine(folder_of(op->artefacts)->files, &op->digest);
}

static void folder_quarantine(struct artefacts *artefacts, struct artefact_op *op) {
	start(folder_of(artefacts), op, run_quarantine, on_op_done);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static struct artefact_writer *folder_writer_new(struct artefacts *artefacts, struct loop *loop) {
	struct folder_writer *writer = mem_zalloc(sizeof *writer);
	writer->writer = (struct artefact_writer){.artefacts = artefacts, .loop = loop};
	retain(folder_of(artefacts));
	return &writer->writer;
}

static int write_bytes(struct folder_writer *writer, struct error *err) {
	struct artefact_files *files = folder_of(writer->writer.artefacts)->files;
	if (writer->file == NULL && artefact_file_writer_new(files, &writer->file, err) < 0)
		return -1;
	return writer->bytes.len > 0 ? artefact_file_writer_write(writer->file, writer->bytes, err) : 0;
}

static void close_file(struct folder_writer *writer) {
	artefact_file_writer_free(writer->file);
	writer->file = NULL;
}

static void run_write(struct work *work) {
	struct artefact_op *op = op_of(work);
	op->failed = write_bytes(op->subject, &op->err) < 0;
	if (op->failed)
		close_file(op->subject);
}

static void run_commit(struct work *work) {
	struct artefact_op *op = op_of(work);
	struct folder_writer *writer = op->subject;
	op->failed = write_bytes(writer, &op->err) < 0 ||
		     artefact_file_writer_commit(writer->file, writer->ret_digest, &op->err) < 0;
	close_file(writer);
}

static void folder_write(struct artefact_writer *base, struct artefact_op *op, struct str bytes) {
	struct folder_writer *writer = writer_of(base);
	ASSERT(op->loop == base->loop);
	writer->bytes = bytes;
	op->subject = writer;
	start(folder_of(base->artefacts), op, run_write, on_op_done);
}

static void folder_commit(struct artefact_writer *base, struct artefact_op *op, struct str last,
			  struct digest *ret_digest) {
	struct folder_writer *writer = writer_of(base);
	ASSERT(op->loop == base->loop);
	writer->bytes = last;
	writer->ret_digest = ret_digest;
	op->subject = writer;
	start(folder_of(base->artefacts), op, run_commit, on_op_done);
}

static void run_writer_discard(struct work *work) {
	close_file(CONTAINER_OF(work, struct folder_writer, discard));
}

static void on_writer_discarded(struct work *work) {
	struct folder_writer *writer = CONTAINER_OF(work, struct folder_writer, discard);
	struct folder_artefacts *folder = folder_of(writer->writer.artefacts);
	free(writer);
	release(folder);
}

static void folder_writer_free(struct artefact_writer *base) {
	struct folder_writer *writer = writer_of(base);
	if (writer->file == NULL) {
		on_writer_discarded(&writer->discard);
		return;
	}
	writer->discard = (struct work){.run = run_writer_discard, .done = on_writer_discarded};
	work_queue_add(&folder_of(base->artefacts)->queue, base->loop, &writer->discard);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct artefact_reader *folder_reader_new(struct artefacts *artefacts, struct loop *loop,
						 const struct digest *digest) {
	struct folder_reader *reader = mem_zalloc(sizeof *reader);
	reader->reader = (struct artefact_reader){.artefacts = artefacts, .loop = loop};
	reader->digest = *digest;
	retain(folder_of(artefacts));
	return &reader->reader;
}

static int read_bytes(struct folder_reader *reader, struct error *err) {
	struct artefact_files *files = folder_of(reader->reader.artefacts)->files;
	if (reader->ended) {
		*reader->ret_len = 0;
		return 0;
	}
	if (reader->file == NULL && artefact_file_reader_new(files, &reader->digest, &reader->file, err) < 0)
		return -1;
	return artefact_file_reader_read(reader->file, reader->bytes, reader->size, reader->ret_len, err);
}

static void run_read(struct work *work) {
	struct artefact_op *op = op_of(work);
	struct folder_reader *reader = op->subject;
	op->failed = read_bytes(reader, &op->err) < 0;
	reader->ended = !op->failed && *reader->ret_len == 0;
	if (op->failed || reader->ended) {
		artefact_file_reader_free(reader->file);
		reader->file = NULL;
	}
}

static void folder_read(struct artefact_reader *base, struct artefact_op *op, char *bytes, size_t size,
			size_t *ret_len) {
	struct folder_reader *reader = reader_of(base);
	ASSERT(op->loop == base->loop);
	reader->bytes = bytes;
	reader->size = size;
	reader->ret_len = ret_len;
	op->subject = reader;
	start(folder_of(base->artefacts), op, run_read, on_op_done);
}

static void run_reader_discard(struct work *work) {
	artefact_file_reader_free(CONTAINER_OF(work, struct folder_reader, discard)->file);
}

static void on_reader_discarded(struct work *work) {
	struct folder_reader *reader = CONTAINER_OF(work, struct folder_reader, discard);
	struct folder_artefacts *folder = folder_of(reader->reader.artefacts);
	free(reader);
	release(folder);
}

static void folder_reader_free(struct artefact_reader *base) {
	struct folder_reader *reader = reader_of(base);
	if (reader->file == NULL) {
		on_reader_discarded(&reader->discard);
		return;
	}
	reader->discard = (struct work){.run = run_reader_discard, .done = on_reader_discarded};
	work_queue_add(&folder_of(base->artefacts)->queue, base->loop, &reader->discard);
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

static void run_close(struct work *work) {
	artefact_files_close(folder_of(op_of(work)->artefacts)->files);
}

static void on_closed(struct work *work) {
	struct artefact_op *op = op_of(work);
	struct folder_artefacts *folder = folder_of(op->artefacts);
	op->loop->expected--;
	work_queue_deinit(&folder->queue);
	pthread_mutex_destroy(&folder->shared.lock);
	free(folder);
	op->done(op, NULL);
}

/* Called when the last user is gone. */
static void start_close(struct task *task) {
	struct artefact_op *op = CONTAINER_OF(task, struct artefact_op, task);
	op->work = (struct work){.run = run_close, .done = on_closed};
	work_queue_add(&folder_of(op->artefacts)->queue, op->loop, &op->work);
}

static void folder_close(struct artefacts *artefacts, struct artefact_op *op) {
	struct folder_artefacts *folder = folder_of(artefacts);
	op->artefacts = artefacts;
	op->task.run = start_close;
	op->loop->expected++;
	pthread_mutex_lock(&folder->shared.lock);
	ASSERT(folder->shared.closing == NULL);
	folder->shared.closing = op;
	bool unused = folder->shared.users == 0;
	pthread_mutex_unlock(&folder->shared.lock);
	if (unused)
		start_close(&op->task);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct artefacts_ops folder_ops = {
	.have = folder_have,
	.quarantine = folder_quarantine,
	.close = folder_close,
	.writer_new = folder_writer_new,
	.write = folder_write,
	.commit = folder_commit,
	.writer_free = folder_writer_free,
	.reader_new = folder_reader_new,
	.read = folder_read,
	.reader_free = folder_reader_free,
};

int folder_artefacts_open(const char *path, struct artefacts **ret_artefacts, struct error *err) {
	struct artefact_files *files;
	if (artefact_files_open(path, &files, err) < 0)
		return -1;
	struct folder_artefacts *folder = mem_zalloc(sizeof *folder);
	folder->artefacts.ops = &folder_ops;
	folder->files = files;
	work_queue_init(&folder->queue, FOLDER_ARTEFACTS_RUNNING_MAX);
	pthread_mutex_init(&folder->shared.lock, NULL);
	*ret_artefacts = &folder->artefacts;
	return 0;
}
