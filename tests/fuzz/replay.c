/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay PATH…: runs a target on every file of a folder, or on one file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/path.h"
#include "fuzz.h"

enum { INPUT_MAX = 1 << 24 };

static int replay_file(const char *path) {
	struct error err;
	char *bytes;
	size_t len;
	if (file_read(path, INPUT_MAX, &bytes, &len, &err) != 0) {
		fprintf(stderr, "%s\n", err.msg);
		return -1;
	}
	/* A buffer of exactly that size, so that sanitizers find reads past its end. */
	uint8_t *input = mem_alloc(len);
	memcpy(input, bytes, len);
	free(bytes);
	(void)LLVMFuzzerTestOneInput(input, len);
	free(input);
	return 0;
}

/* Returns the number of files, or -1 if one could not be read. */
static int replay_folder(DIR *folder, const char *path) {
	int count = 0;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char *name = mem_printf("%s/%s", path, entry->d_name);
		int result = replay_file(name);
		free(name);
		if (result != 0)
			return -1;
		count++;
	}
	return count;
}

int main(int argc, char **argv) {
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		int found = folder ? replay_folder(folder, argv[i]) : replay_file(argv[i]) == 0 ? 1 : -1;
		if (folder != NULL)
			closedir(folder);
		if (found < 0)
			return 1;
		count += found;
	}
	printf("%d inputs\n", count);
	return count == 0;
}
