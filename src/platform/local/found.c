/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/found.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/process.h"
#include "platform/local/leftovers.h"
#include "platform/local/pid_file.h"
#include "platform/local/run_folder.h"

enum { COMMAND_LINE_MAX = 64 << 10 };

struct found_search {
	const char *folder;
	struct found *found;
	struct map left; /* keys of Runners that ended and left a work folder */
};

static int for_each_file(struct found_search *search, void (*each)(struct found_search *search, const char *name),
			 struct error *err) {
	DIR *folder = opendir(search->folder);
	if (folder == NULL)
		return error_set_errno(err, errno, "could not read %s", search->folder);
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(search, entry->d_name);
	closedir(folder);
	return 0;
}

static void add(struct found_search *search, const char *key, pid_t pid, int pidfd) {
	struct found_runner *runner = mem_alloc(sizeof *runner);
	*runner = (struct found_runner){.pid = pid, .pidfd = pidfd};
	snprintf(runner->key, sizeof runner->key, "%s", key);
	map_put(&search->found->runners, str_from(key), runner);
}

static bool is_known(const struct found_search *search, const char *key) {
	return map_get(&search->found->runners, str_from(key)) != NULL;
}

/* --- Runners that run --------------------------------------------------------------------------------------------- */

static void find_by_pid_file(struct found_search *search, const char *name) {
	char key[KEY_MAX];
	pid_t pid;
	if (!run_folder_key(str_from(name), RUN_PID_FILE, key))
		return;
	int pidfd = pid_file_open(search->folder, key, &pid);
	if (pidfd >= 0)
		add(search, key, pid, pidfd);
}

/* The key in the command line of a Runner of this folder, whose arguments end with a NUL each. */
static bool read_key(const struct found_search *search, struct str line, char ret_key[KEY_MAX]) {
	bool is_next = false;
	for (struct str argument, rest = line; rest.ptr != NULL;) {
		argument = str_cut(rest, '\0', &rest);
		if (is_next && run_folder_owner(search->folder, argument, ret_key))
			return true;
		is_next = str_eq_c(argument, "--work-folder");
	}
	return false;
}

static bool is_runner(const struct found_search *search, pid_t pid, char ret_key[KEY_MAX]) {
	char *line;
	size_t len;
	if (process_read(pid, "cmdline", COMMAND_LINE_MAX, &line, &len) < 0)
		return false;
	bool is_ours = read_key(search, str_new(line, len), ret_key);
	free(line);
	return is_ours;
}

/* Finds the Runners without a pid file: their Backplane died before it wrote the file, or could not write it. */
static void find_by_command_line(void *data, pid_t pid) {
	struct found_search *search = data;
	char key[KEY_MAX], again[KEY_MAX];
	struct error err;
	if (!is_runner(search, pid, key) || is_known(search, key))
		return;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Read again, now that the pid cannot be another process's. */
	if (pidfd >= 0 && (!is_runner(search, pid, again) || strcmp(key, again) != 0)) {
		close(pidfd);
		return;
	}
	if (pidfd < 0)
		return;
	add(search, key, pid, pidfd);
	if (pid_file_write(search->folder, key, pid, &err) < 0)
		log_warn("%s; the next Backplane finds this Runner by its command line", err.msg);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static bool is_of_runner(const struct found_search *search, struct str name) {
	static const char *const suffixes[] = {RUN_PID_FILE, RUN_SOCKET, RUN_WORK_FOLDER};
	char key[KEY_MAX];
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (run_folder_key(name, suffixes[i], key) && is_known(search, key))
			return true;
	return false;
}

static void sweep(struct found_search *search, const char *name) {
	struct error err;
	char key[KEY_MAX];
	if (is_of_runner(search, str_from(name)))
		return;
	if (run_folder_key(str_from(name), RUN_WORK_FOLDER, key)) {
		free(map_put(&search->left, str_from(key), mem_strdup(key)));
		return;
	}
	char *path = run_folder_path(search->folder, name, "");
	if (path_remove_tree(path, &err) < 0)
		log_warn("%s", err.msg);
	free(path);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int found_read(const char *folder, struct found *ret_found, struct error *err) {
	struct found found;
	struct found_search search = {.folder = folder, .found = &found};
	map_init(&found.runners);
	map_init(&search.left);
	int result = path_make_folders(folder, err);
	if (result == 0)
		result = for_each_file(&search, find_by_pid_file, err);
	if (result == 0)
		process_for_each(find_by_command_line, &search);
	if (result == 0)
		result = for_each_file(&search, sweep, err);
	leftovers_end(folder, &search.left);
	map_deinit(&search.left);
	if (result < 0)
		found_deinit(&found);
	else
		*ret_found = found;
	return result;
}

void found_deinit(struct found *found) {
	for (size_t cursor = 0;;) {
		struct found_runner *runner = map_next(&found->runners, &cursor);
		if (runner == NULL)
			break;
		if (runner->pidfd >= 0)
			close(runner->pidfd);
		free(runner);
	}
	map_deinit(&found->runners);
}
