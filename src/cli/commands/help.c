/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output.h"

static void print_title(const char *title) {
	output_style(stdout, STYLE_BOLD);
	fputs(title, stdout);
	output_style(stdout, STYLE_PLAIN);
	putchar('\n');
}

static void print_indented(const char *lines, int indent) {
	for (struct str rest = str_from(lines); rest.ptr != NULL;) {
		struct str line = str_cut(rest, '\n', &rest);
		printf("%*s%.*s\n", line.len > 0 ? indent : 0, "", STR_ARG(line));
	}
}

void help_print(void) {
	print_title("Example:");
	print_indented("ftl serve &\n"
		       "ftl deploy examples/time examples/echo\n"
		       "ftl call echo.echo '{\"name\":\"Bob\"}'",
		       2);
	putchar('\n');
	print_title("Commands:");
	for (size_t i = 0; commands[i] != NULL; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	puts("  help       explain a command: ftl help COMMAND, or ftl COMMAND --help");
	puts("\nftl help ftl.toml explains the file in a module's folder.");
	puts("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unsafe (ftl schema diff, ftl deploy --dry-run), 130 interrupted.");
}

void help_print_project(void) {
	print_title("Example:");
	print_indented("module = \"echo\"\n"
		       "language = \"c\"\n"
		       "build = \"cc $FTL_CFLAGS -o main echo.c $FTL_LIBS\"\n"
		       "deploy = [\"main\", \"data/**/*.json\"]",
		       2);
	putchar('\n');
	puts("A folder with an ftl.toml is a module.\n");
	print_title("Settings:");
	print_indented(
		"module     the module's name; required\n"
		"language   Runners of this language host the module; required to deploy\n"
		"build      the build command, run by /bin/sh in the folder\n"
		"deploy     the files to deploy: paths and patterns (*, ?, […], ** for any folders), relative to\n"
		"           the folder; a folder stands for everything in it; a pattern matches names with a\n"
		"           leading dot only if it has that dot too; required to deploy\n"
		"entry      the file that starts the module (default \"main\"); a .so is loaded by the Runner,\n"
		"           any other file is executed\n"
		"generate   \"c\" or \"python\": generate typed code before each build, see: ftl help generate\n"
		"uses       for Python: the modules to generate stubs for\n"
		"schema     the file with the schema (default \"MODULE.ftl\")\n"
		"bind       \"unix\" if the module can listen on a UNIX socket (default: a loopback port)\n"
		"endpoint   the Backplane to deploy to, unless --endpoint or FTL_ENDPOINT names one",
		2);
}

/* Prints "  -o, --output FORMAT". Returns its width. */
static int print_option(const struct args_option *option) {
	char letter[8] = "    ";
	if (option->letter != 0)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	return printf("  %s--%s%s%s", letter, option->name, option->value ? " " : "",
		      option->value ? option->value : "");
}

static void print_options(const struct args_option *options, size_t count) {
	enum { HELP_COLUMN = 32 };
	for (size_t i = 0; i < count; i++) {
		int width = print_option(&options[i]);
		/* The first line of the text follows the option, the others are indented below it. */
		for (struct str rest = str_from(options[i].help); rest.ptr != NULL; width = 0) {
			struct str line = str_cut(rest, '\n', &rest);
			printf("%*s%.*s", MAX(HELP_COLUMN - width, 1), "", STR_ARG(line));
			if (rest.ptr != NULL)
				putchar('\n');
		}
		if (options[i].standard != NULL)
			printf(" (default %s)", options[i].standard);
		putchar('\n');
	}
}

static void print_aliases(const struct command *command) {
	fputs("Also: ", stdout);
	for (const char *const *alias = command->aliases; *alias != NULL; alias++)
		printf("%sftl %s", alias == command->aliases ? "" : ", ", *alias);
	puts("\n");
}

void help_print_command(const struct command *command) {
	struct args_option options[ARGS_OPTIONS_MAX];
	size_t count = args_options(command, options);
	print_title("Example:");
	print_indented(command->examples, 2);
	putchar('\n');
	print_title("Usage:");
	printf("  ftl %s [OPTION…]%s%s\n\n", command->name, command->operands[0] != '\0' ? " " : "", command->operands);
	if (command->aliases != NULL)
		print_aliases(command);
	if (command->notes != NULL) {
		print_indented(command->notes, 0);
		putchar('\n');
	}
	print_title("Options:");
	print_options(options, count);
}
