/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/schemas/schemas.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/nearest.h"
#include "base/path.h"
#include "cli/output.h"
#include "ftl.pb-c.h"
#include "schema/check.h"
#include "schema/parse.h"
#include "schema/print.h"
#include "schema/proto.h"
#include "schema/references.h"

const char *project_path(struct arena *arena, const struct project *project, const char *name) {
	bool here = strcmp(project->folder, ".") == 0;
	return here ? name : arena_printf(arena, "%s/%s", project->folder, name);
}

/* Prints every diagnostic; err says how many there are. */
static int refuse_schema(struct schema_diagnostics *diagnostics, const char *path, struct error *err) {
	struct buf text = BUF_INIT(MIB(1));
	schema_diagnostics_sort(diagnostics);
	int over = schema_diagnostics_print(diagnostics, &text);
	(void)over; /* diagnostics past the buffer's maximum are cut off */
	progress_clear();
	output_lines(stderr, "", buf_view(&text));
	buf_deinit(&text);
	size_t count = diagnostics->count + diagnostics->left_out;
	return error_set(err, CODE_INVALID_ARGUMENT, "%s has %zu error%s", path, count, count == 1 ? "" : "s");
}

int schema_read_file(struct cli *cli, const char *path, struct schema_module **ret_module, struct error *err) {
	struct schema_diagnostics diagnostics;
	struct schema_module *module = NULL;
	char *text;
	size_t len;
	if (file_read(path, SCHEMA_TEXT_MAX, &text, &len, err) < 0)
		return -1;
	schema_diagnostics_init(&diagnostics);
	int result = schema_parse(str_new(text, len), arena_strdup(&cli->arena, str_from(path)), &cli->arena, &module,
				  &diagnostics);
	if (module != NULL && schema_check(module, &diagnostics) < 0)
		result = -1;
	if (result < 0)
		refuse_schema(&diagnostics, path, err);
	else
		*ret_module = module;
	schema_diagnostics_deinit(&diagnostics);
	free(text);
	return result;
}

int schema_read_quietly(struct cli *cli, const struct project *project, struct schema_module **ret_module) {
	const char *path = project_path(&cli->arena, project, project->schema);
	struct schema_diagnostics diagnostics;
	struct schema_module *module;
	struct error ignored;
	char *text;
	size_t len;
	if (file_read(path, SCHEMA_TEXT_MAX, &text, &len, &ignored) < 0)
		return -1;
	schema_diagnostics_init(&diagnostics);
	int result = schema_parse(str_new(text, len), path, &cli->arena, &module, &diagnostics);
	schema_diagnostics_deinit(&diagnostics);
	free(text);
	if (result == 0)
		*ret_module = module;
	return result;
}

int schema_check_file_references(const struct schema_module *module, const struct map *modules, const char *path,
				 struct error *err) {
	struct schema_diagnostics diagnostics;
	char *text;
	size_t len;
	if (file_read(path, SCHEMA_TEXT_MAX, &text, &len, err) < 0)
		return -1;
	schema_diagnostics_init(&diagnostics);
	schema_diagnostics_set_text(&diagnostics, path, str_new(text, len));
	int result = schema_check_known_references(module, modules, &diagnostics);
	if (result < 0)
		refuse_schema(&diagnostics, path, err);
	schema_diagnostics_deinit(&diagnostics);
	free(text);
	return result;
}

void schema_warn_of_metadata(const struct schema_module *module) {
	for (size_t i = 0; i < module->decl_count; i++) {
		for (size_t j = 0; j < module->decls[i].metadata.count; j++) {
			const struct schema_metadata *metadata = &module->decls[i].metadata.items[j];
			struct nearest nearest;
			nearest_init(&nearest, str_from(metadata->name));
			nearest_offer(&nearest, "calls");
			nearest_offer(&nearest, "nonblocking");
			if (nearest.name != NULL && nearest.distance > 0)
				output_warning("%s:%u:%u: +%s is kept, but says nothing to FTL; did you mean +%s?",
					       metadata->pos.file, metadata->pos.line, metadata->pos.column,
					       metadata->name, nearest.name);
		}
	}
}

int schema_read_own(struct cli *cli, const struct project *project, struct schema_module **ret_module,
		    struct error *err) {
	const char *path = project_path(&cli->arena, project, project->schema);
	if (schema_read_file(cli, path, ret_module, err) < 0)
		return err->code == CODE_NOT_FOUND ? error_wrap(err, "there is no schema of %s", project->module) : -1;
	if (strcmp((*ret_module)->name, project->module) != 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s:%u:%u: the module is \"%s\", but %s says \"%s\"", path,
				 (*ret_module)->pos.line, (*ret_module)->pos.column, (*ret_module)->name, project->file,
				 project->module);
	return 0;
}

int schema_fetch_messages(struct cli *cli, const char *endpoint, const char *name,
			  const struct Ftl__GetSchemaResponse **ret_response, struct error *err) {
	Ftl__GetSchemaRequest request = FTL__GET_SCHEMA_REQUEST__INIT;
	const ProtobufCMessage *response;
	if (name != NULL)
		request.module = (char *)name;
	if (cli_connect(cli, endpoint, err) < 0 ||
	    cli_unary(cli, "GetSchema", &request.base, &ftl__get_schema_response__descriptor, &response, err) < 0)
		return -1;
	*ret_response = (const Ftl__GetSchemaResponse *)response;
	return 0;
}

int schema_from_message(struct cli *cli, const struct Schema__Module *message, struct schema_module **ret_module,
			struct error *err) {
	struct schema_diagnostics diagnostics;
	schema_diagnostics_init(&diagnostics);
	int result = schema_from_proto(message, &cli->arena, ret_module, &diagnostics);
	if (result == 0)
		result = schema_check(*ret_module, &diagnostics);
	if (result < 0)
		schema_diagnostics_to_error(&diagnostics, err);
	schema_diagnostics_deinit(&diagnostics);
	if (result < 0)
		return error_wrap(err, "the schema of \"%s\" is not one that this program understands", message->name);
	return 0;
}

int schema_print_message(struct cli *cli, const struct Schema__Module *message, struct error *err) {
	struct schema_module *module;
	if (schema_from_message(cli, message, &module, err) < 0)
		return -1;
	struct buf text = BUF_INIT(MIB(16));
	int result = schema_print(module, &text);
	if (result == 0)
		output_lines(stdout, "", buf_view(&text));
	else
		error_set(err, CODE_RESOURCE_EXHAUSTED, "the schema of \"%s\" has more than 16 MiB as text",
			  message->name);
	buf_deinit(&text);
	return result;
}

int schema_fetch_all(struct cli *cli, const char *endpoint, struct map *modules, struct error *err) {
	const Ftl__GetSchemaResponse *response;
	if (schema_fetch_messages(cli, endpoint, NULL, &response, err) < 0)
		return -1;
	for (size_t i = 0; i < response->n_modules; i++) {
		struct schema_module *module;
		if (schema_from_message(cli, response->modules[i], &module, err) < 0)
			return -1;
		map_put(modules, str_from(module->name), module);
	}
	return 0;
}
