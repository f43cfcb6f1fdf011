/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

struct rollback_options {
	struct common_options common;
	bool allow_breaking;
};

static const struct args_option options[] = {
	{.name = "allow-breaking",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct rollback_options, allow_breaking),
	 .help = "also if it breaks modules that are deployed, or names what is not there"},
};

static int run(struct cli *cli) {
	const char *module = cli->operands[0];
	Ftl__RollbackModuleRequest request = FTL__ROLLBACK_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	if (cli->operand_count > 1)
		request.deployment_key = cli->operands[1];
	request.allow_breaking = ((const struct rollback_options *)cli->options)->allow_breaking;
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_unary(cli, "RollbackModule", &request.base, &ftl__rollback_module_response__descriptor, &response, &err) < 0)
		return cli_fail(cli, &err);
	const char *key = ((const Ftl__RollbackModuleResponse *)response)->deployment_key;
	if (cli->common->output == FORMAT_JSON) {
		output_json(json_pack("{s:s, s:s}", "module", module, "deployment_key", key), JSON_ONE_LINE);
	} else {
		printf("%s: ", module);
		output_text(stdout, str_from(key));
		puts(" takes over once it is alive");
	}
	return EXIT_DONE;
}

const struct command command_rollback = {
	.name = "rollback",
	.summary = "go back to an earlier deployment of a module",
	.operands = "MODULE [DEPLOYMENT]",
	.operands_min = 1,
	.operands_max = 2,
	.examples = "ftl rollback echo\nftl history echo",
	.notes = "Without a DEPLOYMENT: the one before the active one that did not fail. Nothing is uploaded. The\n"
		 "schema of the earlier one must fit what is deployed now, as that of a new one must.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct rollback_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
