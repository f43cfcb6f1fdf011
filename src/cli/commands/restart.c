/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cli/cli.h"
#include "cli/status.h"
#include "cli/watch.h"
#include "ftl.pb-c.h"

struct restart_options {
	struct common_options common;
	bool no_wait, verbose;
	uint64_t timeout_ms;
};

static const struct args_option options[] = {WATCH_OPTIONS(struct restart_options)};

static int scale(struct cli *cli, const char *module, uint32_t replicas, const char **ret_key, struct error *err) {
	Ftl__ScaleModuleRequest request = FTL__SCALE_MODULE_REQUEST__INIT;
	request.module = (char *)module;
	request.replicas = replicas;
	const ProtobufCMessage *response;
	if (cli_unary(cli, "ScaleModule", &request.base, &ftl__scale_module_response__descriptor, &response, err) < 0)
		return -1;
	*ret_key = ((const Ftl__ScaleModuleResponse *)response)->deployment_key;
	return 0;
}

/* How many replicas the module has at present. */
static int count_replicas(struct cli *cli, const char *module, uint32_t *ret_replicas, struct error *err) {
	const Ftl__StatusResponse *status;
	if (status_get(cli, &status, err) < 0)
		return -1;
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		bool is_wanted = deployment->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_LIVE ||
				 deployment->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STARTING;
		if (strcmp(deployment->module, module) == 0 && is_wanted && deployment->replicas > 0) {
			*ret_replicas = deployment->replicas;
			return 0;
		}
	}
	if (status_check_module(cli, status, module, err) < 0)
		return -1;
	return error_set(err, CODE_FAILED_PRECONDITION,
			 "nothing of %s runs that could be restarted; deploy it, or scale it up", module);
}

static int run(struct cli *cli) {
	const struct restart_options *given = cli->options;
	const char *module = cli->operands[0], *key;
	uint32_t replicas = 0;
	struct error err;
	if (count_replicas(cli, module, &replicas, &err) < 0 || scale(cli, module, 0, &key, &err) < 0 ||
	    scale(cli, module, replicas, &key, &err) < 0)
		return cli_fail(cli, &err);
	const struct watch watch = {.module = module,
				    .key = key,
				    .timeout_ms = given->timeout_ms,
				    .verbose = given->verbose};
	if (watch_and_tell(cli, &watch, !given->no_wait, "is restarting", &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_restart = {
	.name = "restart",
	.summary = "end all replicas of a module and start as many anew",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl restart echo",
	.notes =
		"Scales the module to 0 and back. Calls in progress finish on the old replicas. Calls that come meanwhile\n"
		"wait for the new ones, but for those of the moment between the two steps, which fail as Unavailable.\n"
		"Use ftl deploy to replace a module without that.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct restart_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
