/* SPDX-License-Identifier: Apache-2.0 */
#include "store/file_hasher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/thread.h"

enum {
	CHUNK_SIZE = 128 << 10,
	STACK_SIZE = 1 << 20, /* thread-local variables count towards it (those of rpc: 130 KiB) */
};

struct file_hasher {
	pthread_t thread;
	bool joined;
	int fd;
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t changed;
		off_t end; /* offset up to which the file is written; 0: stop */
		bool closed; /* end is final */
	} shared;
	struct { /* used by the thread only, until it is joined */
		struct hasher hasher;
		off_t done;
		int failed; /* an errno, or 0 */
	} work;
};

/* Waits for bytes to hash. Returns 0 at the end. */
static size_t next_chunk(struct file_hasher *self) {
	pthread_mutex_lock(&self->shared.mutex);
	while (self->shared.end <= self->work.done && !self->shared.closed)
		pthread_cond_wait(&self->shared.changed, &self->shared.mutex);
	off_t left = self->shared.end - self->work.done;
	pthread_mutex_unlock(&self->shared.mutex);
	return left > 0 ? (size_t)MIN(left, CHUNK_SIZE) : 0;
}

static int hash_chunk(struct file_hasher *self, char *bytes, size_t size) {
	ssize_t got = pread(self->fd, bytes, size, self->work.done);
	if (got <= 0) {
		if (got < 0 && errno == EINTR)
			return 0;
		self->work.failed = got < 0 ? errno : EIO;
		return -1;
	}
	hasher_update(&self->work.hasher, str_new(bytes, (size_t)got));
	self->work.done += got;
	return 0;
}

static void *run(void *argument) {
	struct file_hasher *self = argument;
	pthread_setname_np(pthread_self(), "hasher");
	char *bytes = mem_alloc(CHUNK_SIZE);
	for (size_t size; (size = next_chunk(self)) > 0;) {
		if (hash_chunk(self, bytes, size) < 0)
			break;
	}
	free(bytes);
	return NULL;
}

static void destroy(struct file_hasher *self) {
	pthread_cond_destroy(&self->shared.changed);
	pthread_mutex_destroy(&self->shared.mutex);
	free(self);
}

struct file_hasher *file_hasher_new(int fd, off_t from, struct hasher *hasher) {
	struct file_hasher *self = mem_zalloc(sizeof *self);
	self->fd = fd;
	self->shared.end = from;
	self->work.hasher = *hasher;
	self->work.done = from;
	pthread_mutex_init(&self->shared.mutex, NULL);
	pthread_cond_init(&self->shared.changed, NULL);
	if (thread_start(&self->thread, STACK_SIZE, run, self) != 0) {
		destroy(self);
		return NULL;
	}
	hasher->context = NULL;
	return self;
}

void file_hasher_advance(struct file_hasher *self, off_t end) {
	pthread_mutex_lock(&self->shared.mutex);
	self->shared.end = end;
	pthread_mutex_unlock(&self->shared.mutex);
	pthread_cond_signal(&self->shared.changed);
}

static void join(struct file_hasher *self) {
	pthread_mutex_lock(&self->shared.mutex);
	self->shared.closed = true;
	pthread_mutex_unlock(&self->shared.mutex);
	pthread_cond_signal(&self->shared.changed);
	pthread_join(self->thread, NULL);
	self->joined = true;
}

int file_hasher_final(struct file_hasher *self, struct digest *ret_digest, struct error *err) {
	join(self);
	if (self->work.failed != 0)
		return error_set_errno(err, self->work.failed, "could not read back the upload");
	hasher_final(&self->work.hasher, ret_digest);
	return 0;
}

void file_hasher_free(struct file_hasher *self) {
	if (self == NULL)
		return;
	if (!self->joined) {
		file_hasher_advance(self, 0);
		join(self);
	}
	hasher_deinit(&self->work.hasher);
	destroy(self);
}
