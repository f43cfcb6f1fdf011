/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FOLDER/ab/abcdef…      contents in place
 * FOLDER/incoming/       uploads in progress; exists only while a process has the folder open
 * FOLDER/quarantine/     contents that did not match their digest, as DIGEST.N, for a person to look at
 *
 * artefact_files_have promises durability, so it must not see a file that another thread has renamed into place and
 * whose folder that thread has not synced yet. Each commit is therefore listed from before the rename until after the
 * sync, and a question about the same digest waits for it.
 */
#include "store/artefact_files.h"

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
	NAME_SIZE = 96, /* the path of a file below the folder */
	QUARANTINE_MAX = 16, /* files; further damaged ones are removed */
	WRITEBACK_STEP = 8 << 20, /* bytes after which the kernel is told to start writing them out */
	HASH_ASIDE_FROM = 4 << 20, /* bytes; hashing a smaller content on a thread costs more than it saves */
	HASH_ASIDE_STEP = 1 << 20,
	VERIFY_SIZE = 64 << 10,
};

struct artefact_files {
	char *folder;
	int lock;
	int fd; /* of folder; all names are relative to it */
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t synced; /* a commit left the list */
		struct list commits; /* writers between their rename and its sync */
	} shared;
};

struct artefact_file_writer {
	struct artefact_files *files;
	struct list commits;
	struct digest digest; /* valid once in the list of commits */
	struct hasher hasher; /* of a small content, or the start of a large one */
	struct file_hasher *aside; /* hashes the rest of a large one on a thread; NULL: none */
	char name[NAME_SIZE];
	int fd;
	off_t written;
	off_t announced; /* offset up to which aside may hash */
	off_t pushed; /* offset up to which the kernel was told to start writing out */
	bool failed;
	bool placed;
};

struct artefact_file_reader {
	struct artefact_files *files;
	struct digest digest;
	struct hasher hasher;
	int fd;
	off_t size; /* at open */
	off_t done;
	bool ended;
	bool damaged;
};

static void place_name(const struct digest *digest, char ret_name[NAME_SIZE]) {
	struct digest_hex hex = digest_to_hex(digest);
	snprintf(ret_name, NAME_SIZE, "%.2s/%s", hex.text, hex.text);
}

/* Opening and closing. */

static int make_folder(const struct artefact_files *files, const char *name, struct error *err) {
	if (mkdirat(files->fd, name, 0700) == 0 || errno == EEXIST)
		return 0;
	return error_set_errno(err, errno, "could not make the folder %s/%s", files->folder, name);
}

static int sync_folder(const struct artefact_files *files, const char *name, struct error *err) {
	int fd = openat(files->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd >= 0 && fsync(fd) == 0
			     ? 0
			     : error_set_errno(err, errno, "could not sync the folder %s/%s", files->folder, name);
	if (fd >= 0)
		close(fd);
	return result;
}

/* Makes all shards at open, so that no upload has to make one and sync its name. */
static int make_shards(const struct artefact_files *files, bool sync, struct error *err) {
	for (int shard = 0; shard < SHARDS; shard++) {
		char name[NAME_SIZE];
		snprintf(name, sizeof name, "%02x", shard);
		if (make_folder(files, name, err) < 0 || (sync && sync_folder(files, name, err) < 0))
			return -1;
	}
	return sync_folder(files, ".", err);
}

/* A folder `incoming` is left by a process that crashed. It may also have left a renamed file whose folder it had not
 * synced, so all shards are synced. `incoming` is removed last: a crash before that repeats the recovery. */
static int recover(const struct artefact_files *files, struct error *err) {
	bool crashed = faccessat(files->fd, "incoming", F_OK, 0) == 0;
	if (make_shards(files, crashed, err) < 0)
		return -1;
	char *incoming = mem_printf("%s/incoming", files->folder);
	int result = path_remove_tree(incoming, err);
	free(incoming);
	return result < 0 ? -1 : make_folder(files, "incoming", err);
}

static void artefact_files_free(struct artefact_files *files) {
	ASSERT(list_is_empty(&files->shared.commits));
	pthread_cond_destroy(&files->shared.synced);
	pthread_mutex_destroy(&files->shared.mutex);
	close(files->fd);
	folder_unlock(files->lock);
	free(files->folder);
	free(files);
}

int artefact_files_open(const char *folder, struct artefact_files **ret_files, struct error *err) {
	int lock;
	if (folder_make(folder, err) < 0 || folder_lock(folder, &lock, err) < 0)
		return -1;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error_set_errno(err, errno, "could not open the folder %s", folder);
		folder_unlock(lock);
		return -1;
	}
	struct artefact_files *files = mem_zalloc(sizeof *files);
	*files = (struct artefact_files){.folder = mem_strdup(folder), .lock = lock, .fd = fd};
	pthread_mutex_init(&files->shared.mutex, NULL);
	pthread_cond_init(&files->shared.synced, NULL);
	list_init(&files->shared.commits);
	if (recover(files, err) < 0) {
		artefact_files_free(files);
		return -1;
	}
	*ret_files = files;
	return 0;
}

