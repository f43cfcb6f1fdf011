/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The artefact folder: contents named by their digest, FOLDER/ab/abcdef….
 *
 * A writer writes a content to a file of its own and hashes it as it flows; commit syncs the file and moves it into
 * place. A file in place is therefore complete, and never changes.
 *
 * All functions block on the disk. Any thread may call them; a writer or a reader is used by one thread at a time.
 * Event loops use folder_artefacts.h, which runs these functions on libuv's pool.
 */
#pragma once

#include "store/digest.h"

struct artefact_files;

/* Makes the folder, locks it for this process (folder_lock), and removes unfinished uploads of an earlier process. */
int artefact_files_open(const char *folder, struct artefact_files **ret_files, struct error *err);
/* After its writers and readers are freed. Takes NULL. */
void artefact_files_close(struct artefact_files *files);

/* Whether a content is in place and would survive a power failure. Does not read it. */
bool artefact_files_have(struct artefact_files *files, const struct digest *digest);

/* Reads a content that is said to be damaged. If it does not match its digest, the file moves to FOLDER/quarantine: the
 * content then counts as missing, and the next deploy uploads it again. A sound content stays. */
void artefact_files_quarantine(struct artefact_files *files, const struct digest *digest);

struct artefact_file_writer;

int artefact_file_writer_new(struct artefact_files *files, struct artefact_file_writer **ret_writer, struct error *err);
/* After an error the writer can only be freed. */
int artefact_file_writer_write(struct artefact_file_writer *writer, struct str bytes, struct error *err);
/* When this returns 0, the content is in place and survives a power failure. The new file replaces one that was in
 * place already, which heals a damaged one. The writer can only be freed afterwards. */
int artefact_file_writer_commit(struct artefact_file_writer *writer, struct digest *ret_digest, struct error *err);
/* Removes a content that was not committed. Takes NULL. */
void artefact_file_writer_free(struct artefact_file_writer *writer);

struct artefact_file_reader;

/* NotFound when the content is not in place; the error names the digest. */
int artefact_file_reader_new(struct artefact_files *files, const struct digest *digest,
			     struct artefact_file_reader **ret_reader, struct error *err);
/* Reads up to size bytes; *ret_len is 0 at the end. If the content does not match its digest, the end is an error
 * (DataLoss) and the file is in quarantine. After an error the reader can only be freed. */
int artefact_file_reader_read(struct artefact_file_reader *reader, char *bytes, size_t size, size_t *ret_len,
			      struct error *err);
void artefact_file_reader_free(struct artefact_file_reader *reader); /* takes NULL */
