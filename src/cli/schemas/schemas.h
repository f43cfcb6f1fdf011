/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas that commands work on: of a module's folder, of files, and of what is deployed.
 */
#pragma once

#include "cli/cli.h"
#include "cli/project/project.h"
#include "schema/diagnostics.h"

/* A file of the module's folder, as a path; in arena or borrowed. */
const char *project_path(struct arena *arena, const struct project *project, const char *name);

/* A schema in a file, checked. What is wrong with it goes to standard error, the error only says how much. NotFound:
 * there is no such file. */
int schema_read_file(struct cli *cli, const char *path, struct schema_module **ret_module, struct error *err);

/* The schema of the module's own folder. */
int schema_read_own(struct cli *cli, const struct project *project, struct schema_module **ret_module,
		    struct error *err);

/* Metadata may have any name, but one that is nearly ours is probably meant to be. */
void schema_warn_of_metadata(const struct schema_module *module);

struct map;

/* What a schema read from path names of the modules, as far as they are there; complains as schema_read_file. */
int schema_check_file_references(const struct schema_module *module, const struct map *modules, const char *path,
				 struct error *err);

struct Ftl__GetSchemaResponse;

/* What is deployed; name NULL is all of it. */
int schema_fetch_messages(struct cli *cli, const char *endpoint, const char *name,
			  const struct Ftl__GetSchemaResponse **ret_response, struct error *err);

struct Schema__Module;
int schema_from_message(struct cli *cli, const struct Schema__Module *message, struct schema_module **ret_module,
			struct error *err);

/* As text on standard output. */
int schema_print_message(struct cli *cli, const struct Schema__Module *message, struct error *err);

/* All that is deployed, by name, into an empty map of struct schema_module. */
int schema_fetch_all(struct cli *cli, const char *endpoint, struct map *modules, struct error *err);
