/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/schemas/callers.h"
#include "ftl.pb-c.h"

struct kill_options {
	struct common_options common;
	bool yes;
};

static const struct args_option options[] = {CALLERS_OPTION(struct kill_options)};
static const char *const aliases[] = {"stop", "rm", "delete", NULL};

static int run(struct cli *cli) {
	const struct kill_options *given = cli->options;
	const char *module = cli->operands[0];
	Ftl__KillModuleRequest request = FTL__KILL_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 || callers_confirm(cli, module, "stop", given->yes, &err) < 0 ||
	    cli_unary(cli, "KillModule", &request.base, &ftl__kill_module_response__descriptor, &response, &err) < 0)
		return cli_fail(cli, &err);
	const char *key = ((const Ftl__KillModuleResponse *)response)->deployment_key;
	if (cli->common->output == FORMAT_JSON) {
		output_json(json_pack("{s:s, s:s}", "module", module, "deployment_key", key), JSON_ONE_LINE);
	} else if (key[0] == '\0') {
		printf("%s: nothing of it ran\n", module);
	} else {
		printf("%s: ", module);
		output_text(stdout, str_from(key));
		puts(" is ending; calls that it has may finish");
	}
	return EXIT_DONE;
}

const struct command command_kill = {
	.name = "kill",
	.aliases = aliases,
	.summary = "stop a module; calls to it fail until it is deployed again",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl kill echo",
	.notes = "Asks on a terminal when other modules call it, by the +calls of their schemas.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct kill_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
