/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/project/generator.h"

static int run(struct cli *cli) {
	size_t count;
	char *const *folders = cli_folders(cli, &count);
	for (size_t i = 0; i < count; i++) {
		struct project project;
		struct error err;
		if (project_read(folders[i], &cli->arena, &project, &err) < 0 ||
		    generate_run(cli, &project, project.generate ? project.generate : project.language, true, &err) < 0)
			return cli_fail(cli, &err);
	}
	return EXIT_DONE;
}

const struct command command_generate = {
	.name = "generate",
	.summary = "typed code from a module's schema",
	.operands = "[DIR…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl generate\nftl generate examples/shop/cart",
	.notes =
		"Writes MODULE.ftl.h and MODULE.ftl.c beside MODULE.ftl: the types, the verbs that you write, and\n"
		"those of other modules that +calls names. The schemas of these are asked of the Backplane and kept\n"
		"in schemas/, which is used when it cannot tell. For Python, writes stubs of the modules that \"uses\"\n"
		"in ftl.toml names, as ftl_modules/MODULE.py. With \"generate\" in ftl.toml, `ftl build` does it by\n"
		"itself.",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT,
	.run = run,
};
