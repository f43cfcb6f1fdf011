/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a module to the Backplane: hashed here, and sent if they are missing there.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/files.h"
#include "cli/project/project.h"

/* Reads the files for their digests. */
int upload_hash(const struct project *project, struct files *files, struct error *err);

/* Asks which contents the Backplane lacks; these are marked as missing. */
int upload_find_missing(struct cli *cli, struct files *files, struct error *err);

/* Sends those that are missing. A file that has changed since it was hashed is an error that names it. */
int upload_missing(struct cli *cli, const struct project *project, const struct files *files, struct error *err);

/* How many files are missing, and their bytes. */
struct upload_size {
	size_t files;
	uint64_t bytes;
};
struct upload_size upload_size(const struct files *files);
