/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a module: generates its code if ftl.toml says so, then runs its build command.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"

/* Runs the build command by /bin/sh in the module's folder, with FTL_MODULE, FTL_CFLAGS and FTL_LIBS set; does nothing
 * when ftl.toml has none. The standard output of the command goes to output, a descriptor. */
int build_run(struct cli *cli, const struct project *project, int output, struct error *err);
