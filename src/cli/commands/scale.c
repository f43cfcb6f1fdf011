/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/schemas/callers.h"
#include "cli/watch.h"
#include "control/model.h"
#include "ftl.pb-c.h"

struct scale_options {
	struct common_options common;
	bool no_wait, verbose, yes;
	uint64_t timeout_ms;
};

static const struct args_option options[] = {WATCH_OPTIONS(struct scale_options), CALLERS_OPTION(struct scale_options)};

static int run(struct cli *cli) {
	const struct scale_options *given = cli->options;
	uint64_t replicas;
	if (!str_to_u64(str_from(cli->operands[1]), &replicas) || replicas > REPLICAS_MAX)
		return cli_usage(cli, "N is \"%s\"; it must be a number of replicas from 0 to %d", cli->operands[1],
				 REPLICAS_MAX);
	Ftl__ScaleModuleRequest request = FTL__SCALE_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	request.replicas = (uint32_t)replicas;
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0)
		return cli_fail(cli, &err);
	if (replicas == 0 && callers_confirm(cli, request.module, "stop", given->yes, &err) < 0)
		return cli_fail(cli, &err);
	if (cli_unary(cli, "ScaleModule", &request.base, &ftl__scale_module_response__descriptor, &response, &err) < 0)
		return cli_fail(cli, &err);
	const struct watch watch = {.module = request.module,
				    .key = ((const Ftl__ScaleModuleResponse *)response)->deployment_key,
				    .timeout_ms = given->timeout_ms,
				    .verbose = given->verbose};
	char otherwise[64] = "is stopped, and kept";
	if (replicas > 0)
		snprintf(otherwise, sizeof otherwise, "is to have %u replica%s", request.replicas,
			 replicas == 1 ? "" : "s");
	if (watch_and_tell(cli, &watch, replicas > 0 && !given->no_wait, otherwise, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_scale = {
	.name = "scale",
	.summary = "change the number of replicas of a module, and wait until they run",
	.operands = "MODULE N",
	.operands_min = 2,
	.operands_max = 2,
	.examples = "ftl scale echo 3\nftl scale echo 0",
	.notes =
		"0 stops the module but keeps it: calls fail until it is scaled up again. Asks on a terminal first when\n"
		"other modules call it.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct scale_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
