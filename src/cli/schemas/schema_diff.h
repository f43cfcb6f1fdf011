/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a schema would change for what is deployed.
 */
#pragma once

#include <jansson.h>

#include "base/map.h"
#include "cli/cli.h"
#include "schema/compare.h"
#include "schema/diagnostics.h"

struct schema_diff {
	const struct schema_module *module;
	struct map modules; /* that are deployed, by name */
	bool existed;
	struct schema_comparison comparison; /* if it existed */
	struct schema_diagnostics missing;   /* what it names of others and is not there */
	struct schema_diagnostics broken;    /* who of them relies on what goes */
};

/* Asks the Backplane. The module was checked. */
int schema_diff_make(struct cli *cli, const char *endpoint, struct schema_module *module, struct schema_diff **ret_diff,
		     struct error *err);
void schema_diff_free(struct schema_diff *diff);

/* Some change is unsafe for someone, or would be refused. */
bool schema_diff_is_breaking(const struct schema_diff *diff);

void schema_diff_print(const struct schema_diff *diff);
json_t *schema_diff_to_json(const struct schema_diff *diff);
