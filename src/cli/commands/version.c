/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"

static int run(struct cli *cli) {
	if (cli->common->output == FORMAT_JSON)
		output_json(json_pack("{s:s}", "version", FTL_VERSION), JSON_ONE_LINE);
	else
		puts("ftl " FTL_VERSION);
	return EXIT_DONE;
}

const struct command command_version = {
	.name = "version",
	.summary = "the version of this program",
	.operands = "",
	.examples = "ftl version",
	.options_size = sizeof(struct common_options),
	.common = COMMON_OUTPUT,
	.run = run,
};
