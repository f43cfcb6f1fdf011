/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The build command of a module.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"

/* Runs it in the module's folder, with FTL_MODULE, FTL_CFLAGS and FTL_LIBS set; does nothing when there is none. What
 * it writes to standard output goes to output, a descriptor. */
int build_run(struct cli *cli, const struct project *project, int output, struct error *err);

/* The folders that a command's operands name: "." when there are none. */
char *const *build_folders(const struct cli *cli, size_t *ret_count);
