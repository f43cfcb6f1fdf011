/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/builder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cli/output.h"
#include "cli/project/build_process.h"
#include "cli/project/generator.h"
#include "cli/project/toolchain.h"

/* The command works in the module's folder, where a relative path of a socket would lead elsewhere. */
static int pass_endpoint_on(struct cli *cli, struct error *err) {
	const char *endpoint = getenv("FTL_ENDPOINT");
	if (endpoint == NULL || !str_starts_with_nocase(str_from(endpoint), STR("unix:")))
		return 0;
	if (cli_absolute(cli, &endpoint, err) < 0)
		return error_wrap(err, "FTL_ENDPOINT");
	setenv("FTL_ENDPOINT", endpoint, 1);
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

/* Puts the folder before those of the variable, once in a run; folder NULL: changes nothing. */
static void add_to_path(const char *variable, const char *folder, struct arena *arena) {
	const char *before = getenv(variable);
	if (folder == NULL || (before != NULL && str_starts_with(str_from(before), str_from(folder))))
		return;
	bool alone = before == NULL || before[0] == '\0';
	setenv(variable, alone ? folder : arena_printf(arena, "%s:%s", folder, before), 1);
}

int build_run(struct cli *cli, const struct project *project, int output, struct error *err) {
	if (project->generate != NULL && generate_run(cli, project, project->generate, false, err) < 0)
		return -1;
	if (project->build == NULL)
		return 0;
	if (pass_endpoint_on(cli, err) < 0)
		return -1;
	struct toolchain toolchain;
	toolchain_find(&cli->arena, &toolchain);
	setenv("FTL_MODULE", project->module, 1);
	setenv("FTL_CFLAGS", toolchain.cflags, 1);
	setenv("FTL_LIBS", toolchain.libs, 1);
	add_to_path("CPATH", toolchain.include_path, &cli->arena);
	add_to_path("LIBRARY_PATH", toolchain.library_path, &cli->arena);
	progress_note("%s: building: %s", project->module, project->build);
	fflush(stdout);
	int status;
	const struct build_command build = {.command = project->build, .folder = project->folder, .output = output};
	if (build_process_run(&build, &status, err) < 0)
		return -1;
	return judge(cli, project, status, err);
}
