/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

static int run(struct cli *cli) {
	const char *module = cli->operands[0];
	uint64_t replicas;
	if (!str_to_u64(str_from(cli->operands[1]), &replicas) || replicas > UINT32_MAX)
		return cli_usage(cli, "\"%s\" is no number of replicas", cli->operands[1]);
	Ftl__ScaleModuleRequest request = FTL__SCALE_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	request.replicas = (uint32_t)replicas;
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_unary(cli, "ScaleModule", &request.base, &ftl__scale_module_response__descriptor, &response, &err) < 0)
		return cli_fail(cli, &err);
	const char *key = ((const Ftl__ScaleModuleResponse *)response)->deployment_key;
	if (cli->common->output == FORMAT_JSON) {
		output_json(json_pack("{s:s, s:s, s:I}", "module", module, "deployment_key", key, "replicas", (json_int_t)replicas),
			    JSON_ONE_LINE);
	} else {
		printf("%s: ", module);
		output_text(stdout, str_from(key));
		if (replicas == 0)
			puts(" is stopped, and kept");
		else
			printf(" is to have %u %s\n", request.replicas, replicas == 1 ? "replica" : "replicas");
	}
	return EXIT_DONE;
}

const struct command command_scale = {
	.name = "scale",
	.summary = "change how many copies of a module run",
	.operands = "MODULE N",
	.operands_min = 2,
	.operands_max = 2,
	.examples = "ftl scale echo 3\nftl scale echo 0",
	.notes = "0 stops the module and keeps it: calls to it fail until it is scaled up again.",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
