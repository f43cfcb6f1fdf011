/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "ftl.pb-c.h"
#include "schema/print.h"

static int print_module(struct cli *cli, const Schema__Module *message, struct error *err) {
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

static int print_text(struct cli *cli, const Ftl__GetSchemaResponse *response, struct error *err) {
	for (size_t i = 0; i < response->n_modules; i++) {
		if (i > 0)
			putchar('\n');
		if (print_module(cli, response->modules[i], err) < 0)
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

static int run(struct cli *cli) {
	const Ftl__GetSchemaResponse *response;
	struct error err;
	if (schema_fetch_messages(cli, NULL, cli->operands[0], &response, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->common->output == FORMAT_JSON)
		print_json(response);
	else if (print_text(cli, response, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_schema = {
	.name = "schema",
	.summary = "the schemas of what is deployed, as text",
	.operands = "[MODULE]",
	.operands_max = 1,
	.examples = "ftl schema\nftl schema echo > echo.ftl",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
