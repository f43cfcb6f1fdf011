/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that the schemas of built modules fit each other and what is deployed.
 */
#pragma once

#include "base/map.h"
#include "cli/cli.h"
#include "cli/project/project.h"

struct schema_fit {
	struct cli *cli;
	struct map modules; /* the deployed modules, replaced by those that were built in this run */
	bool asked; /* the Backplane was asked for the deployed modules */
	bool answered;
	struct error why_not;
};

void schema_fit_init(struct schema_fit *fit, struct cli *cli);
void schema_fit_deinit(struct schema_fit *fit);

/*
 * Checks the schema of a built module, if it has one: by itself, and against the modules that it refers to. Problems
 * are printed on standard error; err says how many. A referenced module that is neither deployed nor built earlier in
 * this run is a warning, as modules are built in any order. Without a Backplane deployed modules are not checked.
 */
int schema_fit_check(struct schema_fit *fit, const struct project *project, struct error *err);
