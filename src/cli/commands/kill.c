/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

static int run(struct cli *cli) {
	const char *module = cli->operands[0];
	Ftl__KillModuleRequest request = FTL__KILL_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 ||
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
	.summary = "stop a module; calls to it fail until it is deployed again",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl kill echo",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
