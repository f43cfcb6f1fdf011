/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/schemas/schema_fit.h"

#include <unistd.h>

#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"
#include "schema/references.h"

/* A build does not wait longer for a Backplane that does not answer. */
enum { ASK_TIMEOUT_MS = 1000 };

void schema_fit_init(struct schema_fit *fit, struct cli *cli) {
	*fit = (struct schema_fit){.cli = cli};
	map_init(&fit->modules);
}

void schema_fit_deinit(struct schema_fit *fit) {
	map_deinit(&fit->modules);
}

static int fetch(struct schema_fit *fit, const struct project *project, struct error *err) {
	const struct client_call call = {
		.path = "/xyz.block.ftl.v1.BackplaneService/GetSchema",
		.response = &ftl__get_schema_response__descriptor,
		.timeout_ms = ASK_TIMEOUT_MS,
	};
	const Ftl__GetSchemaRequest request = FTL__GET_SCHEMA_REQUEST__INIT;
	const ProtobufCMessage *message;
	struct cli *cli = fit->cli;
	if (cli_connect(cli, project->endpoint, err) < 0 ||
	    client_unary(cli->client, &call, &request.base, &cli->arena, &message, err) < 0)
		return -1;
	const Ftl__GetSchemaResponse *response = (const Ftl__GetSchemaResponse *)message;
	for (size_t i = 0; i < response->n_modules; i++) {
		struct schema_module *module;
		if (schema_from_message(cli, response->modules[i], &module, err) < 0)
			return -1;
		schema_export_by_default(module);
		/* Modules that were built in this run take precedence. */
		if (map_get(&fit->modules, str_from(module->name)) == NULL)
			map_put(&fit->modules, str_from(module->name), module);
	}
	return 0;
}

/* Asks the Backplane once in a run. */
static void ask(struct schema_fit *fit, const struct project *project) {
	if (fit->asked)
		return;
	fit->asked = true;
	fit->answered = fetch(fit, project, &fit->why_not) == 0;
	cli_disconnect(fit->cli); /* for the next build */
}

struct look {
	const struct schema_fit *fit;
	struct map missing;
};

static void warn_if_missing(const struct schema_ref *ref, void *context) {
	struct look *look = context;
	struct str name = str_from(ref->module);
	if (map_get(&look->fit->modules, name) == NULL && map_put(&look->missing, name, look) == NULL)
		output_warning("%s:%u:%u: there is no module \"%s\", so references to it are not checked",
			       ref->pos.file, ref->pos.line, ref->pos.column, ref->module);
}

static void warn_of_missing(const struct schema_fit *fit, const struct schema_module *module) {
	struct look look = {.fit = fit};
	map_init(&look.missing);
	schema_walk_foreign(module, warn_if_missing, &look);
	map_deinit(&look.missing);
}

static void note_any(const struct schema_ref *ref UNUSED, void *context) {
	*(bool *)context = true;
}

static int check_others(struct schema_fit *fit, const struct project *project, const struct schema_module *module,
			const char *path, struct error *err) {
	bool any = false;
	schema_walk_foreign(module, note_any, &any);
	if (!any)
		return 0;
	ask(fit, project);
	if (fit->answered)
		warn_of_missing(fit, module);
	else
		progress_note("%s: not checked against what is deployed: %s", project->module, fit->why_not.msg);
	return schema_check_file_references(module, &fit->modules, path, err);
}

int schema_fit_check(struct schema_fit *fit, const struct project *project, struct error *err) {
	struct schema_module *module;
	const char *path = project_path(&fit->cli->arena, project, project->schema);
	if (access(path, F_OK) < 0)
		return 0;
	if (schema_read_own(fit->cli, project, &module, err) < 0 || check_others(fit, project, module, path, err) < 0)
		return -1;
	schema_warn_of_metadata(module);
	schema_export_by_default(module);
	map_put(&fit->modules, str_from(module->name), module);
	return 0;
}
