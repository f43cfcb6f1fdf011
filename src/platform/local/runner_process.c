/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/runner_process.h"

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
#include "base/log.h"
#include "base/memory.h"
#include "net/endpoint.h"
#include "platform/local/pid_file.h"
#include "platform/local/run_folder.h"

enum { LAST_WORDS_MAX = 256 << 10, ARGUMENTS_MAX = 24 };

#define TO(state) (1u << (state))

/* The states that may follow each. */
static const unsigned allowed[RUNNER_PROCESS_STATE_COUNT] = {
	[RUNNER_PROCESS_RUNNING] = TO(RUNNER_PROCESS_ENDING) | TO(RUNNER_PROCESS_CLEANING) | TO(RUNNER_PROCESS_CLOSING),
	[RUNNER_PROCESS_ENDING] = TO(RUNNER_PROCESS_CLEANING),
	[RUNNER_PROCESS_CLEANING] = TO(RUNNER_PROCESS_CLOSING),
	[RUNNER_PROCESS_CLOSING] = 0,
};

void runner_process_set_state(struct runner_process *process, enum runner_process_state state) {
	ASSERT(allowed[process->state] & TO(state));
	process->state = state;
}

static struct runner_process *process_new(struct runner_processes *processes, const char *key) {
	struct runner_process *process = mem_zalloc(sizeof *process);
	process->processes = processes;
	process->handle.pidfd = -1;
	process->handle.child.data = process->handle.poll.data = process->work.request.data = process;
	snprintf(process->key, sizeof process->key, "%s", key);
	list_append(&processes->all, &process->link);
	return process;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

static void free_if_closed(struct runner_process *process) {
	struct runner_processes *processes = process->processes;
	if (!process->handle.closed || process->work.in_progress)
		return;
	list_remove(&process->link);
	last_lines_deinit(&process->lines);
	free(process);
	processes->freed(processes);
}

static void on_handle_closed(uv_handle_t *handle) {
	struct runner_process *process = handle->data;
	if (process->handle.pidfd >= 0)
		close(process->handle.pidfd);
	process->handle.closed = true;
	free_if_closed(process);
}

static void close_handle(struct runner_process *process) {
	bool is_child = process->handle.pidfd < 0;
	uv_close(is_child ? (uv_handle_t *)&process->handle.child : (uv_handle_t *)&process->handle.poll,
		 on_handle_closed);
}

void runner_process_leave(struct runner_process *process) {
	if (process->state != RUNNER_PROCESS_RUNNING)
		return;
	runner_process_set_state(process, RUNNER_PROCESS_CLOSING);
	close_handle(process);
}

/* --- what an ended one leaves, on the pool ------------------------------------------------------------------------ */

static void start_work(struct runner_process *process, uv_work_cb work, uv_after_work_cb done) {
	ASSERT(!process->work.in_progress);
	process->work.in_progress = true;
	int failed = uv_queue_work(&process->processes->loop->uv, &process->work.request, work, done);
	ASSERT(failed == 0);
}

static void add_last_words(void *data, struct str line) {
	last_lines_add(data, line);
}

static void split_lines(int fd, struct last_lines *lines) {
	char bytes[4096];
	struct line_splitter splitter;
	line_splitter_init(&splitter);
	ssize_t len;
	for (size_t total = 0; total < LAST_WORDS_MAX && (len = read(fd, bytes, sizeof bytes)) > 0;
	     total += (size_t)len)
		line_splitter_feed(&splitter, str_new(bytes, (size_t)len), add_last_words, lines);
	line_splitter_end(&splitter, add_last_words, lines);
	line_splitter_deinit(&splitter);
}

/* A module may have left anything under that name: a pipe, a link. */
static void read_last_words(struct runner_process *process) {
	char *path = run_folder_path(process->processes->folder, process->key, RUN_WORK_FOLDER "/" LAST_WORDS_FILE);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return;
	split_lines(fd, &process->lines);
	close(fd);
}

static void remove_file(const struct runner_process *process, const char *suffix) {
	char *path = run_folder_path(process->processes->folder, process->key, suffix);
	unlink(path);
	free(path);
}

static void clean_work(uv_work_t *request) {
	struct runner_process *process = request->data;
	read_last_words(process);
	/* A Runner that ends in order leaves its folder empty, and no process of its deployment. */
	char *folder = run_folder_path(process->processes->folder, process->key, RUN_WORK_FOLDER);
	process->left_something = rmdir(folder) < 0 && errno != ENOENT;
	free(folder);
	remove_file(process, RUN_SOCKET);
	remove_file(process, RUN_PID_FILE);
}

static void clean_done(uv_work_t *request, int status UNUSED) {
	struct runner_process *process = request->data;
	process->work.in_progress = false;
	runner_process_set_state(process, RUNNER_PROCESS_CLOSING);
	process->processes->ended(process->processes, process);
	close_handle(process);
}

static void clean(struct runner_process *process) {
	start_work(process, clean_work, clean_done);
}

static void end(struct runner_process *process) {
	runner_process_set_state(process, RUNNER_PROCESS_CLEANING);
	if (!process->work.in_progress)
		clean(process); /* else once its pid file is written */
}

/* --- exits -------------------------------------------------------------------------------------------------------- */

static void on_child_exit(uv_process_t *child, int64_t status, int signal_number) {
	struct runner_process *process = child->data;
	if (signal_number != 0)
		snprintf(process->why, sizeof process->why, "was killed by signal %d (%s)", signal_number,
			 strsignal(signal_number));
	else
		snprintf(process->why, sizeof process->why, "exited with status %" PRId64, status);
	end(process);
}

/* Its parent alone could know the status. */
static void on_found_exit(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct runner_process *process = poll->data;
	uv_poll_stop(poll);
	snprintf(process->why, sizeof process->why, "exited");
	end(process);
}

void runner_process_kill(struct runner_process *process) {
	if (process->state != RUNNER_PROCESS_RUNNING)
		return;
	runner_process_set_state(process, RUNNER_PROCESS_ENDING);
	if (process->handle.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, process->handle.pidfd, SIGKILL, NULL, 0);
	else
		uv_process_kill(&process->handle.child, SIGKILL);
}

/* --- starts ------------------------------------------------------------------------------------------------------- */

static void name_work(uv_work_t *request) {
	struct runner_process *process = request->data;
	process->work.failed =
		pid_file_write(process->processes->folder, process->key, process->pid, &process->work.err) < 0;
}

static void name_done(uv_work_t *request, int status UNUSED) {
	struct runner_process *process = request->data;
	process->work.in_progress = false;
	if (process->work.failed)
		log_warn("%s; the next Backplane finds this Runner by its command line", process->work.err.msg);
	failpoint(FAILPOINT_RUNNER_NAMED);
	switch (process->state) {
	case RUNNER_PROCESS_RUNNING:
	case RUNNER_PROCESS_ENDING:
		break;
	case RUNNER_PROCESS_CLEANING:
		clean(process);
		break;
	case RUNNER_PROCESS_CLOSING:
		free_if_closed(process);
		break;
	}
}

struct command_line {
	const char *arguments[ARGUMENTS_MAX];
	size_t count;
	char *bind, *work_folder;
	char start_timeout[32], orphan_timeout[32], busy_poll[16];
};

static void add_option(struct command_line *line, const char *name, const char *value) {
	ASSERT(line->count + 3 <= ARGUMENTS_MAX);
	line->arguments[line->count++] = name;
	line->arguments[line->count++] = value;
}

/* A path that is too long for a socket address leaves the loopback. */
static char *choose_bind(const char *folder, const char *key) {
	char *socket = run_folder_path(folder, key, RUN_SOCKET);
	bool fits = strlen(socket) < sizeof((struct endpoint *)NULL)->path;
	char *bind = fits ? mem_printf("unix:%s", socket) : mem_strdup("http://127.0.0.1:0");
	free(socket);
	return bind;
}

static void command_line_init(struct command_line *line, const char *folder, const struct runner_spec *spec,
			      const struct runner_settings *settings) {
	*line = (struct command_line){.bind = choose_bind(folder, spec->key),
				      .work_folder = run_folder_path(folder, spec->key, RUN_WORK_FOLDER)};
	snprintf(line->start_timeout, sizeof line->start_timeout, "%" PRIu64 "ms", settings->start_timeout_ms);
	snprintf(line->orphan_timeout, sizeof line->orphan_timeout, "%" PRIu64 "ms", settings->orphan_timeout_ms);
	snprintf(line->busy_poll, sizeof line->busy_poll, "%u", settings->busy_poll_us);
	add_option(line, settings->program, "runner");
	add_option(line, "--endpoint", spec->backplane);
	add_option(line, "--bind", line->bind);
	add_option(line, "--language", spec->language);
	add_option(line, "--key", spec->key);
	add_option(line, "--work-folder", line->work_folder);
	add_option(line, "--start-timeout", line->start_timeout);
	add_option(line, "--orphan-timeout", line->orphan_timeout);
	add_option(line, "--busy-poll", line->busy_poll);
	if (spec->ca != NULL)
		add_option(line, "--ca", spec->ca);
}

static void command_line_deinit(struct command_line *line) {
	free(line->bind);
	free(line->work_folder);
}

static int spawn(struct runner_process *process, const struct command_line *line) {
	uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
					{.flags = UV_INHERIT_FD, .data.fd = 2},
					{.flags = UV_INHERIT_FD, .data.fd = 2}};
	uv_process_options_t options = {
		.file = line->arguments[0],
		.args = (char **)line->arguments, /* libuv copies nothing and changes nothing */
		.exit_cb = on_child_exit,
		/* A process group of its own: a terminal's signals to the Backplane do not reach it. */
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};
	return uv_spawn(&process->processes->loop->uv, &process->handle.child, &options);
}

struct runner_process *runner_process_spawn(struct runner_processes *processes, const struct runner_spec *spec,
					    const struct runner_settings *settings) {
	struct runner_process *process = process_new(processes, spec->key);
	struct command_line line;
	command_line_init(&line, processes->folder, spec, settings);
	int failed = spawn(process, &line);
	command_line_deinit(&line);
	if (failed != 0) {
		snprintf(process->why, sizeof process->why, "could not be started: %s: %s", settings->program,
			 uv_strerror(failed));
		end(process);
		return process;
	}
	process->pid = process->handle.child.pid;
	failpoint(FAILPOINT_RUNNER_STARTED);
	start_work(process, name_work, name_done);
	return process;
}

struct runner_process *runner_process_watch(struct runner_processes *processes, const char *key, pid_t pid, int pidfd) {
	struct runner_process *process = process_new(processes, key);
	process->pid = pid;
	process->handle.pidfd = pidfd;
	uv_poll_init(&processes->loop->uv, &process->handle.poll, pidfd);
	uv_poll_start(&process->handle.poll, UV_READABLE, on_found_exit);
	return process;
}
