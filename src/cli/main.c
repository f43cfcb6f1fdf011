/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ftl`, the one program: finds the command, parses its arguments by its table, and runs it.
 *
 *   main.c       this map; which commands there are
 *   args.c       the options of a command, from its table
 *   help.c       what `ftl help` says, from the same table
 *   cli.c        what commands share: how they fail, where the Backplane is
 *   client.c     calls for blocking code, over the rpc layer's loop
 *   output.c     text, colour, progress, tables
 *   json.c       messages of the wire contract as JSON
 *
 *   config.c     which endpoint: flag, environment, ftl.toml, config.toml
 *   project.c    a module's ftl.toml
 *   settings.c   a TOML file with a fixed set of keys, over toml.cpp, which is toml++ for C
 *   toolchain.c  where the C SDK lies, and this program itself
 *   files.c      the files that "deploy" in ftl.toml names
 *   schemas.c    schemas from files and from the Backplane; schema_diff.c  what one would change
 *   upload.c     files to the Backplane: hashed, and sent if they are missing there
 *
 * One file a command: serve.c runner.c generate.c build.c deploy.c call.c ps.c status.c stats.c schema.c logs.c
 *   events.c scale.c rollback.c history.c kill.c ping.c version.c
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/output.h"

const struct command *const commands[] = {
	&command_serve,    &command_generate, &command_build, &command_deploy, &command_call,    &command_ps,
	&command_status,   &command_stats,    &command_schema, &command_logs,  &command_events,  &command_history,
	&command_scale,    &command_rollback, &command_kill,   &command_ping,  &command_runner,  &command_version,
	NULL,
};

const struct command *command_find(const char *name) {
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int refuse_command(const char *name) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(name));
	for (size_t i = 0; commands[i] != NULL; i++)
		nearest_offer(&nearest, commands[i]->name);
	nearest_offer(&nearest, "help");
	char hint[NEAREST_HINT_MAX];
	const char *meant = nearest_hint(&nearest, hint);
	output_error("there is no command \"%.80s\"%s%s\nsee: ftl help", name, meant ? "; " : "", meant ? meant : "");
	return EXIT_USAGE;
}

/* What a program was told to write and could not is a failure, but for a reader that has gone, as in `| head`. */
static int flush(int code) {
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno != EPIPE)
		output_error("could not write to standard output: %s", strerror(errno));
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static int run(const struct command *command, int argc, char **argv) {
	struct cli cli = {.command = command, .arena = ARENA_INIT(CLI_ARENA_MAX)};
	struct error err;
	void *options;
	int first, code;
	if (args_parse(command, argc, argv, &cli.arena, &options, &first, &err) < 0) {
		code = cli_usage(&cli, "%s", err.msg);
	} else {
		cli.options = cli.common = options;
		cli.operands = argv + first;
		cli.operand_count = (size_t)(argc - first);
		if (cli.common->help) {
			help_print_command(command);
			code = EXIT_DONE;
		} else {
			code = command->run(&cli);
		}
	}
	progress_clear();
	client_close(cli.client);
	arena_deinit(&cli.arena);
	return flush(code);
}

/* Options may stand before the command as well: the command's name is moved to the front. Returns how many arguments
 * stood before it. */
static int find_command(int argc, char **argv) {
	int at = 1;
	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		bool has_value = strcmp(argv[at], "--endpoint") == 0 || strcmp(argv[at], "--ca") == 0 ||
				 strcmp(argv[at], "-o") == 0 || strcmp(argv[at], "--output") == 0;
		at += has_value ? 2 : 1;
	}
	if (at >= argc)
		return -1;
	char *name = argv[at];
	memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
	argv[1] = name;
	return at;
}

static int help(int argc, char **argv) {
	const char *name = argc > 2 ? argv[2] : NULL;
	if (name == NULL || name[0] == '-' || strcmp(name, "help") == 0) {
		help_print();
		return flush(EXIT_DONE);
	}
	const struct command *command = command_find(name);
	if (strcmp(name, "ftl.toml") == 0)
		help_print_project();
	else if (command == NULL)
		return refuse_command(name);
	else
		help_print_command(command);
	return flush(EXIT_DONE);
}

static bool has_argument(int argc, char **argv, const char *argument) {
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], argument) == 0)
			return true;
	return false;
}

/* The number of a standard stream that is closed would be that of the next file or socket, and our log would be written
 * into it. Its place is taken by one that cannot be used as it is meant: to use it fails as before. */
static void hold_standard_streams(void) {
	static const int modes[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
	for (int fd = 0; fd < (int)ARRAY_LEN(modes); fd++) {
		bool closed = fcntl(fd, F_GETFD) < 0;
		int held UNUSED = closed ? open("/dev/null", modes[fd]) : fd;
	}
}

int main(int argc, char **argv) {
	hold_standard_streams();
	/* A reader that went away, and a file at the limit of its size, are errors of the write. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (find_command(argc, argv) < 0) {
		char name[] = "version", *only_name[] = {name, NULL};
		if (has_argument(argc, argv, "--version"))
			return run(&command_version, 1, only_name);
		if (argc > 1 && !has_argument(argc, argv, "--help") && !has_argument(argc, argv, "-h")) {
			output_error("a command is missing beside \"%.80s\"\nsee: ftl help", argv[1]);
			return EXIT_USAGE;
		}
		help_print();
		return flush(EXIT_DONE);
	}
	if (strcmp(argv[1], "help") == 0)
		return help(argc, argv);
	const struct command *command = command_find(argv[1]);
	return command == NULL ? refuse_command(argv[1]) : run(command, argc - 1, argv + 1);
}
