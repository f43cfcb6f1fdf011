/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FOLDER/ab/abcdef…      contents in place
 * FOLDER/incoming/       uploads under way; it is there only while a process has the folder open
 * FOLDER/quarantine/     contents that did not match their digest, DIGEST.N, for a person to look at
 *
 * What a caller is told to be in place must be durable, also when another thread has just moved it there and has
 * not yet synced the folder: commits are listed from before the move until after the sync, and a question about the
 * same digest waits for them.
 */
#include "store/artefacts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"
#include "store/file_hasher.h"
#include "store/folder.h"

enum {
	SHARDS = 256,
	NAME_SIZE = 96, /* of a file below the folder */
	QUARANTINE_MAX = 16, /* files kept; what comes after is removed */
	WRITEBACK_STEP = 8 << 20, /* the disk starts on each so many bytes while more arrive */
	HASH_ASIDE_FROM = 4 << 20, /* below, a thread costs more than it saves */
	HASH_ASIDE_STEP = 1 << 20,
	VERIFY_SIZE = 64 << 10,
};

struct artefacts {
	char *folder;
	int lock;
	int fd; /* of folder; all names are relative to it */
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t settled; /* a commit left the list */
		struct list commits; /* writers between the move into place and its sync */
	} shared;
};

struct artefact_writer {
	struct artefacts *artefacts;
	struct list commits;
	struct digest digest; /* once in the list of commits */
	struct hasher hasher; /* of a small content, and of the start of a large one */
	struct file_hasher *aside; /* of the rest of a large one, or NULL */
	char name[NAME_SIZE];
	int fd;
	off_t written;
	off_t announced; /* aside may hash up to here */
	off_t pushed; /* up to here the disk has been told to start */
	bool failed;
	bool placed;
};

struct artefact_reader {
	struct artefacts *artefacts;
	struct digest digest;
	struct hasher hasher;
	int fd;
	off_t size; /* when it was opened */
	off_t done;
	bool ended;
	bool damaged;
};

static void place_name(const struct digest *digest, char ret_name[NAME_SIZE]) {
	struct digest_hex hex = digest_to_hex(digest);
	snprintf(ret_name, NAME_SIZE, "%.2s/%s", hex.text, hex.text);
}

/* Opening and closing. */

static int make_folder(const struct artefacts *artefacts, const char *name, struct error *err) {
	if (mkdirat(artefacts->fd, name, 0700) == 0 || errno == EEXIST)
		return 0;
	return error_set_errno(err, errno, "could not make the folder %s/%s", artefacts->folder, name);
}

static int sync_folder(const struct artefacts *artefacts, const char *name, struct error *err) {
	int fd = openat(artefacts->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd >= 0 && fsync(fd) == 0
			     ? 0
			     : error_set_errno(err, errno, "could not sync the folder %s/%s", artefacts->folder, name);
	if (fd >= 0)
		close(fd);
	return result;
}

/* All of them at once: nobody then has to make one, and sync its name, in the middle of an upload. */
static int make_shards(const struct artefacts *artefacts, bool sync, struct error *err) {
	for (int shard = 0; shard < SHARDS; shard++) {
		char name[NAME_SIZE];
		snprintf(name, sizeof name, "%02x", shard);
		if (make_folder(artefacts, name, err) < 0 || (sync && sync_folder(artefacts, name, err) < 0))
			return -1;
	}
	return sync_folder(artefacts, ".", err);
}

/* An earlier process that did not close the folder may have left half an upload, and a content in place whose name
 * was never synced. Its incoming folder tells, so that goes last. */
static int recover(const struct artefacts *artefacts, struct error *err) {
	bool crashed = faccessat(artefacts->fd, "incoming", F_OK, 0) == 0;
	if (make_shards(artefacts, crashed, err) < 0)
		return -1;
	char *incoming = mem_printf("%s/incoming", artefacts->folder);
	int result = path_remove_tree(incoming, err);
	free(incoming);
	return result < 0 ? -1 : make_folder(artefacts, "incoming", err);
}

static void artefacts_free(struct artefacts *artefacts) {
	ASSERT(list_is_empty(&artefacts->shared.commits));
	pthread_cond_destroy(&artefacts->shared.settled);
	pthread_mutex_destroy(&artefacts->shared.mutex);
	close(artefacts->fd);
	folder_unlock(artefacts->lock);
	free(artefacts->folder);
	free(artefacts);
}

int artefacts_open(const char *folder, struct artefacts **ret_artefacts, struct error *err) {
	int lock;
	if (folder_make(folder, err) < 0 || folder_lock(folder, &lock, err) < 0)
		return -1;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error_set_errno(err, errno, "could not open the folder %s", folder);
		folder_unlock(lock);
		return -1;
	}
	struct artefacts *artefacts = mem_zalloc(sizeof *artefacts);
	*artefacts = (struct artefacts){.folder = mem_strdup(folder), .lock = lock, .fd = fd};
	pthread_mutex_init(&artefacts->shared.mutex, NULL);
	pthread_cond_init(&artefacts->shared.settled, NULL);
	list_init(&artefacts->shared.commits);
	if (recover(artefacts, err) < 0) {
		artefacts_free(artefacts);
		return -1;
	}
	*ret_artefacts = artefacts;
	return 0;
}

