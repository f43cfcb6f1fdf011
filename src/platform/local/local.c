/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as processes of this machine: FOLDER/KEY.pid, KEY.sock and KEY.d/ belong to the Runner with that key.
 *
 * A Runner outlives a Backplane that was killed. The next one finds its pid file, makes sure by the start time that
 * the process is still that one, and watches it by a pidfd, as it is nobody's child any more. One without a pid file is
 * found by its command line.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/line_splitter.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/process.h"
#include "base/random.h"
#include "net/endpoint.h"
#include "platform/platform.h"

enum {
	ENVIRON_MAX = 1 << 20,
	LAST_WORDS_MAX = 256 << 10,
	SEARCH_MS = 100, /* many Runners that die together are one search */
};

struct local {
	struct platform platform;
	struct platform_options options;
	char *program, *backplane, *folder;
	struct map processes; /* struct process by Runner's key */
	struct map gone; /* keys of Runners that had no time to end what they started, until it is ended */
	struct timer search; /* for that */
	bool closing;
};

struct process {
	struct local *local;
	char key[KEY_MAX];
	pid_t pid;
	uv_process_t child; /* ours */
	int pidfd; /* not ours; -1: ours */
	uv_poll_t poll;
	bool destroyed; /* its end is near, and waited for */
	struct timer failed; /* reports a start that failed in its own turn */
	char why[256];
};

static char *file_of(const struct local *local, const char *key, const char *suffix) {
	return mem_printf("%s/%s%s", local->folder, key, suffix);
}

static void remove_file(const struct local *local, const char *key, const char *suffix) {
	char *path = file_of(local, key, suffix);
	unlink(path);
	free(path);
}

/* --- what Runners leave ------------------------------------------------------------------------------------------- */

/* The Runner's key in a path below its folder, KEY.d/…; false: it is none of ours. */
static bool read_key_of_path(const struct local *local, struct str path, char ret_key[KEY_MAX]) {
	struct str folder = str_from(local->folder);
	if (!str_starts_with(path, folder) || path.len <= folder.len || path.ptr[folder.len] != '/')
		return false;
	struct str name = str_cut(str_from_offset(path, folder.len + 1), '/', &(struct str){0});
	if (!str_ends_with(name, STR(".d")) || name.len - 2 == 0 || name.len - 2 >= KEY_MAX)
		return false;
	snprintf(ret_key, KEY_MAX, "%.*s", (int)(name.len - 2), name.ptr);
	return true;
}

/* The kernel ends the program of a Runner that is killed; what that program started has its environment, but no parent
 * that knows of it. */
static void end_if_left(void *data, pid_t pid) {
	struct local *local = data;
	char *environment, key[KEY_MAX];
	size_t len;
	if (process_read(pid, "environ", ENVIRON_MAX, &environment, &len) < 0)
		return;
	const struct str name = STR("FTL_WORKING_DIR=");
	for (struct str variable, rest = str_new(environment, len); rest.ptr != NULL;) {
		variable = str_cut(rest, '\0', &rest);
		if (str_starts_with(variable, name) &&
		    read_key_of_path(local, str_from_offset(variable, name.len), key) &&
		    map_get(&local->gone, str_from(key)) != NULL)
			kill(pid, SIGKILL);
	}
	free(environment);
}

