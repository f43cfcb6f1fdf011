/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_artefacts.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

#define CONTENT_MAX MIB(64)

struct content {
	char *bytes;
	size_t len;
};

struct memory_place {
	pthread_mutex_t lock;
	struct map contents; /* struct content by digest in hex */
};

struct memory_artefacts {
	struct artefacts artefacts;
	struct memory_place *place;
	size_t users; /* writers, readers and operations; with the place's lock */
	struct artefact_op *closing;
};

struct memory_writer {
	struct artefact_writer writer;
	struct buf bytes;
};

struct memory_reader {
	struct artefact_reader reader;
	struct digest digest;
	size_t at;
};

/* --- the place ---------------------------------------------------------------------------------------------------- */

struct memory_place *memory_place_new(void) {
	struct memory_place *place = mem_zalloc(sizeof *place);
	pthread_mutex_init(&place->lock, NULL);
	map_init(&place->contents);
	return place;
}

static void content_free(struct content *content) {
	if (content != NULL)
		free(content->bytes);
	free(content);
}

void memory_place_free(struct memory_place *place) {
	struct content *content;
	for (size_t cursor = 0; (content = map_next(&place->contents, &cursor)) != NULL;)
		content_free(content);
	map_deinit(&place->contents);
	pthread_mutex_destroy(&place->lock);
	free(place);
}

static struct content *find(struct memory_place *place, const struct digest *digest) {
	return map_get(&place->contents, str_from(digest_to_hex(digest).text));
}

static void discard(struct memory_place *place, const struct digest *digest) {
	content_free(map_remove(&place->contents, str_from(digest_to_hex(digest).text)));
}

static void put(struct memory_place *place, const struct digest *digest, struct str bytes) {
	struct content *content = mem_zalloc(sizeof *content);
	*content = (struct content){.bytes = mem_alloc(bytes.len + 1), .len = bytes.len};
	memcpy(content->bytes, bytes.ptr, bytes.len);
	discard(place, digest);
	map_put(&place->contents, str_from(digest_to_hex(digest).text), content);
}

static bool is_sound(const struct content *content, const struct digest *digest) {
	struct digest found;
	digest_of(str_new(content->bytes, content->len), &found);
	return digest_eq(&found, digest);
}

void memory_place_damage(struct memory_place *place, const struct digest *digest) {
	struct content *content = find(place, digest);
	if (content->len == 0)
		content->len = 1;
	content->bytes[content->len / 2] ^= 4;
}

/* --- operations: each does its work at once, and completes in a later turn of the loop ---------------------------- */

static struct memory_artefacts *memory_of(struct artefacts *artefacts) {
	return CONTAINER_OF(artefacts, struct memory_artefacts, artefacts);
}

static void retain(struct memory_artefacts *memory) {
	pthread_mutex_lock(&memory->place->lock);
	memory->users++;
	pthread_mutex_unlock(&memory->place->lock);
}

static void run_closed(struct task *task) {
	struct artefact_op *op = CONTAINER_OF(task, struct artefact_op, task);
	op->loop->expected--;
	free(memory_of(op->artefacts));
	op->done(op, NULL);
}

static void release(struct memory_artefacts *memory) {
	pthread_mutex_lock(&memory->place->lock);
	struct artefact_op *closing = --memory->users == 0 ? memory->closing : NULL;
	pthread_mutex_unlock(&memory->place->lock);
	if (closing != NULL)
		loop_post(closing->loop, &closing->task);
}

static void run_done(struct task *task) {
	struct artefact_op *op = CONTAINER_OF(task, struct artefact_op, task);
	struct memory_artefacts *memory = memory_of(op->artefacts);
	op->loop->expected--;
	op->done(op, op->failed ? &op->err : NULL);
	release(memory);
}

static void complete(struct memory_artefacts *memory, struct artefact_op *op, bool failed) {
	retain(memory);
	op->artefacts = &memory->artefacts;
	op->failed = failed;
	op->task.run = run_done;
	op->loop->expected++;
	loop_post(op->loop, &op->task);
}

static void memory_have(struct artefacts *artefacts, struct artefact_op *op) {
	struct memory_artefacts *memory = memory_of(artefacts);
	pthread_mutex_lock(&memory->place->lock);
	for (size_t i = 0; i < op->have.count; i++)
		op->have.ret_have[i] = find(memory->place, &op->have.digests[i]) != NULL;
	pthread_mutex_unlock(&memory->place->lock);
	complete(memory, op, false);
}

static void memory_quarantine(struct artefacts *artefacts, struct artefact_op *op) {
	struct memory_artefacts *memory = memory_of(artefacts);
	pthread_mutex_lock(&memory->place->lock);
	const struct content *content = find(memory->place, &op->digest);
	if (content != NULL && !is_sound(content, &op->digest))
		discard(memory->place, &op->digest);
	pthread_mutex_unlock(&memory->place->lock);
	complete(memory, op, false);
}

