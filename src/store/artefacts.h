/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The artefact folder: contents named by their digest, DATA/artefacts/ab/abcdef….
 *
 * A content is written aside, hashed as it flows, synced, and moved into place; what is in place is whole. All
 * functions block on the disk and may be called from any thread; a writer and a reader belong to one thread at a
 * time. Files are never changed in place, so a reader needs no lock.
 */
#pragma once

#include "store/digest.h"

struct artefacts;

/* Makes the folder, takes it for this process (as folder_lock does), and removes what an earlier process left half
 * written. */
int artefacts_open(const char *folder, struct artefacts **ret_artefacts, struct error *err);
/* After its writers and readers are freed. Takes NULL. */
void artefacts_close(struct artefacts *artefacts);

/* Whether a content is in place, and would be after a power cut. Does not read it. */
bool artefacts_have(struct artefacts *artefacts, const struct digest *digest);

/* For a content that somebody found not to match its digest: reads it, and when that is so moves it out of the way,
 * so that it counts as missing and is uploaded again. What is sound stays. */
void artefacts_quarantine(struct artefacts *artefacts, const struct digest *digest);

struct artefact_writer;

int artefact_writer_new(struct artefacts *artefacts, struct artefact_writer **ret_writer, struct error *err);
/* After an error the writer is only good for artefact_writer_free. */
int artefact_writer_write(struct artefact_writer *writer, struct str bytes, struct error *err);
/* On return the content is in place and survives a power cut. A content that was there already is replaced, which
 * heals a damaged one. The writer is to be freed either way. */
int artefact_writer_commit(struct artefact_writer *writer, struct digest *ret_digest, struct error *err);
/* Without a commit before it, nothing stays. Takes NULL. */
void artefact_writer_free(struct artefact_writer *writer);

struct artefact_reader;

/* NotFound when it is not in place; the error names the digest. */
int artefact_reader_new(struct artefacts *artefacts, const struct digest *digest, struct artefact_reader **ret_reader,
			struct error *err);
/* Reads up to size bytes; *ret_len is 0 at the end. The end is an error (DataLoss) when what was read does not
 * have the digest; the content is then in quarantine. After an error the reader is only good for
 * artefact_reader_free. */
int artefact_reader_read(struct artefact_reader *reader, char *bytes, size_t size, size_t *ret_len, struct error *err);
void artefact_reader_free(struct artefact_reader *reader); /* takes NULL */
