/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads a module's files: hashes them and sends the contents that the Backplane lacks.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/files.h"
#include "cli/project/project.h"

/* Hashes each file. */
int upload_hash(const struct project *project, struct files *files, struct error *err);

/* Asks the Backplane which contents it lacks and marks those files as missing. */
/* The largest file that the Backplane takes; 0: it does not tell. */
int upload_limit(struct cli *cli, uint64_t *ret_max, struct error *err);

int upload_find_missing(struct cli *cli, struct files *files, struct error *err);

/* Sends the files that are marked as missing. A file that has changed since it was hashed is an error that names it. */
int upload_missing(struct cli *cli, const struct project *project, const struct files *files, struct error *err);

/* The number of missing files, and their bytes. */
struct upload_size {
	size_t files;
	uint64_t bytes;
};
struct upload_size upload_size(const struct files *files);
