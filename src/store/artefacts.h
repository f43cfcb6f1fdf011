/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to the storage of artefacts: contents named by their digest. Implementations: a folder
 * (folder_artefacts.h), and memory in the unit tests. artefacts_open chooses by URL.
 *
 * What each implementation promises, and tests/unit/store/artefacts_suite.c checks:
 * - A content is hashed as it is written, and is durable when its commit is done.
 * - A content is verified as it is read. One that does not match its digest goes into quarantine: it counts as missing,
 *   and uploading it again heals it.
 *
 * No function blocks. A function with a struct artefact_op starts an operation and returns; `done` is called on the
 * operation's loop, exactly once, and never from inside the function. Any loop may be used; a writer or a reader stays
 * on the loop that it was made for, and has one operation at a time.
 */
#pragma once

#include "net/loop.h"
#include "net/work_queue.h"
#include "store/digest.h"

/* An operation in progress. Embedded in its owner, which must leave it alone until done. */
struct artefact_op {
	/* Set by the owner: */
	struct loop *loop;
	void (*done)(struct artefact_op *op, const struct error *err); /* err is borrowed; NULL: success */

	/* Used by the implementation until done: */
	struct artefacts *artefacts;
	void *subject; /* a writer or a reader */
	bool failed;
	struct error err;
	struct work work;
	struct task task;
	struct {
		const struct digest *digests;
		size_t count, at;
		bool *ret_have;
	} have;
	struct digest digest;
};

struct artefacts {
	const struct artefacts_ops *ops;
};

struct artefact_writer {
	struct artefacts *artefacts;
	struct loop *loop;
};

struct artefact_reader {
	struct artefacts *artefacts;
	struct loop *loop;
};

struct artefacts_ops {
	void (*have)(struct artefacts *artefacts, struct artefact_op *op);
	void (*quarantine)(struct artefacts *artefacts, struct artefact_op *op);
	void (*close)(struct artefacts *artefacts, struct artefact_op *op);

	struct artefact_writer *(*writer_new)(struct artefacts *artefacts, struct loop *loop);
	void (*write)(struct artefact_writer *writer, struct artefact_op *op, struct str bytes);
	void (*commit)(struct artefact_writer *writer, struct artefact_op *op, struct str last,
		       struct digest *ret_digest);
	void (*writer_free)(struct artefact_writer *writer);

	struct artefact_reader *(*reader_new)(struct artefacts *artefacts, struct loop *loop,
					      const struct digest *digest);
	void (*read)(struct artefact_reader *reader, struct artefact_op *op, char *bytes, size_t size, size_t *ret_len);
	void (*reader_free)(struct artefact_reader *reader);
};

/* Opens a place: "file:FOLDER" or the path of a folder. It belongs to this process until it is closed. Blocks,
 * so it is called before the loop runs. */
int artefacts_open(const char *place, struct artefacts **ret_artefacts, struct error *err);

/* Closes once the owner has freed every writer and reader and every operation is done; the owner starts no further
 * ones. A long artefacts_have in progress may end with Unavailable. */
static inline void artefacts_close(struct artefacts *artefacts, struct artefact_op *op) {
	artefacts->ops->close(artefacts, op);
}

/* Whether each content is in place and would survive a power failure, without reading it. Both arrays are lent until
 * done. With an error the answer is unknown. */
static inline void artefacts_have(struct artefacts *artefacts, struct artefact_op *op, const struct digest *digests,
				  size_t count, bool *ret_have) {
	op->have.digests = digests;
	op->have.count = count;
	op->have.ret_have = ret_have;
	artefacts->ops->have(artefacts, op);
}

/* Reads a content that is said to be damaged, and moves it to quarantine if it does not match its digest. A sound one
 * stays. */
static inline void artefacts_quarantine(struct artefacts *artefacts, struct artefact_op *op,
					const struct digest *digest) {
	op->digest = *digest;
	artefacts->ops->quarantine(artefacts, op);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Cannot fail: an error is reported by the first write or commit. */
static inline struct artefact_writer *artefact_writer_new(struct artefacts *artefacts, struct loop *loop) {
	return artefacts->ops->writer_new(artefacts, loop);
}

/* The bytes are lent until done. After an error the writer can only be freed. */
static inline void artefact_writer_write(struct artefact_writer *writer, struct artefact_op *op, struct str bytes) {
	writer->artefacts->ops->write(writer, op, bytes);
}

/* Writes the last bytes (often all of a small content, and possibly none) and commits: in done without an error the
 * content is in place and survives a power failure. It replaces the same content, which may be damaged. The writer can
 * only be freed afterwards. */
static inline void artefact_writer_commit(struct artefact_writer *writer, struct artefact_op *op, struct str last,
					  struct digest *ret_digest) {
	writer->artefacts->ops->commit(writer, op, last, ret_digest);
}

/* Discards a content that was not committed. No operation of the writer may be in progress. Takes NULL. */
static inline void artefact_writer_free(struct artefact_writer *writer) {
	if (writer != NULL)
		writer->artefacts->ops->writer_free(writer);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Cannot fail: the first read reports NotFound when the content is missing. */
static inline struct artefact_reader *artefact_reader_new(struct artefacts *artefacts, struct loop *loop,
							  const struct digest *digest) {
	return artefacts->ops->reader_new(artefacts, loop, digest);
}

/* Reads up to size bytes, which are lent until done; *ret_len is 0 at the end. If the content does not match its
 * digest, the end is an error (DataLoss). After an error the reader can only be freed. */
static inline void artefact_reader_read(struct artefact_reader *reader, struct artefact_op *op, char *bytes,
					size_t size, size_t *ret_len) {
	reader->artefacts->ops->read(reader, op, bytes, size, ret_len);
}

/* No operation of the reader may be in progress. Takes NULL. */
static inline void artefact_reader_free(struct artefact_reader *reader) {
	if (reader != NULL)
		reader->artefacts->ops->reader_free(reader);
}
