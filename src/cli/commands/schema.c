/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ftl schema [get [MODULE] | diff [DIR] | openapi [MODULE…]]; without a word, get.
 */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/map.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/project/builder.h"
#include "cli/schemas/schema_diff.h"
#include "cli/schemas/schema_follow.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "schema/openapi.h"
#include "schema/print.h"

struct schema_options {
	struct common_options common;
	const char *output;
	bool follow, no_build;
};

static const struct args_option options[] = {
	{.name = "output",
	 .letter = 'o',
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct schema_options, output),
	 .value = "FORMAT",
	 .standard = "text",
	 .help = "text (or table), json, or, for get, proto as on the wire"},
	{.name = "follow",
	 .letter = 'f',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct schema_options, follow),
	 .help = "get: follow, and print each change as it happens"},
	{.name = "no-build",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct schema_options, no_build),
	 .help = "diff: compare the schema as it is in DIR"},
};

static bool wants(const struct cli *cli, const char *format) {
	const struct schema_options *given = cli->options;
	/* The default format "table" means schema text here. */
	bool is_table = strcmp(given->output, "table") == 0;
	return strcmp(is_table ? "text" : given->output, format) == 0;
}

static bool follows(const struct cli *cli) {
	return ((const struct schema_options *)cli->options)->follow;
}

/* --- get ---------------------------------------------------------------------------------------------------------- */

static int print_text(struct cli *cli, const Ftl__GetSchemaResponse *response, struct error *err) {
	for (size_t i = 0; i < response->n_modules; i++) {
		if (i > 0)
			putchar('\n');
		if (schema_print_message(cli, response->modules[i], err) < 0)
			return -1;
	}
	if (response->n_modules == 0)
		progress_note("nothing is deployed");
	return 0;
}

static void print_json(const Ftl__GetSchemaResponse *response) {
	json_t *modules = json_array();
	for (size_t i = 0; i < response->n_modules; i++)
		json_array_append_new(modules, json_from_message(&response->modules[i]->base));
	output_json(modules, JSON_MANY_LINES);
}

/* Writes one module as schema.Module, all modules as GetSchemaResponse. */
static void print_proto(struct cli *cli, const Ftl__GetSchemaResponse *response, const char *name) {
	const ProtobufCMessage *message = &response->base;
	if (name != NULL && response->n_modules == 1)
		message = &response->modules[0]->base;
	struct str packed = pb_pack(message, &cli->arena);
	fwrite(packed.ptr, 1, packed.len, stdout);
}

/* "did you mean: ftl schema diff", in the arena of cli; NULL: no word is near. */
static const char *word_meant(struct cli *cli, const char *word) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(word));
	nearest_offer(&nearest, "get");
	nearest_offer(&nearest, "diff");
	nearest_offer(&nearest, "openapi");
	return nearest.name != NULL ? arena_printf(&cli->arena, "did you mean: ftl schema %s", nearest.name) : NULL;
}

