/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ftl`, the one program: finds the command, parses its arguments by its table, and runs it.
 *
 *   main.c       this map; the table of commands
 *   args.c       options: parsed and explained by one table for each command
 *   cli.c        one run of a command: its Backplane, its limits, how it fails
 *   hints.c      what to do about an error, by its reason
 *   client.c     blocking calls over the rpc layer
 *   output.c     text, colour, progress, JSON
 *   table.c      tables that fit the terminal
 *   json.c       messages of the wire contract as JSON
 *   upload.c     a module's files to the Backplane
 *   watch.c      waits until a deployment is live
 *   status.c     the state of the whole system
 *
 *   commands/    one file for each command
 *   project/     a module's folder: project.c reads ftl.toml (settings.c over toml.cpp, which is toml++ for C),
 *                config.c finds the endpoint, files.c expands "deploy", toolchain.c finds the C SDK,
 *                generator.c writes typed code, builder.c runs the build command
 *   schemas/     schemas.c loads them, schema_diff.c and schema_fit.c compare them, schema_follow.c prints changes,
 *                callers.c finds who calls a module
 */
#include <errno.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "base/startup.h"
#include "cli/cli.h"
#include "cli/output.h"

const struct command *const commands[] = {
	&command_serve,   &command_generate,
	&command_build,   &command_deploy,
	&command_call,    &command_ps,
	&command_status,  &command_describe,
	&command_stats,   &command_schema,
	&command_logs,    &command_events,
	&command_history, &command_scale,
	&command_restart, &command_rollback,
	&command_kill,    &command_ping,
	&command_runner,  &command_completion,
	&command_version, NULL,
};

static bool has_alias(const struct command *command, const char *name) {
	for (const char *const *alias = command->aliases; alias != NULL && *alias != NULL; alias++)
		if (strcmp(*alias, name) == 0)
			return true;
	return false;
}

const struct command *command_find(const char *name) {
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0 || has_alias(commands[i], name))
			return commands[i];
	return NULL;
}

static void offer_names(struct nearest *nearest, const struct command *command) {
	nearest_offer(nearest, command->name);
	for (const char *const *alias = command->aliases; alias != NULL && *alias != NULL; alias++)
		nearest_offer(nearest, *alias);
}

static int refuse_command(const char *name) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(name));
	for (size_t i = 0; commands[i] != NULL; i++)
		offer_names(&nearest, commands[i]);
	nearest_offer(&nearest, "help");
	char hint[NEAREST_HINT_MAX];
	const char *meant = nearest_hint(&nearest, hint);
	output_error("there is no command \"%.80s\"%s%s\nsee: ftl help", name, meant ? "; " : "", meant ? meant : "");
	return EXIT_USAGE;
}

/* An unwritten byte of standard output is a failure, unless the reader closed the pipe, as `head` does. */
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

/* Options may stand before the command: moves the command's name to argv[1]. Returns where it stood; -1: no command. */
static int find_command(int argc, char **argv) {
	int at = 1;
	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		at += args_common_takes_value(argv[at]) ? 2 : 1;
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

/* Whether JSON is asked for, also by arguments that are wrong otherwise: "-o json", "-ojson", "--output=json". */
static bool wants_json(int argc, char **argv) {
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool is_next = (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc;
		if (strcmp(argv[i], "-ojson") == 0 || strcmp(argv[i], "--output=json") == 0 ||
		    (is_next && strcmp(argv[i + 1], "json") == 0))
			return true;
	}
	return false;
}

int main(int argc, char **argv) {
	startup_hold_streams();
	startup_catch_write_signals();
	if (wants_json(argc, argv))
		output_errors_as_json();
	if (find_command(argc, argv) < 0) {
		char name[] = "version", *only_name[] = {name, NULL};
		if (has_argument(argc, argv, "--version") || has_argument(argc, argv, "-v") ||
		    has_argument(argc, argv, "-V"))
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
