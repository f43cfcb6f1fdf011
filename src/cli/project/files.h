/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a module: what the paths and patterns of "deploy" in ftl.toml stand for.
 *
 * A pattern is relative to the module's folder. "*", "?" and "[…]" stand for characters within a name, "**" for any
 * number of folders; none of them for a dot that a name begins with. A folder stands for all that is in it. A link is
 * followed, as long as it stays within the module's folder; but "**" stands for no links.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "store/digest.h"

enum {
	FILES_DEPTH_MAX = 64, /* folders in folders */
	FILES_CHUNK = 256 << 10, /* bytes that are read at a time */
};

struct file {
	const char *path; /* relative to the module's folder */
	bool executable;
	uint64_t size;
	struct digest digest;
	bool missing; /* the Backplane lacks its content, and no earlier file has the same */
};

struct files {
	struct file *items; /* by path */
	size_t count;
};

/* Expands the patterns, in arena. A pattern without a match is an error. Digests and sizes stay unset. */
int files_collect(const char *folder, const char *const *patterns, size_t count, struct arena *arena,
		  struct files *ret_files, struct error *err);

/* Looks at all files before one is read: sets sizes and executable bits, and finds a file that cannot be read or has
 * more than max bytes; 0: no maximum. */
int files_check(const char *folder, struct files *files, uint64_t max, struct error *err);

/* Reads a file and sets its digest, size and executable bit. */
int files_hash(const char *folder, struct file *file, struct error *err);

/* Opens a file for reading. The descriptor is the caller's. */
int files_open(const char *folder, const struct file *file, int *ret_fd, struct error *err);

/* The file with that path, or NULL. */
const struct file *files_find(const struct files *files, const char *path);
