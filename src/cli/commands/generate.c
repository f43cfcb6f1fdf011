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
	.summary = "write typed code from a module's schema",
	.operands = "[DIR…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl generate\nftl generate examples/shop/cart",
	.notes =
		"For C, writes MODULE.ftl.h and MODULE.ftl.c beside MODULE.ftl: the types, the verbs to implement, and\n"
		"the verbs of other modules that +calls names. For Python, writes stubs of the modules that \"uses\" in\n"
		"ftl.toml names, as ftl_modules/MODULE.py. Schemas of other modules come from the Backplane and are\n"
		"kept in schemas/, for when no Backplane answers. With \"generate\" in ftl.toml `ftl build` generates too.",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT,
	.run = run,
};
