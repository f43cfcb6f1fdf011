/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The changes that deploying a schema would make to what is deployed, and whom they break.
 */
#pragma once

#include <jansson.h>

#include "base/map.h"
#include "cli/cli.h"
#include "schema/compare.h"
#include "schema/diagnostics.h"

struct schema_diff {
	const struct schema_module *module;
	struct map modules; /* the deployed modules, by name */
	bool existed;
	struct schema_comparison comparison; /* with the deployed version, if there is one */
	struct schema_diagnostics missing; /* references to declarations that are not deployed */
	struct schema_diagnostics broken; /* deployed modules that rely on what the change removes */
};

/* Fetches the deployed schemas and compares. module was checked before. planned: modules by name that will be deployed
 * before it, and count as deployed; NULL: none. */
int schema_diff_make(struct cli *cli, const char *endpoint, struct schema_module *module, const struct map *planned,
		     struct schema_diff **ret_diff, struct error *err);
void schema_diff_free(struct schema_diff *diff);

/* Whether a change is unsafe for some caller, or the deploy would be refused. */
bool schema_diff_is_breaking(const struct schema_diff *diff);

/* Whether the deploy would be refused, unless breaking is allowed. */
bool schema_diff_is_refused(const struct schema_diff *diff);

void schema_diff_print(const struct schema_diff *diff);
json_t *schema_diff_to_json(const struct schema_diff *diff);
