/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/project/builder.h"
#include "cli/schemas/schema_fit.h"

static void report(const struct cli *cli, const struct project *project, bool built, int64_t took_ms) {
	char took[TIME_TEXT_MAX];
	duration_format(took, took_ms);
	if (built)
		progress_note("%s: built (%s)", project->module, took);
	if (cli->common->output == FORMAT_JSON)
		output_json(json_pack("{s:s, s:b, s:I}", "module", project->module, "built", built, "took_ms",
				      (json_int_t)took_ms),
			    JSON_ONE_LINE);
}

static int build_one(struct cli *cli, struct schema_fit *fit, const char *folder, struct error *err) {
	struct project project;
	if (project_read(folder, &cli->arena, &project, err) < 0)
		return -1;
	bool builds = project.build != NULL || project.generate != NULL;
	if (!builds)
		progress_note("%s: %s has no build command, so there is nothing to build", project.module,
			      project.file);
	int64_t start_ms = (int64_t)clock_ms();
	/* With -o json standard output is for JSON alone; the build command writes to standard error then. */
	int output = cli->common->output == FORMAT_JSON ? STDERR_FILENO : STDOUT_FILENO;
	if (builds && build_run(cli, &project, output, err) < 0)
		return -1;
	if (schema_fit_check(fit, &project, err) < 0)
		return -1;
	report(cli, &project, builds, (int64_t)clock_ms() - start_ms);
	return 0;
}

static int run(struct cli *cli) {
	size_t count;
	char *const *folders = cli_folders(cli, &count);
	struct schema_fit fit;
	struct error err;
	int result = 0;
	schema_fit_init(&fit, cli);
	for (size_t i = 0; i < count && result == 0; i++)
		result = build_one(cli, &fit, folders[i], &err);
	schema_fit_deinit(&fit);
	return result < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}

const struct command command_build = {
	.name = "build",
	.summary = "build modules: runs the build command of each ftl.toml",
	.operands = "[DIR…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl build\nftl build examples/time examples/echo",
	.notes =
		"Runs the \"build\" command of DIR/ftl.toml by /bin/sh in DIR (default \".\"), with FTL_MODULE set, and\n"
		"FTL_CFLAGS and FTL_LIBS for modules in C:\n"
		"  cc -shared -fPIC $FTL_CFLAGS -o echo.so echo.c    a shared object that the Runner loads\n"
		"  cc $FTL_CFLAGS -o main echo.c $FTL_LIBS           a process of its own\n"
		"Then checks the schema: by itself, and against the modules that it refers to, as built earlier in this\n"
		"run or as deployed, if a Backplane answers.",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
