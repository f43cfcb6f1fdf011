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
	FILES_MAX = 20000, /* of one module */
	FILES_DEPTH_MAX = 64, /* folders in folders */
	FILES_CHUNK = 256 << 10, /* bytes that are read at a time */
};

struct file {
	const char *path; /* relative to the module's folder */
	bool executable;
	uint64_t size;
	struct digest digest;
	bool missing; /* the Backplane does not have it, and no file before this one has the same content */
};

struct files {
	struct file *items; /* by path */
	size_t count;
};

/* Finds them, in arena. A pattern that stands for nothing is an error. Reads none: digests and sizes are not set. */
int files_collect(const char *folder, const char *const *patterns, size_t count, struct arena *arena,
		  struct files *ret_files, struct error *err);

/* Reads one for its digest, size and executable bit. */
int files_hash(const char *folder, struct file *file, struct error *err);

/* Opens one to be read. The descriptor is the caller's. */
int files_open(const char *folder, const struct file *file, int *ret_fd, struct error *err);

/* NULL: there is none of that path. */
const struct file *files_find(const struct files *files, const char *path);
