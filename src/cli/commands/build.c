/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands/build.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands/generate.h"
#include "cli/output.h"
#include "cli/project/toolchain.h"
#include "cli/schemas/schema_fit.h"

static int spawn(const struct project *project, int output, pid_t *ret_pid, struct error *err) {
	/* POSIX does not say const where it means it. */
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)project->build, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t restored;
	sigemptyset(&restored);
	sigaddset(&restored, SIGPIPE);
	sigaddset(&restored, SIGXFSZ);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addchdir_np(&actions, project->folder);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawnattr_setsigdefault(&attributes, &restored);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	int failed = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (failed != 0)
		return error_set_errno(err, failed, "%s: could not start \"/bin/sh -c %s\"", project->folder,
				       project->build);
	return 0;
}

static int wait_for(pid_t pid, int *ret_status) {
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

static int judge(struct cli *cli, const struct project *project, int status, struct error *err) {
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	char how[64];
	if (WIFEXITED(status))
		snprintf(how, sizeof how, "exited with %d", WEXITSTATUS(status));
	else
		snprintf(how, sizeof how, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	cli->interrupted = WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
	return error_set(err, CODE_FAILED_PRECONDITION, "%s: the build command %s: %s", project->file, how,
			 project->build);
}

int build_run(struct cli *cli, const struct project *project, int output, struct error *err) {
	if (project->generate != NULL && generate_run(cli, project, project->generate, false, err) < 0)
		return -1;
	if (project->build == NULL)
		return 0;
	struct toolchain toolchain;
	toolchain_find(&cli->arena, &toolchain);
	setenv("FTL_MODULE", project->module, 1);
	setenv("FTL_CFLAGS", toolchain.cflags, 1);
	setenv("FTL_LIBS", toolchain.libs, 1);
	progress_note("%s: building: %s", project->module, project->build);
	fflush(stdout);
	pid_t pid;
	int status;
	if (spawn(project, output, &pid, err) < 0)
		return -1;
	if (wait_for(pid, &status) < 0)
		return error_set_errno(err, errno, "could not wait for the build");
	return judge(cli, project, status, err);
}

char *const *build_folders(const struct cli *cli, size_t *ret_count) {
	static char here[] = ".";
	static char *const only_here[] = {here, NULL};
	*ret_count = MAX(cli->operand_count, (size_t)1);
	return cli->operand_count == 0 ? only_here : cli->operands;
}

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
		progress_note("%s: %s says nothing to build", project.module, project.file);
	int64_t start_ms = (int64_t)clock_ms();
	/* Standard output is the command's own, if nobody wants to read JSON there. */
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
	char *const *folders = build_folders(cli, &count);
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
	.summary = "build modules, by the command in their ftl.toml",
	.operands = "[DIR…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl build\nftl build examples/time examples/echo",
	.notes =
		"Runs \"build\" of DIR/ftl.toml by /bin/sh in DIR (default \".\"). The command sees FTL_MODULE, and\n"
		"for modules in C FTL_CFLAGS and FTL_LIBS:\n"
		"  cc -shared -fPIC $FTL_CFLAGS -o echo.so echo.c    a shared object that the Runner loads\n"
		"  cc $FTL_CFLAGS -o main echo.c $FTL_LIBS           a process of its own\n"
		"The schema is checked then: by itself, and, if it names other modules, against those built before it and\n"
		"those that are deployed, if the Backplane answers.",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
