/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/local_runner.h"

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

enum { LAST_WORDS_MAX = 256 << 10, ARGUMENTS_MAX = 27 };

#define TO(state) (1u << (state))

/* For each state the set of allowed next states. */
static const unsigned allowed[LOCAL_RUNNER_STATE_COUNT] = {
	[LOCAL_RUNNER_RUNNING] = TO(LOCAL_RUNNER_ENDING) | TO(LOCAL_RUNNER_CLEANING) | TO(LOCAL_RUNNER_CLOSING),
	[LOCAL_RUNNER_ENDING] = TO(LOCAL_RUNNER_CLEANING),
	[LOCAL_RUNNER_CLEANING] = TO(LOCAL_RUNNER_CLOSING),
	[LOCAL_RUNNER_CLOSING] = 0,
};

void local_runner_set_state(struct local_runner *runner, enum local_runner_state state) {
	ASSERT(allowed[runner->state] & TO(state));
	runner->state = state;
}

static struct local_runner *runner_new(struct local_runners *runners, const char *key) {
	struct local_runner *runner = mem_zalloc(sizeof *runner);
	runner->runners = runners;
	runner->handle.pidfd = -1;
	runner->handle.child.data = runner->handle.poll.data = runner->work.request.data = runner;
	snprintf(runner->key, sizeof runner->key, "%s", key);
	list_append(&runners->all, &runner->link);
	return runner;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

static void free_if_closed(struct local_runner *runner) {
	struct local_runners *runners = runner->runners;
	if (!runner->handle.closed || runner->work.in_progress)
		return;
	list_remove(&runner->link);
	last_lines_deinit(&runner->lines);
	free(runner);
	runners->freed(runners);
}

static void on_handle_closed(uv_handle_t *handle) {
	struct local_runner *runner = handle->data;
	if (runner->handle.pidfd >= 0)
		close(runner->handle.pidfd);
	runner->handle.closed = true;
	free_if_closed(runner);
}

static void close_handle(struct local_runner *runner) {
	bool is_child = runner->handle.pidfd < 0;
	uv_close(is_child ? (uv_handle_t *)&runner->handle.child : (uv_handle_t *)&runner->handle.poll,
		 on_handle_closed);
}

void local_runner_leave(struct local_runner *runner) {
	if (runner->state != LOCAL_RUNNER_RUNNING)
		return;
	local_runner_set_state(runner, LOCAL_RUNNER_CLOSING);
	close_handle(runner);
}

/* --- what an ended one leaves, on the pool ------------------------------------------------------------------------ */

static void start_work(struct local_runner *runner, uv_work_cb work, uv_after_work_cb done) {
	ASSERT(!runner->work.in_progress);
	runner->work.in_progress = true;
	int failed = uv_queue_work(&runner->runners->loop->uv, &runner->work.request, work, done);
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

/* Opens with care: a module may have put anything in place of that file, such as a pipe or a link. */
static void read_last_words(struct local_runner *runner) {
	char *path = run_folder_path(runner->runners->folder, runner->key, RUN_WORK_FOLDER "/" LAST_WORDS_FILE);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return;
	split_lines(fd, &runner->lines);
	close(fd);
}

static void remove_file(const struct local_runner *runner, const char *suffix) {
	char *path = run_folder_path(runner->runners->folder, runner->key, suffix);
	unlink(path);
	free(path);
}

static void clean_work(uv_work_t *request) {
	struct local_runner *runner = request->data;
	read_last_words(runner);
	/* A Runner that ends in order leaves an empty folder, and no process of its deployment. */
	char *folder = run_folder_path(runner->runners->folder, runner->key, RUN_WORK_FOLDER);
	runner->left_something = rmdir(folder) < 0 && errno != ENOENT;
	free(folder);
	remove_file(runner, RUN_SOCKET);
	remove_file(runner, RUN_PID_FILE);
}

static void clean_done(uv_work_t *request, int status UNUSED) {
	struct local_runner *runner = request->data;
	runner->work.in_progress = false;
	local_runner_set_state(runner, LOCAL_RUNNER_CLOSING);
	runner->runners->ended(runner->runners, runner);
	close_handle(runner);
}

static void clean(struct local_runner *runner) {
	start_work(runner, clean_work, clean_done);
}

static void end(struct local_runner *runner) {
	local_runner_set_state(runner, LOCAL_RUNNER_CLEANING);
	if (!runner->work.in_progress)
		clean(runner); /* else after its pid file is written */
}

/* --- exits -------------------------------------------------------------------------------------------------------- */

static void on_child_exit(uv_process_t *child, int64_t status, int signal_number) {
	struct local_runner *runner = child->data;
	if (signal_number != 0)
		snprintf(runner->why, sizeof runner->why, "was killed by signal %d (%s)", signal_number,
			 strsignal(signal_number));
	else
		snprintf(runner->why, sizeof runner->why, "exited with status %" PRId64, status);
	end(runner);
}

/* The exit status is unknown, as only the parent gets it. */
static void on_found_exit(uv_poll_t *poll, int status UNUSED, int events UNUSED) {
	struct local_runner *runner = poll->data;
	uv_poll_stop(poll);
	snprintf(runner->why, sizeof runner->why, "exited");
	end(runner);
}

void local_runner_kill(struct local_runner *runner) {
	if (runner->state != LOCAL_RUNNER_RUNNING)
		return;
	local_runner_set_state(runner, LOCAL_RUNNER_ENDING);
	if (runner->handle.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, runner->handle.pidfd, SIGKILL, NULL, 0);
	else
		uv_process_kill(&runner->handle.child, SIGKILL);
}

/* --- starts ------------------------------------------------------------------------------------------------------- */

static void name_work(uv_work_t *request) {
	struct local_runner *runner = request->data;
	runner->work.failed = pid_file_write(runner->runners->folder, runner->key, runner->pid, &runner->work.err) < 0;
}

static void name_done(uv_work_t *request, int status UNUSED) {
	struct local_runner *runner = request->data;
	runner->work.in_progress = false;
	if (runner->work.failed)
		log_warn("%s; the next Backplane finds this Runner by its command line", runner->work.err.msg);
	failpoint(FAILPOINT_RUNNER_NAMED);
	switch (runner->state) {
	case LOCAL_RUNNER_RUNNING:
	case LOCAL_RUNNER_ENDING:
		break;
	case LOCAL_RUNNER_CLEANING:
		clean(runner);
		break;
	case LOCAL_RUNNER_CLOSING:
		free_if_closed(runner);
		break;
	}
}

struct command_line {
	const char *arguments[ARGUMENTS_MAX];
	size_t count;
	char *bind, *work_folder;
	char start_timeout[32], orphan_timeout[32], child_ping[32], busy_poll[16];
};

static void add_option(struct command_line *line, const char *name, const char *value) {
	ASSERT(line->count + 3 <= ARGUMENTS_MAX);
	line->arguments[line->count++] = name;
	line->arguments[line->count++] = value;
}

/* A socket in the run folder, or a loopback port when the path is too long for a socket address. */
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
	snprintf(line->child_ping, sizeof line->child_ping, "%" PRIu64 "ms", settings->child_ping_ms);
	snprintf(line->busy_poll, sizeof line->busy_poll, "%u", settings->busy_poll_us);
	add_option(line, settings->program, "runner");
	add_option(line, "--endpoint", spec->backplane);
	add_option(line, "--bind", line->bind);
	add_option(line, "--language", spec->language);
	add_option(line, "--key", spec->key);
	add_option(line, "--work-folder", line->work_folder);
	add_option(line, "--start-timeout", line->start_timeout);
	add_option(line, "--orphan-timeout", line->orphan_timeout);
	add_option(line, "--child-ping", line->child_ping);
	add_option(line, "--busy-poll", line->busy_poll);
	if (spec->ca != NULL)
		add_option(line, "--ca", spec->ca);
	line->arguments[line->count++] = "--managed";
}

static void command_line_deinit(struct command_line *line) {
	free(line->bind);
	free(line->work_folder);
}

static int spawn(struct local_runner *runner, const struct command_line *line) {
	uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
					{.flags = UV_INHERIT_FD, .data.fd = 2},
					{.flags = UV_INHERIT_FD, .data.fd = 2}};
	uv_process_options_t options = {
		.file = line->arguments[0],
		.args = (char **)line->arguments, /* libuv does not change the strings */
		.exit_cb = on_child_exit,
		/* In a process group of its own, so that a terminal's signals to the Backplane do not reach it. */
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};
	return uv_spawn(&runner->runners->loop->uv, &runner->handle.child, &options);
}

struct local_runner *local_runner_spawn(struct local_runners *runners, const struct runner_spec *spec,
					const struct runner_settings *settings) {
	struct local_runner *runner = runner_new(runners, spec->key);
	struct command_line line;
	command_line_init(&line, runners->folder, spec, settings);
	int failed = spawn(runner, &line);
	command_line_deinit(&line);
	if (failed != 0) {
		snprintf(runner->why, sizeof runner->why, "could not be started: %s: %s", settings->program,
			 uv_strerror(failed));
		end(runner);
		return runner;
	}
	runner->pid = runner->handle.child.pid;
	failpoint(FAILPOINT_RUNNER_STARTED);
	start_work(runner, name_work, name_done);
	return runner;
}

struct local_runner *local_runner_watch(struct local_runners *runners, const char *key, pid_t pid, int pidfd) {
	struct local_runner *runner = runner_new(runners, key);
	runner->pid = pid;
	runner->handle.pidfd = pidfd;
	uv_poll_init(&runners->loop->uv, &runner->handle.poll, pidfd);
	uv_poll_start(&runner->handle.poll, UV_READABLE, on_found_exit);
	return runner;
}
