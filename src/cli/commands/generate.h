/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"

/* Writes the code of a module where it is not what it should be. refresh: the schemas of other modules are asked of the
 * Backplane, and those in schemas/ used only if it cannot tell; else the other way round. */
int generate_run(struct cli *cli, const struct project *project, const char *target, bool refresh, struct error *err);
