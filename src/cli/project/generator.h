/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed code from the schema of a module: `ftl generate`, and what a build writes first.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"

/* Writes the code of a module where it differs from what its schema says. target: "c" or "python". refresh: the schemas
 * of other modules are asked of the Backplane, and the copies in schemas/ are used only if it cannot tell; without
 * refresh the copies come first. */
int generate_run(struct cli *cli, const struct project *project, const char *target, bool refresh, struct error *err);
