/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for `ftl runner` in tests of the local Platform. Its --language says what it does:
 *
 *   stays     runs until a signal
 *   ends      exits with status 7
 *   tells     writes its arguments, a line each, into its work folder, then stays
 *   crashes   leaves last words, and is killed by SIGKILL
 *   leaves    as a deployment would: a file and a process, which has its environment; is killed by SIGKILL
 *
 * Whatever it is, it ends after a minute.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIFE_S = 60 };

static const char *option(int argc, char **argv, const char *name) {
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return "";
}

static void write_lines(const char *folder, const char *name, int count, const char *const *lines) {
	char path[512], hidden[520];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(hidden, sizeof hidden, "%s.tmp", path);
	FILE *file = fopen(hidden, "w");
	for (int i = 0; i < count; i++)
		fprintf(file, "%s\n", lines[i]);
	fclose(file);
	rename(hidden, path);
}

static void leave_a_process(char *program, const char *folder) {
	char variable[512], option[] = "--language", value[] = "stays", byte;
	int ends[2];
	snprintf(variable, sizeof variable, "FTL_WORKING_DIR=%s/dpl-1.work", folder);
	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(1);
	if (fork() == 0) {
		setsid();
		execve(program, (char *[]){program, option, value, NULL}, (char *[]){variable, NULL});
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 0) /* until the other end closes: it has its environment */
		exit(1);
}

int main(int argc, char **argv) {
	const char *language = option(argc, argv, "--language"), *folder = option(argc, argv, "--work-folder");
	alarm(LIFE_S);
	mkdir(folder, 0700);
	if (strcmp(language, "ends") == 0)
		return 7;
	if (strcmp(language, "tells") == 0)
		write_lines(folder, "arguments", argc, (const char *const *)argv);
	if (strcmp(language, "crashes") == 0)
		write_lines(folder, "last-words", 2, (const char *[]){"first", "last"});
	if (strcmp(language, "leaves") == 0) {
		write_lines(folder, "file-of-the-deployment", 0, NULL);
		leave_a_process(argv[0], folder);
	}
	if (strcmp(language, "crashes") == 0 || strcmp(language, "leaves") == 0)
		raise(SIGKILL);
	pause();
}