void artefacts_close(struct artefacts *artefacts) {
	if (artefacts == NULL)
		return;
	unlinkat(artefacts->fd, "incoming", AT_REMOVEDIR);
	artefacts_free(artefacts);
}

/* What is in place. */

/* With the mutex held: waits until no commit of this digest is between its move and its sync. */
static void wait_settled(struct artefacts *artefacts, const struct digest *digest) {
	bool busy;
	do {
		busy = false;
		LIST_FOREACH(item, &artefacts->shared.commits)
			busy |= digest_eq(&LIST_ENTRY(item, struct artefact_writer, commits)->digest, digest);
		if (busy)
			pthread_cond_wait(&artefacts->shared.settled, &artefacts->shared.mutex);
	} while (busy);
}

bool artefacts_have(struct artefacts *artefacts, const struct digest *digest) {
	char name[NAME_SIZE];
	place_name(digest, name);
	pthread_mutex_lock(&artefacts->shared.mutex);
	wait_settled(artefacts, digest);
	pthread_mutex_unlock(&artefacts->shared.mutex);
	return faccessat(artefacts->fd, name, F_OK, 0) == 0;
}

static size_t count_quarantine(const struct artefacts *artefacts) {
	int fd = openat(artefacts->fd, "quarantine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	size_t count = 0;
	while (count < QUARANTINE_MAX + 2 && readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count - MIN(count, (size_t)2); /* "." and ".." */
}

/* Moves a file away, or removes it when there is no room for it. Returns whether it is gone from its place. */
static bool move_away(struct artefacts *artefacts, const char *name, const struct digest *digest) {
	mkdirat(artefacts->fd, "quarantine", 0700);
	struct digest_hex hex = digest_to_hex(digest);
	for (int number = 0; count_quarantine(artefacts) < QUARANTINE_MAX && number < QUARANTINE_MAX; number++) {
		char kept[NAME_SIZE];
		snprintf(kept, sizeof kept, "quarantine/%s.%d", hex.text, number);
		if (faccessat(artefacts->fd, kept, F_OK, 0) < 0 &&
		    renameat(artefacts->fd, name, artefacts->fd, kept) == 0)
			return true;
	}
	return unlinkat(artefacts->fd, name, 0) == 0;
}

/* Only the file that was read goes: a fresh upload may have taken its place meanwhile. */
static int quarantine_file(struct artefacts *artefacts, const struct digest *digest, int fd, struct error *err) {
	char name[NAME_SIZE];
	place_name(digest, name);
	struct stat read_status, status;
	pthread_mutex_lock(&artefacts->shared.mutex);
	wait_settled(artefacts, digest);
	bool there = fstat(fd, &read_status) == 0 && fstatat(artefacts->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		     read_status.st_dev == status.st_dev && read_status.st_ino == status.st_ino;
	bool gone = !there || move_away(artefacts, name, digest);
	pthread_mutex_unlock(&artefacts->shared.mutex);
	return error_set(err, CODE_DATA_LOSS, "the artefact %s/%s was damaged on disk: %s", artefacts->folder, name,
			 !gone   ? "it could not be moved out of the way; remove it, and deploy again to upload it"
			 : there ? "it is in quarantine and counts as missing; deploy again to upload it"
				 : "it has been replaced meanwhile; try again");
}

void artefacts_quarantine(struct artefacts *artefacts, const struct digest *digest) {
	struct artefact_reader *reader;
	if (artefact_reader_new(artefacts, digest, &reader, NULL) < 0)
		return;
	char *bytes = mem_alloc(VERIFY_SIZE);
	size_t len;
	while (artefact_reader_read(reader, bytes, VERIFY_SIZE, &len, NULL) == 0 && len > 0)
		;
	free(bytes);
	artefact_reader_free(reader);
}

/* Writing. */

static int writer_failed(struct artefact_writer *writer, int number, struct error *err) {
	writer->failed = true;
	return error_set_errno(err, number, "could not write the artefact %s/%s after %lld bytes",
			       writer->artefacts->folder, writer->name, (long long)writer->written);
}

int artefact_writer_new(struct artefacts *artefacts, struct artefact_writer **ret_writer, struct error *err) {
	struct artefact_writer *writer = mem_zalloc(sizeof *writer);
	writer->artefacts = artefacts;
	snprintf(writer->name, sizeof writer->name, "incoming/%016llx", (unsigned long long)random_u64());
	writer->fd = openat(artefacts->fd, writer->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0) {
		writer_failed(writer, errno, err);
		free(writer);
		return -1;
	}
	failpoint(FAILPOINT_ARTEFACT_OPENED);
	hasher_init(&writer->hasher);
	list_init(&writer->commits);
	*ret_writer = writer;
	return 0;
}

static int write_all(struct artefact_writer *writer, struct str bytes, struct error *err) {
	while (bytes.len > 0) {
		ssize_t put = write(writer->fd, bytes.ptr, bytes.len);
		if (put < 0 && errno != EINTR)
			return writer_failed(writer, errno, err);
		bytes = str_from_offset(bytes, put > 0 ? (size_t)put : 0);
		writer->written += MAX(put, 0);
	}
	return 0;
}

/* Sets the disk and the other thread going on what they do not have yet. */
static void announce(struct artefact_writer *writer) {
	if (writer->aside != NULL && writer->written - writer->announced >= HASH_ASIDE_STEP) {
		file_hasher_advance(writer->aside, writer->written);
		writer->announced = writer->written;
	}
	if (writer->written - writer->pushed >= WRITEBACK_STEP) {
		/* Advice: what it does not do, or cannot, the sync at the end does. */
		sync_file_range(writer->fd, writer->pushed, writer->written - writer->pushed, SYNC_FILE_RANGE_WRITE);
		writer->pushed = writer->written;
	}
}

int artefact_writer_write(struct artefact_writer *writer, struct str bytes, struct error *err) {
	ASSERT(!writer->failed && !writer->placed);
	if (writer->aside == NULL && writer->written >= HASH_ASIDE_FROM)
		writer->aside = file_hasher_new(writer->fd, writer->written, &writer->hasher);
	if (writer->aside == NULL)
		hasher_update(&writer->hasher, bytes);
	if (write_all(writer, bytes, err) < 0)
		return -1;
	announce(writer);
	return 0;
}

/* Syncs the file and has its digest; the last of a large one is hashed while the disk writes. */
static int finish(struct artefact_writer *writer, struct error *err) {
	if (writer->aside != NULL)
		file_hasher_advance(writer->aside, writer->written);
	failpoint(FAILPOINT_ARTEFACT_WRITTEN);
	if (fsync(writer->fd) < 0)
		return writer_failed(writer, errno, err);
	failpoint(FAILPOINT_ARTEFACT_SYNCED);
	if (writer->aside == NULL)
		hasher_final(&writer->hasher, &writer->digest);
	else if (file_hasher_final(writer->aside, &writer->digest, err) < 0)
		return error_wrap(err, "%s/%s", writer->artefacts->folder, writer->name);
	return 0;
}

/* Moves the synced file into place and syncs its new name. Always, also when the content is there already: what is
 * there may be damaged, and this one is not. */
static int place(struct artefact_writer *writer, struct error *err) {
	char name[NAME_SIZE], shard[NAME_SIZE];
	place_name(&writer->digest, name);
	snprintf(shard, sizeof shard, "%.2s", name);
	if (renameat(writer->artefacts->fd, writer->name, writer->artefacts->fd, name) < 0)
		return writer_failed(writer, errno, err);
	writer->placed = true;
	failpoint(FAILPOINT_ARTEFACT_RENAMED);
	return sync_folder(writer->artefacts, shard, err);
}

int artefact_writer_commit(struct artefact_writer *writer, struct digest *ret_digest, struct error *err) {
	ASSERT(!writer->failed && !writer->placed);
	struct artefacts *artefacts = writer->artefacts;
	if (finish(writer, err) < 0)
		return -1;
	pthread_mutex_lock(&artefacts->shared.mutex);
	list_append(&artefacts->shared.commits, &writer->commits);
	pthread_mutex_unlock(&artefacts->shared.mutex);
	int result = place(writer, err);
	pthread_mutex_lock(&artefacts->shared.mutex);
	list_remove(&writer->commits);
	pthread_cond_broadcast(&artefacts->shared.settled);
	pthread_mutex_unlock(&artefacts->shared.mutex);
	failpoint(FAILPOINT_ARTEFACT_PLACED);
	if (result == 0)
		*ret_digest = writer->digest;
	return result;
}

void artefact_writer_free(struct artefact_writer *writer) {
	if (writer == NULL)
		return;
	if (!writer->placed)
		unlinkat(writer->artefacts->fd, writer->name, 0);
	file_hasher_free(writer->aside);
	close(writer->fd);
	hasher_deinit(&writer->hasher);
	free(writer);
}

/* Reading. */

int artefact_reader_new(struct artefacts *artefacts, const struct digest *digest, struct artefact_reader **ret_reader,
			struct error *err) {
	char name[NAME_SIZE];
	place_name(digest, name);
	int fd = openat(artefacts->fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, CODE_NOT_FOUND, "there is no artefact %s; upload it first",
				 digest_to_hex(digest).text);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		error_set_errno(err, errno, "could not open the artefact %s/%s", artefacts->folder, name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	struct artefact_reader *reader = mem_zalloc(sizeof *reader);
	*reader = (struct artefact_reader){.artefacts = artefacts, .digest = *digest, .fd = fd, .size = status.st_size};
	hasher_init(&reader->hasher);
	*ret_reader = reader;
	return 0;
}

static int reader_damaged(struct artefact_reader *reader, struct error *err) {
	reader->damaged = true;
	return quarantine_file(reader->artefacts, &reader->digest, reader->fd, err);
}

static int reader_end(struct artefact_reader *reader, size_t *ret_len, struct error *err) {
	struct digest digest;
	hasher_final(&reader->hasher, &digest);
	if (!digest_eq(&digest, &reader->digest))
		return reader_damaged(reader, err);
	reader->ended = true;
	*ret_len = 0;
	return 0;
}

int artefact_reader_read(struct artefact_reader *reader, char *bytes, size_t size, size_t *ret_len, struct error *err) {
	ASSERT(size > 0 && !reader->damaged);
	if (reader->ended) {
		*ret_len = 0;
		return 0;
	}
	ssize_t got;
	do {
		got = read(reader->fd, bytes, size);
	} while (got < 0 && errno == EINTR);
	/* EIO: the disk cannot give it back. EISDIR: something else was put in its place. */
	if (got < 0 && errno != EIO && errno != EISDIR)
		return error_set_errno(err, errno, "could not read the artefact %s",
				       digest_to_hex(&reader->digest).text);
	if (got == 0)
		return reader_end(reader, ret_len, err);
	reader->done += MAX(got, 0);
	/* Past its size: somebody adds to it, perhaps without end. */
	if (got < 0 || reader->done > reader->size)
		return reader_damaged(reader, err);
	hasher_update(&reader->hasher, str_new(bytes, (size_t)got));
	*ret_len = (size_t)got;
	return 0;
}

void artefact_reader_free(struct artefact_reader *reader) {
	if (reader == NULL)
		return;
	close(reader->fd);
	hasher_deinit(&reader->hasher);
	free(reader);
}