static void remove_folder(const struct local *local, const char *key) {
	struct error err;
	char *path = file_of(local, key, ".d");
	if (path_remove_tree(path, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from a Runner");
	free(path);
}

/* The folder goes last: it tells the next Backplane of what is left when this one dies before. */
static void end_leftovers(struct local *local) {
	timer_stop(local->options.loop, &local->search);
	if (local->gone.len > 0)
		process_for_each(end_if_left, local);
	for (size_t cursor = 0;;) {
		char *key = map_next(&local->gone, &cursor);
		if (key == NULL)
			break;
		remove_folder(local, key);
		free(key);
	}
	map_deinit(&local->gone);
}

static void on_search(struct timer *timer) {
	end_leftovers(CONTAINER_OF(timer, struct local, search));
}

static void add_gone(struct local *local, const char *key) {
	free(map_put(&local->gone, str_from(key), mem_strdup(key)));
}

static void clean_up(struct local *local, const char *key) {
	char *work = file_of(local, key, ".d");
	/* A Runner that ends in order leaves its folder empty, and no process of its deployment. */
	if (rmdir(work) < 0 && errno != ENOENT) {
		add_gone(local, key);
		if (!timer_is_running(&local->search))
			timer_start(local->options.loop, &local->search, SEARCH_MS);
	}
	free(work);
	remove_file(local, key, ".sock");
	remove_file(local, key, ".pid");
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void free_local_if_done(struct local *local) {
	if (!local->closing || local->processes.len > 0)
		return;
	end_leftovers(local);
	map_deinit(&local->processes);
	free(local->program);
	free(local->backplane);
	free(local->folder);
	free(local);
}

static void on_handle_closed(uv_handle_t *handle) {
	struct process *process = handle->data;
	struct local *local = process->local;
	if (process->pidfd >= 0)
		close(process->pidfd);
	map_remove(&local->processes, str_from(process->key));
	free(process);
	free_local_if_done(local);
}

static void on_last_words(void *data, struct str line) {
	last_lines_add(data, line);
}

/* A module may have left anything under that name. */
static void read_last_words(const struct local *local, const char *key, struct last_lines *lines) {
	char *path = file_of(local, key, ".d/" LAST_WORDS_FILE), bytes[4096];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return;
	struct line_splitter splitter;
	line_splitter_init(&splitter);
	ssize_t len;
	for (size_t total = 0; total < LAST_WORDS_MAX && (len = read(fd, bytes, sizeof bytes)) > 0;
	     total += (size_t)len)
		line_splitter_feed(&splitter, str_new(bytes, (size_t)len), on_last_words, lines);
	line_splitter_end(&splitter, on_last_words, lines);
	line_splitter_deinit(&splitter);
	close(fd);
}

static void report_and_forget(struct process *process) {
	struct local *local = process->local;
	struct last_lines lines = {0};
	read_last_words(local, process->key, &lines);
	clean_up(local, process->key);
	if (!local->closing)
		local->options.exited(local->options.owner, process->key, process->why, &lines);
	last_lines_deinit(&lines);
	uv_handle_t *handle = process->pidfd >= 0 ? (uv_handle_t *)&process->poll : (uv_handle_t *)&process->child;
	if (!uv_is_closing(handle))
		uv_close(handle, on_handle_closed);
}

static void on_exit_of_child(uv_process_t *child, int64_t status, int signal_number) {
	struct process *process = child->data;
	if (signal_number != 0)
		snprintf(process->why, sizeof process->why, "was killed by signal %d (%s)", signal_number,
			 strsignal(signal_number));
	else
		snprintf(process->why, sizeof process->why, "exited with status %" PRId64, status);
	report_and_forget(process);
}

static void on_exit_of_found(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct process *process = poll->data;
	uv_poll_stop(poll);
	snprintf(process->why, sizeof process->why, "exited");
	report_and_forget(process);
}

static void on_start_failed(struct timer *timer) {
	report_and_forget(CONTAINER_OF(timer, struct process, failed));
}

/* --- pid files ---------------------------------------------------------------------------------------------------- */

static void write_pid(const struct process *process) {
	char *path = file_of(process->local, process->key, ".pid");
	char text[64];
	struct error err;
	snprintf(text, sizeof text, "%d %" PRIu64 "\n", (int)process->pid,
		 process_stat(process->pid, PROCESS_STAT_START_TIME));
	if (file_write_whole(path, str_from(text), 0600, &err) < 0)
		log_failure(LOG_WARN, &err, "a Backplane that takes over could not end the Runner %s", process->key);
	free(path);
}

static bool read_pid(const struct local *local, const char *key, pid_t *ret_pid) {
	char *path = file_of(local, key, ".pid"), *text;
	size_t len;
	int failed = file_read(path, 64, &text, &len, NULL);
	free(path);
	if (failed)
		return false;
	int pid = 0;
	uint64_t ticks = 0;
	bool whole = sscanf(text, "%d %" SCNu64, &pid, &ticks) == 2 && pid > 1 && ticks > 0;
	free(text);
	*ret_pid = (pid_t)pid;
	return whole && process_stat((pid_t)pid, PROCESS_STAT_START_TIME) == ticks;
}

/* --- starting and finding ----------------------------------------------------------------------------------------- */

static struct process *add_process(struct local *local, const char *key) {
	struct process *process = mem_zalloc(sizeof *process);
	process->local = local;
	process->pidfd = -1;
	snprintf(process->key, sizeof process->key, "%s", key);
	process->failed.fire = on_start_failed;
	process->child.data = process->poll.data = process;
	map_put(&local->processes, str_from(key), process);
	return process;
}

static void local_create(struct platform *platform, const char *runner_key, const char *language) {
	struct local *local = CONTAINER_OF(platform, struct local, platform);
	struct process *process = add_process(local, runner_key);
	char *socket = file_of(local, runner_key, ".sock"), *work = file_of(local, runner_key, ".d");
	/* A path that is too long for a socket address leaves the loopback. */
	bool fits = strlen(socket) < sizeof ((struct endpoint *)NULL)->path;
	char *bind = fits ? mem_printf("unix:%s", socket) : mem_strdup("http://127.0.0.1:0");
	char start_timeout[32], orphan_timeout[32], busy_poll[16];
	snprintf(start_timeout, sizeof start_timeout, "%" PRIu64 "ms", local->options.start_timeout_ms);
	snprintf(orphan_timeout, sizeof orphan_timeout, "%" PRIu64 "ms", local->options.orphan_timeout_ms);
	snprintf(busy_poll, sizeof busy_poll, "%u", local->options.busy_poll_us);
	const char *args[] = {
		local->program,	   "runner",	     "--endpoint", local->backplane, "--bind",	      bind,
		"--language",	   language,	     "--key",	   runner_key,	     "--work-folder", work,
		"--start-timeout", start_timeout, "--orphan-timeout", orphan_timeout, "--busy-poll", busy_poll,
		NULL,
	};
	uv_stdio_container_t stdio[] = {
		{.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
	uv_process_options_t options = {
		.file = local->program,
		.args = (char **)args, /* libuv copies nothing and changes nothing */
		.exit_cb = on_exit_of_child,
		/* Its own group: what a terminal sends to ours is not meant for it. */
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};
	int failed = uv_spawn(&local->options.loop->uv, &process->child, &options);
	if (failed != 0) {
		snprintf(process->why, sizeof process->why, "could not be started: %s: %s", local->program,
			 uv_strerror(failed));
		timer_start(local->options.loop, &process->failed, 0);
	} else {
		process->pid = process->child.pid;
		failpoint(FAILPOINT_RUNNER_STARTED);
		write_pid(process);
		failpoint(FAILPOINT_RUNNER_NAMED);
	}
	free(bind);
	free(work);
	free(socket);
}

static int watch_found(struct local *local, const char *key, pid_t pid) {
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -1;
	struct process *process = add_process(local, key);
	process->pid = pid;
	process->pidfd = pidfd;
	uv_poll_init(&local->options.loop->uv, &process->poll, pidfd);
	uv_poll_start(&process->poll, UV_READABLE, on_exit_of_found);
	return 0;
}

/* The Runner's key in the command line of a process, which ends with a NUL: ours have a work folder below ours. */
static bool read_key(const struct local *local, struct str line, char ret_key[KEY_MAX]) {
	bool is_next = false;
	for (struct str arg, rest = line; rest.ptr != NULL;) {
		arg = str_cut(rest, '\0', &rest);
		if (is_next && read_key_of_path(local, arg, ret_key))
			return true;
		is_next = str_eq_c(arg, "--work-folder");
	}
	return false;
}

/* A Backplane that died between starting a Runner and writing its pid down, or could not write it, left no more. */
static void find_unnamed(void *data, pid_t pid) {
	struct local *local = data;
	char key[KEY_MAX], *line;
	size_t len;
	if (process_read(pid, "cmdline", KIB(64), &line, &len) < 0)
		return;
	bool ours = read_key(local, str_new(line, len), key);
	free(line);
	if (ours && map_get(&local->processes, str_from(key)) == NULL && watch_found(local, key, pid) == 0)
		write_pid(map_get(&local->processes, str_from(key)));
}

static bool is_of_survivor(const struct local *local, struct str name) {
	static const struct str suffixes[] = {STR_INIT(".pid"), STR_INIT(".sock"), STR_INIT(".d")};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (str_ends_with(name, suffixes[i]) &&
		    map_get(&local->processes, str_new(name.ptr, name.len - suffixes[i].len)) != NULL)
			return true;
	return false;
}

static int for_each_file(struct local *local, void (*each)(struct local *local, const char *name), struct error *err) {
	DIR *folder = opendir(local->folder);
	if (folder == NULL)
		return error_set_errno(err, errno, "could not read %s", local->folder);
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(local, entry->d_name);
	closedir(folder);
	return 0;
}

static void find_by_pid_file(struct local *local, const char *file) {
	struct str name = str_from(file);
	if (!str_ends_with(name, STR(".pid")) || name.len - 4 >= KEY_MAX)
		return;
	char key[KEY_MAX];
	pid_t pid;
	snprintf(key, sizeof key, "%.*s", (int)(name.len - 4), name.ptr);
	if (read_pid(local, key, &pid))
		watch_found(local, key, pid);
}

static void sweep(struct local *local, const char *file) {
	struct error err;
	char key[KEY_MAX];
	if (is_of_survivor(local, str_from(file)))
		return;
	char *path = file_of(local, file, "");
	if (read_key_of_path(local, str_from(path), key))
		add_gone(local, key);
	else if (path_remove_tree(path, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from a Runner");
	free(path);
}

/* What an earlier process left: Runners that live are found, the rest is swept up. */
static int find_survivors(struct local *local, struct error *err) {
	if (for_each_file(local, find_by_pid_file, err) < 0)
		return -1;
	process_for_each(find_unnamed, local);
	if (for_each_file(local, sweep, err) < 0)
		return -1;
	end_leftovers(local);
	return 0;
}

/* --- the rest of the interface ------------------------------------------------------------------------------------ */

static void local_destroy(struct platform *platform, const char *runner_key) {
	struct local *local = CONTAINER_OF(platform, struct local, platform);
	struct process *process = map_get(&local->processes, str_from(runner_key));
	if (process == NULL || process->pid == 0)
		return;
	process->destroyed = true;
	if (process->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
	else if (uv_is_active((uv_handle_t *)&process->child))
		uv_process_kill(&process->child, SIGKILL);
}

static const char *local_next(struct platform *platform, size_t *cursor) {
	struct local *local = CONTAINER_OF(platform, struct local, platform);
	const struct process *process = map_next(&local->processes, cursor);
	return process ? process->key : NULL;
}

static void local_close(struct platform *platform) {
	struct local *local = CONTAINER_OF(platform, struct local, platform);
	local->closing = true;
	for (size_t cursor = 0;;) {
		struct process *process = map_next(&local->processes, &cursor);
		if (process == NULL)
			break;
		uv_handle_t *handle =
			process->pidfd >= 0 ? (uv_handle_t *)&process->poll : (uv_handle_t *)&process->child;
		timer_stop(local->options.loop, &process->failed);
		if (!process->destroyed && !uv_is_closing(handle))
			uv_close(handle, on_handle_closed);
	}
	free_local_if_done(local);
}

static const struct platform_ops local_ops = {
	.create = local_create,
	.destroy = local_destroy,
	.next = local_next,
	.close = local_close,
};

int platform_local_new(const struct platform_options *options, struct platform **ret_platform, struct error *err) {
	if (path_make_folders(options->folder, err) < 0)
		return -1;
	struct local *local = mem_alloc(sizeof *local);
	*local = (struct local){
		.platform.ops = &local_ops,
		.options = *options,
		.program = mem_strdup(options->program),
		.backplane = mem_strdup(options->backplane),
		.folder = mem_strdup(options->folder),
		.search.fire = on_search,
	};
	map_init(&local->processes);
	map_init(&local->gone);
	if (find_survivors(local, err) < 0) {
		local_close(&local->platform);
		return -1;
	}
	*ret_platform = &local->platform;
	return 0;
}