/* name: a module; NULL: all. */
static int get(struct cli *cli, const char *name) {
	const Ftl__GetSchemaResponse *response;
	struct error err;
	if (follows(cli))
		return schema_follow(cli, name, wants(cli, "json"), &err) < 0 ? cli_fail(cli, &err) : EXIT_DONE;
	if (schema_fetch_messages(cli, NULL, name, &response, &err) < 0) {
		if (err.code == CODE_NOT_FOUND && name != NULL && cli->operand_count == 1)
			cli->hint = word_meant(cli, name);
		return cli_fail(cli, &err);
	}
	if (wants(cli, "json"))
		print_json(response);
	else if (wants(cli, "proto"))
		print_proto(cli, response, name);
	else if (print_text(cli, response, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

/* --- diff --------------------------------------------------------------------------------------------------------- */

/* The build may write the schema, as it does for modules in Python. Nothing is built for a Backplane that does not
 * answer. */
static int build(struct cli *cli, const struct project *project, struct error *err) {
	const struct schema_options *given = cli->options;
	const Ftl__PingRequest request = FTL__PING_REQUEST__INIT;
	const ProtobufCMessage *response;
	if (given->no_build || (project->build == NULL && project->generate == NULL))
		return 0;
	if (cli_connect(cli, project->endpoint, err) < 0 ||
	    cli_unary(cli, "Ping", &request.base, &ftl__ping_response__descriptor, &response, err) < 0)
		return -1;
	cli_disconnect(cli);
	/* Standard output is for the difference. */
	if (build_run(cli, project, STDERR_FILENO, err) == 0)
		return 0;
	cli->hint = "--no-build compares the schema as it is";
	return -1;
}

static int diff(struct cli *cli, const char *folder) {
	struct project project;
	struct schema_module *module;
	struct schema_diff *difference;
	struct error err;
	if (project_read(folder ? folder : ".", &cli->arena, &project, &err) < 0 || build(cli, &project, &err) < 0 ||
	    schema_read_own(cli, &project, &module, &err) < 0 ||
	    schema_diff_make(cli, project.endpoint, module, NULL, &difference, &err) < 0)
		return cli_fail(cli, &err);
	if (wants(cli, "json"))
		output_json(schema_diff_to_json(difference), JSON_ONE_LINE);
	else
		schema_diff_print(difference);
	int code = schema_diff_is_breaking(difference) ? EXIT_BREAKING : EXIT_DONE;
	schema_diff_free(difference);
	return code;
}

/* --- openapi ------------------------------------------------------------------------------------------------------ */

/* Chooses the named modules, or all. */
static int choose(struct cli *cli, char *const *names, const struct map *modules, struct schema_openapi *openapi,
		  struct error *err) {
	const struct schema_module **chosen =
		arena_alloc(&cli->arena, (modules->len + cli->operand_count + 1) * sizeof *chosen);
	size_t cursor = 0;
	for (const struct schema_module *module; names[0] == NULL && (module = map_next(modules, &cursor)) != NULL;)
		chosen[openapi->described_count++] = module;
	for (size_t i = 0; names[i] != NULL; i++) {
		chosen[openapi->described_count] = map_get(modules, str_from(names[i]));
		if (chosen[openapi->described_count++] == NULL)
			return error_set(err, CODE_NOT_FOUND, "there is no module %s", names[i]);
	}
	openapi->described = chosen;
	return 0;
}

static int openapi(struct cli *cli, char *const *names) {
	/* No "servers": the paths are those of a gateway in front of FTL. */
	struct schema_openapi described = {
		.title = "FTL",
		.version = FTL_VERSION,
		.description = "The paths are those of a gateway. FTL itself takes calls at "
			       "/xyz.block.ftl.v1.VerbService/Call, in a CallRequest that names the verb and has the "
			       "request described here, as JSON, for its body.",
		.path_prefix = "/call/",
	};
	struct buf text = BUF_INIT(MIB(256));
	struct map modules;
	struct error err;
	map_init(&modules);
	int result = schema_fetch_all(cli, NULL, &modules, &err);
	described.modules = &modules;
	if (result == 0)
		result = choose(cli, names, &modules, &described, &err);
	if (result == 0)
		result = schema_openapi(&described, &text, &err);
	if (result == 0) {
		fwrite(buf_view(&text).ptr, 1, buf_view(&text).len, stdout);
		putchar('\n');
	}
	buf_deinit(&text);
	map_deinit(&modules);
	return result == 0 ? EXIT_DONE : cli_fail(cli, &err);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int run(struct cli *cli) {
	char *const *operands = cli->operands;
	const char *word = cli->operand_count > 0 ? operands[0] : "get";
	if (!wants(cli, "text") && !wants(cli, "json") && !wants(cli, "proto"))
		return cli_usage(cli, "there is no format \"%.80s\"; there is text, json and proto",
				 ((const struct schema_options *)cli->options)->output);
	bool is_get = strcmp(word, "diff") != 0 && strcmp(word, "openapi") != 0;
	if (follows(cli) && (!is_get || wants(cli, "proto")))
		return cli_usage(cli, "--follow is for get, with text or json");
	if (((const struct schema_options *)cli->options)->no_build && strcmp(word, "diff") != 0)
		return cli_usage(cli, "--no-build is for diff");
	if (strcmp(word, "openapi") == 0)
		return openapi(cli, operands + 1);
	bool is_word = strcmp(word, "get") == 0 || strcmp(word, "diff") == 0;
	size_t first = is_word && cli->operand_count > 0;
	if (cli->operand_count > first + 1) {
		const char *meant = is_word ? NULL : word_meant(cli, word);
		return cli_usage(cli, "\"%.80s\" is one argument too many%s%s", operands[first + 1],
				 meant != NULL ? "\nhint: " : "", meant != NULL ? meant : "");
	}
	if (strcmp(word, "diff") == 0)
		return diff(cli, operands[1]);
	return get(cli, cli->operand_count > 0 ? operands[first] : NULL);
}

const struct command command_schema = {
	.name = "schema",
	.summary = "show deployed schemas, or what deploying a module would change",
	.operands = "[[get] [MODULE] | diff [DIR] | openapi [MODULE…]]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples =
		"ftl schema\nftl schema get echo > echo.ftl\nftl schema get --follow -o json\nftl schema diff examples/echo\nftl schema openapi > api.json",
	.notes =
		"get prints schemas; with --follow, the active ones and then each change. diff builds the module of DIR\n"
		"(default \".\"), as its build may write the schema, compares the schema with the deployed one, and exits\n"
		"with 3 if a change is unsafe for callers or stored data, or the deploy would be refused. openapi\n"
		"describes exported verbs as OpenAPI 3.1.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct schema_options),
	.common = COMMON_ENDPOINT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
