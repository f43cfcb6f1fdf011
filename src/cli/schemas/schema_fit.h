/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether schemas that were built fit each other, and what is deployed.
 */
#pragma once

#include "base/map.h"
#include "cli/cli.h"
#include "cli/project/project.h"

struct schema_fit {
	struct cli *cli;
	struct map modules; /* as deployed, and in their place those that were built in this run */
	bool asked; /* what is deployed */
	bool answered;
	struct error why_not;
};

void schema_fit_init(struct schema_fit *fit, struct cli *cli);
void schema_fit_deinit(struct schema_fit *fit);

/*
 * Checks the schema of a module that was built, if it has one: by itself, and against the modules that it names. What
 * is wrong goes to standard error, the error only says how much. A module that is neither deployed nor built before it
 * in this run is a warning, as modules are built in any order. Without a Backplane what it would know is not checked.
 */
int schema_fit_check(struct schema_fit *fit, const struct project *project, struct error *err);