void artefact_files_close(struct artefact_files *files) {
	if (files == NULL)
		return;
	unlinkat(files->fd, "incoming", AT_REMOVEDIR);
	artefact_files_free(files);
}

/* Contents in place. */

/* Waits until no commit of this digest is between its rename and its sync. The mutex is held. */
static void wait_synced(struct artefact_files *files, const struct digest *digest) {
	bool busy;
	do {
		busy = false;
		LIST_FOREACH(item, &files->shared.commits)
			busy |= digest_eq(&LIST_ENTRY(item, struct artefact_file_writer, commits)->digest, digest);
		if (busy)
			pthread_cond_wait(&files->shared.synced, &files->shared.mutex);
	} while (busy);
}

bool artefact_files_have(struct artefact_files *files, const struct digest *digest) {
	char name[NAME_SIZE];
	place_name(digest, name);
	pthread_mutex_lock(&files->shared.mutex);
	wait_synced(files, digest);
	pthread_mutex_unlock(&files->shared.mutex);
	return faccessat(files->fd, name, F_OK, 0) == 0;
}

static size_t count_quarantine(const struct artefact_files *files) {
	int fd = openat(files->fd, "quarantine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* Moves a file to the quarantine, or removes it when that is full. Returns whether its place is free. */
static bool move_away(struct artefact_files *files, const char *name, const struct digest *digest) {
	mkdirat(files->fd, "quarantine", 0700);
	struct digest_hex hex = digest_to_hex(digest);
	for (int number = 0; count_quarantine(files) < QUARANTINE_MAX && number < QUARANTINE_MAX; number++) {
		char kept[NAME_SIZE];
		snprintf(kept, sizeof kept, "quarantine/%s.%d", hex.text, number);
		if (faccessat(files->fd, kept, F_OK, 0) < 0 && renameat(files->fd, name, files->fd, kept) == 0)
			return true;
	}
	return unlinkat(files->fd, name, 0) == 0;
}

/* Moves away only the file that was read: a new upload may have replaced it since. */
static int quarantine_file(struct artefact_files *files, const struct digest *digest, int fd, struct error *err) {
	char name[NAME_SIZE];
	place_name(digest, name);
	struct stat read_status, status;
	pthread_mutex_lock(&files->shared.mutex);
	wait_synced(files, digest);
	bool there = fstat(fd, &read_status) == 0 && fstatat(files->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		     read_status.st_dev == status.st_dev && read_status.st_ino == status.st_ino;
	bool gone = !there || move_away(files, name, digest);
	pthread_mutex_unlock(&files->shared.mutex);
	return error_set(err, CODE_DATA_LOSS, "the artefact %s/%s was damaged on disk: %s", files->folder, name,
			 !gone   ? "it could not be moved out of the way; remove it, and deploy again to upload it"
			 : there ? "it is in quarantine and counts as missing; deploy again to upload it"
				 : "it has been replaced meanwhile; try again");
}

void artefact_files_quarantine(struct artefact_files *files, const struct digest *digest) {
	struct artefact_file_reader *reader;
	if (artefact_file_reader_new(files, digest, &reader, NULL) < 0)
		return;
	char *bytes = mem_alloc(VERIFY_SIZE);
	size_t len;
	while (artefact_file_reader_read(reader, bytes, VERIFY_SIZE, &len, NULL) == 0 && len > 0)
		;
	free(bytes);
	artefact_file_reader_free(reader);
}

/* Writing. */

static int writer_failed(struct artefact_file_writer *writer, int number, struct error *err) {
	writer->failed = true;
	return error_set_errno(err, number, "could not write the artefact %s/%s after %lld bytes",
			       writer->files->folder, writer->name, (long long)writer->written);
}

int artefact_file_writer_new(struct artefact_files *files, struct artefact_file_writer **ret_writer,
			     struct error *err) {
	struct artefact_file_writer *writer = mem_zalloc(sizeof *writer);
	writer->files = files;
	snprintf(writer->name, sizeof writer->name, "incoming/%016llx", (unsigned long long)random_u64());
	writer->fd = openat(files->fd, writer->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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

static int write_all(struct artefact_file_writer *writer, struct str bytes, struct error *err) {
	while (bytes.len > 0) {
		ssize_t put = write(writer->fd, bytes.ptr, bytes.len);
		if (put < 0 && errno != EINTR)
			return writer_failed(writer, errno, err);
		bytes = str_from_offset(bytes, put > 0 ? (size_t)put : 0);
		writer->written += MAX(put, 0);
	}
	return 0;
}

/* Lets the hashing thread and the kernel start on the bytes that were written since the last call. */
static void announce(struct artefact_file_writer *writer) {
	if (writer->aside != NULL && writer->written - writer->announced >= HASH_ASIDE_STEP) {
		file_hasher_advance(writer->aside, writer->written);
		writer->announced = writer->written;
	}
	if (writer->written - writer->pushed >= WRITEBACK_STEP) {
		/* Only advice: the sync at the end writes out what this did not. */
		sync_file_range(writer->fd, writer->pushed, writer->written - writer->pushed, SYNC_FILE_RANGE_WRITE);
		writer->pushed = writer->written;
	}
}

int artefact_file_writer_write(struct artefact_file_writer *writer, struct str bytes, struct error *err) {
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

/* Syncs the file and finishes its digest. The end of a large file is hashed while the disk writes it. */
static int finish(struct artefact_file_writer *writer, struct error *err) {
	if (writer->aside != NULL)
		file_hasher_advance(writer->aside, writer->written);
	failpoint(FAILPOINT_ARTEFACT_WRITTEN);
	if (fsync(writer->fd) < 0)
		return writer_failed(writer, errno, err);
	failpoint(FAILPOINT_ARTEFACT_SYNCED);
	if (writer->aside == NULL)
		hasher_final(&writer->hasher, &writer->digest);
	else if (file_hasher_final(writer->aside, &writer->digest, err) < 0)
		return error_wrap(err, "%s/%s", writer->files->folder, writer->name);
	return 0;
}

/* Renames the synced file into place and syncs the folder. A file that is in place already is replaced, as it may be
 * damaged. */
static int place(struct artefact_file_writer *writer, struct error *err) {
	char name[NAME_SIZE], shard[NAME_SIZE];
	place_name(&writer->digest, name);
	snprintf(shard, sizeof shard, "%.2s", name);
	if (renameat(writer->files->fd, writer->name, writer->files->fd, name) < 0)
		return writer_failed(writer, errno, err);
	writer->placed = true;
	failpoint(FAILPOINT_ARTEFACT_RENAMED);
	return sync_folder(writer->files, shard, err);
}

int artefact_file_writer_commit(struct artefact_file_writer *writer, struct digest *ret_digest, struct error *err) {
	ASSERT(!writer->failed && !writer->placed);
	struct artefact_files *files = writer->files;
	if (finish(writer, err) < 0)
		return -1;
	pthread_mutex_lock(&files->shared.mutex);
	list_append(&files->shared.commits, &writer->commits);
	pthread_mutex_unlock(&files->shared.mutex);
	int result = place(writer, err);
	pthread_mutex_lock(&files->shared.mutex);
	list_remove(&writer->commits);
	pthread_cond_broadcast(&files->shared.synced);
	pthread_mutex_unlock(&files->shared.mutex);
	failpoint(FAILPOINT_ARTEFACT_PLACED);
	if (result == 0)
		*ret_digest = writer->digest;
	return result;
}

void artefact_file_writer_free(struct artefact_file_writer *writer) {
	if (writer == NULL)
		return;
	if (!writer->placed)
		unlinkat(writer->files->fd, writer->name, 0);
	file_hasher_free(writer->aside);
	close(writer->fd);
	hasher_deinit(&writer->hasher);
	free(writer);
}

/* Reading. */

int artefact_file_reader_new(struct artefact_files *files, const struct digest *digest,
			     struct artefact_file_reader **ret_reader, struct error *err) {
	char name[NAME_SIZE];
	place_name(digest, name);
	int fd = openat(files->fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, CODE_NOT_FOUND, "there is no artefact %s; upload it first",
				 digest_to_hex(digest).text);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		error_set_errno(err, errno, "could not open the artefact %s/%s", files->folder, name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	struct artefact_file_reader *reader = mem_zalloc(sizeof *reader);
	*reader = (struct artefact_file_reader){.files = files, .digest = *digest, .fd = fd, .size = status.st_size};
	hasher_init(&reader->hasher);
	*ret_reader = reader;
	return 0;
}

static int reader_damaged(struct artefact_file_reader *reader, struct error *err) {
	reader->damaged = true;
	return quarantine_file(reader->files, &reader->digest, reader->fd, err);
}

static int reader_end(struct artefact_file_reader *reader, size_t *ret_len, struct error *err) {
	struct digest digest;
	hasher_final(&reader->hasher, &digest);
	if (!digest_eq(&digest, &reader->digest))
		return reader_damaged(reader, err);
	reader->ended = true;
	*ret_len = 0;
	return 0;
}

int artefact_file_reader_read(struct artefact_file_reader *reader, char *bytes, size_t size, size_t *ret_len,
			      struct error *err) {
	ASSERT(size > 0 && !reader->damaged);
	if (reader->ended) {
		*ret_len = 0;
		return 0;
	}
	ssize_t got;
	do {
		got = read(reader->fd, bytes, size);
	} while (got < 0 && errno == EINTR);
	/* EIO: the disk cannot read it. EISDIR: something made a folder in its place. Both are damage. */
	if (got < 0 && errno != EIO && errno != EISDIR)
		return error_set_errno(err, errno, "could not read the artefact %s",
				       digest_to_hex(&reader->digest).text);
	if (got == 0)
		return reader_end(reader, ret_len, err);
	reader->done += MAX(got, 0);
	/* More bytes than at open: another program appends to the file, perhaps without end. */
	if (got < 0 || reader->done > reader->size)
		return reader_damaged(reader, err);
	hasher_update(&reader->hasher, str_new(bytes, (size_t)got));
	*ret_len = (size_t)got;
	return 0;
}

void artefact_file_reader_free(struct artefact_file_reader *reader) {
	if (reader == NULL)
		return;
	close(reader->fd);
	hasher_deinit(&reader->hasher);
	free(reader);
}
