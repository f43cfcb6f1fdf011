/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"
#include "ftl.pb-c.h"

struct rollback_options {
	struct common_options common;
	bool allow_breaking, no_wait, verbose;
	uint64_t timeout_ms;
};

static const struct args_option options[] = {
	{.name = "allow-breaking",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct rollback_options, allow_breaking),
	 .help = "roll back even if it breaks deployed modules or refers to missing ones"},
	WATCH_OPTIONS(struct rollback_options),
};

static int run(struct cli *cli) {
	const struct rollback_options *given = cli->options;
	Ftl__RollbackModuleRequest request = FTL__ROLLBACK_MODULE_REQUEST__INIT;
	request.module = cli->operands[0];
	if (cli->operand_count > 1)
		request.deployment_key = cli->operands[1];
	request.allow_breaking = given->allow_breaking;
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_unary(cli, "RollbackModule", &request.base, &ftl__rollback_module_response__descriptor, &response,
		      &err) < 0)
		return cli_fail(cli, &err);
	const struct watch watch = {.module = request.module,
				    .key = ((const Ftl__RollbackModuleResponse *)response)->deployment_key,
				    .timeout_ms = given->timeout_ms,
				    .verbose = given->verbose};
	if (watch_and_tell(cli, &watch, !given->no_wait, "takes over once it is alive", &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_rollback = {
	.name = "rollback",
	.summary = "go back to an earlier deployment of a module, and wait until it is live",
	.operands = "MODULE [DEPLOYMENT]",
	.operands_min = 1,
	.operands_max = 2,
	.examples = "ftl rollback echo\nftl history echo",
	.notes =
		"Without a DEPLOYMENT: the one that was live before (see: ftl history), and one further back each time.\n"
		"While a deployment is being brought up, that one is taken back instead. Nothing is uploaded. Calls go to\n"
		"the deployment that runs now until the earlier one is live; if it does not come up, the present one goes\n"
		"on serving. The schema of the earlier one must fit what is deployed now.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct rollback_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
