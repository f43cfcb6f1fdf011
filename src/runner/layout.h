/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a deployment in its folder: announced first, then written chunk by chunk, then checked against their
 * digests.
 *
 * What the Backplane sends must match what it announced: no path leads out of the folder, a file arrives in one run of
 * chunks, and content that does not match its digest is never used. An error names the file and the mismatch.
 */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "store/digest.h"

/* "max-files" of one deployment. */
#define LAYOUT_FILES_MAX 65536

enum layout_file_state { FILE_EXPECTED, FILE_OPEN, FILE_WRITTEN };

struct layout_file {
	enum layout_file_state state;
	struct digest digest;
	const char *path; /* relative */
	bool executable;
};

struct layout {
	const char *folder; /* borrowed */
	struct arena arena;
	struct layout_file **files;
	size_t count;
	size_t capacity;
	struct map by_path;
	struct layout_file *open; /* being written or checked */
	int fd;
	struct hasher hasher;
	size_t checked; /* files that layout_check_step has compared */
};

/* folder exists and is empty. */
void layout_init(struct layout *layout, const char *folder);
void layout_deinit(struct layout *layout); /* the files stay */

/* Announces a file. */
int layout_add(struct layout *layout, struct str digest_hex, struct str path, bool executable, struct error *err);

/* Adds a chunk to a file that was announced with this digest. A chunk for another file ends the one before. */
int layout_write(struct layout *layout, struct str digest_hex, struct str path, struct str chunk, struct error *err);

/* Ends the last file. Fails when an announced file is missing. */
int layout_finish(struct layout *layout, struct error *err);

/* Reads files back and compares their digests, at most 1 MiB a step. Returns 1 while there are more to compare, and 0
 * when all match. */
int layout_check_step(struct layout *layout, struct error *err);

/* NULL: no such file. */
const struct layout_file *layout_find(const struct layout *layout, struct str path);
