/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/builder.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
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

static int spawn(const struct project *project, int output, pid_t *ret_pid, struct error *err) {
	/* posix_spawn changes none of the strings; its prototype lacks the const. */
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
	if (pass_endpoint_on(cli, err) < 0)
		return -1;
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
