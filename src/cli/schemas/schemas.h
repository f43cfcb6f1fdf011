/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the schemas that commands work on: from a module's folder, from files, from the Backplane.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"
#include "schema/diagnostics.h"

/* The path of a file in the module's folder; in arena or borrowed. */
const char *project_path(struct arena *arena, const struct project *project, const char *name);

/* Reads and checks the schema in a file. Diagnostics are printed on standard error; err says how many. NotFound: there
 * is no such file. */
int schema_read_file(struct cli *cli, const char *path, struct schema_module **ret_module, struct error *err);

/* Reads and checks the schema of a module's folder. */
int schema_read_own(struct cli *cli, const struct project *project, struct schema_module **ret_module,
		    struct error *err);

/* Reads the schema of a module's folder, as schema_read_own does, without a word about what is wrong with it. */
int schema_read_quietly(struct cli *cli, const struct project *project, struct schema_module **ret_module);

/* Warns of metadata whose name is nearly one of FTL's: other names are allowed, but that is probably a typo. */
void schema_warn_of_metadata(const struct schema_module *module);

struct map;

/* Checks the references of a schema that was read from path to those of modules that are present. Diagnostics as in
 * schema_read_file. */
int schema_check_file_references(const struct schema_module *module, const struct map *modules, const char *path,
				 struct error *err);

struct Ftl__GetSchemaResponse;

/* Fetches the schema of a deployed module; name NULL: of all. */
int schema_fetch_messages(struct cli *cli, const char *endpoint, const char *name,
			  const struct Ftl__GetSchemaResponse **ret_response, struct error *err);

struct Schema__Module;
int schema_from_message(struct cli *cli, const struct Schema__Module *message, struct schema_module **ret_module,
			struct error *err);

/* Prints a schema as text on standard output. */
int schema_print_message(struct cli *cli, const struct Schema__Module *message, struct error *err);

/* Fetches the schemas of all deployed modules into an empty map of struct schema_module by name. */
int schema_fetch_all(struct cli *cli, const char *endpoint, struct map *modules, struct error *err);