static void memory_close(struct artefacts *artefacts, struct artefact_op *op) {
	struct memory_artefacts *memory = memory_of(artefacts);
	op->artefacts = artefacts;
	op->task.run = run_closed;
	op->loop->expected++;
	pthread_mutex_lock(&memory->place->lock);
	memory->closing = op;
	bool unused = memory->users == 0;
	pthread_mutex_unlock(&memory->place->lock);
	if (unused)
		loop_post(op->loop, &op->task);
}

static struct artefact_writer *memory_writer_new(struct artefacts *artefacts, struct loop *loop) {
	struct memory_writer *writer = mem_zalloc(sizeof *writer);
	writer->writer = (struct artefact_writer){.artefacts = artefacts, .loop = loop};
	buf_init(&writer->bytes, CONTENT_MAX);
	retain(memory_of(artefacts));
	return &writer->writer;
}

static int append(struct memory_writer *writer, struct artefact_op *op, struct str bytes) {
	if (buf_append(&writer->bytes, bytes) < 0)
		return error_set(&op->err, CODE_RESOURCE_EXHAUSTED, "the content has more than %zu bytes",
				 (size_t)CONTENT_MAX);
	return 0;
}

static void memory_write(struct artefact_writer *base, struct artefact_op *op, struct str bytes) {
	struct memory_writer *writer = CONTAINER_OF(base, struct memory_writer, writer);
	complete(memory_of(base->artefacts), op, append(writer, op, bytes) < 0);
}

static void memory_commit(struct artefact_writer *base, struct artefact_op *op, struct str last,
			  struct digest *ret_digest) {
	struct memory_writer *writer = CONTAINER_OF(base, struct memory_writer, writer);
	struct memory_artefacts *memory = memory_of(base->artefacts);
	bool failed = append(writer, op, last) < 0;
	if (!failed) {
		digest_of(buf_view(&writer->bytes), ret_digest);
		pthread_mutex_lock(&memory->place->lock);
		put(memory->place, ret_digest, buf_view(&writer->bytes));
		pthread_mutex_unlock(&memory->place->lock);
	}
	complete(memory, op, failed);
}

static void memory_writer_free(struct artefact_writer *base) {
	struct memory_writer *writer = CONTAINER_OF(base, struct memory_writer, writer);
	struct memory_artefacts *memory = memory_of(base->artefacts);
	buf_deinit(&writer->bytes);
	free(writer);
	release(memory);
}

static struct artefact_reader *memory_reader_new(struct artefacts *artefacts, struct loop *loop,
						 const struct digest *digest) {
	struct memory_reader *reader = mem_zalloc(sizeof *reader);
	reader->reader = (struct artefact_reader){.artefacts = artefacts, .loop = loop};
	reader->digest = *digest;
	retain(memory_of(artefacts));
	return &reader->reader;
}

/* With the place's lock held. */
static int read_some(struct memory_reader *reader, struct memory_place *place, char *bytes, size_t size,
		     size_t *ret_len, struct error *err) {
	struct digest_hex hex = digest_to_hex(&reader->digest);
	const struct content *content = find(place, &reader->digest);
	if (content == NULL)
		return error_set(err, CODE_NOT_FOUND, "there is no artefact %s; upload it first", hex.text);
	size_t len = MIN(size, content->len - MIN(content->len, reader->at));
	if (len == 0 && !is_sound(content, &reader->digest)) {
		discard(place, &reader->digest);
		return error_set(err, CODE_DATA_LOSS, "the artefact %s was damaged; deploy again to upload it",
				 hex.text);
	}
	memcpy(bytes, content->bytes + reader->at, len);
	reader->at += len;
	*ret_len = len;
	return 0;
}

static void memory_read(struct artefact_reader *base, struct artefact_op *op, char *bytes, size_t size,
			size_t *ret_len) {
	struct memory_reader *reader = CONTAINER_OF(base, struct memory_reader, reader);
	struct memory_artefacts *memory = memory_of(base->artefacts);
	pthread_mutex_lock(&memory->place->lock);
	bool failed = read_some(reader, memory->place, bytes, size, ret_len, &op->err) < 0;
	pthread_mutex_unlock(&memory->place->lock);
	complete(memory, op, failed);
}

static void memory_reader_free(struct artefact_reader *base) {
	struct memory_artefacts *memory = memory_of(base->artefacts);
	free(CONTAINER_OF(base, struct memory_reader, reader));
	release(memory);
}

static const struct artefacts_ops memory_ops = {
	.have = memory_have,
	.quarantine = memory_quarantine,
	.close = memory_close,
	.writer_new = memory_writer_new,
	.write = memory_write,
	.commit = memory_commit,
	.writer_free = memory_writer_free,
	.reader_new = memory_reader_new,
	.read = memory_read,
	.reader_free = memory_reader_free,
};

struct artefacts *memory_artefacts_open(struct memory_place *place) {
	struct memory_artefacts *memory = mem_zalloc(sizeof *memory);
	*memory = (struct memory_artefacts){.artefacts.ops = &memory_ops, .place = place};
	return &memory->artefacts;
}
