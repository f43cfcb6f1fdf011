/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  RUNNING ──SIGCHLD, and waitid finds it──▶ ENDED ──output read and no process left, or the grace is over──▶ freed
 *
 * The group is killed after the child has ended and before it is reaped: until then the kernel cannot give its number
 * to another process. A process that left the group becomes a child of this process when its parent ends
 * (PR_SET_CHILD_SUBREAPER), and is killed then, one generation after the other.
 */
#include "runner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/process.h"

/* For the processes that the child started to die, and for its output to end: the pipe may have been passed to a
 * process that lives on. */
enum { LEFTOVER_GRACE_MS = 200 };

struct child {
	struct loop *loop;
	struct child_options options;
	pid_t pid; /* 0: reaped */
	bool has_leftovers; /* the kernel still knows a process that the child started */
	int wait_status;
	uv_signal_t on_child_signal;
	struct output {
		uv_pipe_t pipe;
		bool ended;
	} outputs[CHILD_OUTPUTS];
	struct timer grace;
	unsigned handles; /* that are not closed yet */
	bool closing;
};

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void on_handle_closed(uv_handle_t *handle) {
	struct child *child = handle->data;
	if (--child->handles > 0)
		return;
	child->options.events->exited(child->options.owner, child->wait_status);
	free(child);
}

static void close_all(struct child *child) {
	if (child->closing)
		return;
	child->closing = true;
	timer_stop(child->loop, &child->grace);
	uv_close((uv_handle_t *)&child->on_child_signal, on_handle_closed);
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		uv_close((uv_handle_t *)&child->outputs[i].pipe, on_handle_closed);
}

static void close_if_done(struct child *child) {
	if (child->pid == 0 && !child->has_leftovers && child->outputs[CHILD_STDOUT].ended &&
	    child->outputs[CHILD_STDERR].ended)
		close_all(child);
}

static void on_grace_over(struct timer *timer) {
	close_all(CONTAINER_OF(timer, struct child, grace));
}

static void end(struct child *child) {
	kill(-child->pid, SIGKILL);
	waitpid(child->pid, &child->wait_status, 0);
	child->pid = 0;
	timer_start(child->loop, &child->grace, LEFTOVER_GRACE_MS);
}

static void kill_if_ours(void *data UNUSED, pid_t pid) {
	if (process_stat(pid, PROCESS_STAT_PARENT) == (uint64_t)getpid())
		kill(pid, SIGKILL);
}

/* Reaps every process that has ended: the child, or a leftover of it. */
static void reap(struct child *child) {
	siginfo_t info = {0};
	int failed;
	while ((failed = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) == 0 && info.si_pid != 0) {
		if (info.si_pid == child->pid)
			end(child);
		else
			waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
	child->has_leftovers = failed == 0;
	if (child->pid == 0 && child->has_leftovers)
		process_for_each(kill_if_ours, NULL);
	close_if_done(child);
}

static void on_sigchld(uv_signal_t *handle, int number UNUSED) {
	reap(handle->data);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *ret_buffer) {
	struct child *child = handle->data;
	*ret_buffer = uv_buf_init(child->loop->read_buffer, LOOP_READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
	struct child *child = stream->data;
	struct output *output = CONTAINER_OF((uv_pipe_t *)stream, struct output, pipe);
	if (got > 0) {
		enum child_output which = output == &child->outputs[CHILD_STDOUT] ? CHILD_STDOUT : CHILD_STDERR;
		child->options.events->output(child->options.owner, which, str_new(buffer->base, (size_t)got));
	} else if (got < 0) {
		uv_read_stop(stream);
		output->ended = true;
		close_if_done(child);
	}
}

/* --- the start ---------------------------------------------------------------------------------------------------- */

/* Between fork and exec: only what is safe after the fork of a process with threads. */
_Noreturn static void become_program(const struct child_options *options, const int outputs[CHILD_OUTPUTS], int report,
				     pid_t parent) {
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* the parent went before the line above */
	/* Ignored signals would stay ignored in the program. */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Closes itself, as the standard streams of this process are open and it is none of them. */
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *arguments[] = {(char *)options->program, NULL};
	if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(outputs[CHILD_STDOUT], STDOUT_FILENO) >= 0 &&
	    dup2(outputs[CHILD_STDERR], STDERR_FILENO) >= 0 && chdir(options->folder) == 0)
		execve(options->program, arguments, options->environment);
	int number = errno;
	ssize_t written UNUSED = write(report, &number, sizeof number);
	_exit(127);
}

/* Reads the #! line, whose program may be what is missing. */
static bool read_interpreter(const char *program, char ret_line[128]) {
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_line, 127);
	if (fd >= 0)
		close(fd);
	if (got < 2 || memcmp(ret_line, "#!", 2) != 0)
		return false;
	ret_line[got] = '\0';
	ret_line[strcspn(ret_line, "\r\n")] = '\0';
	return true;
}

static int explain_exec(int number, const char *program, struct error *err) {
	const char *name = strrchr(program, '/') + 1;
	char line[128];
	if (number == ENOENT && access(program, F_OK) == 0 && read_interpreter(program, line))
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "could not start %s: its first line is \"%s\", and there is no such program", name,
				 line);
	if (number == ENOENT && access(program, F_OK) == 0)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "could not start %s: the loader that it was linked for is not on this machine", name);
	if (number == ENOEXEC)
		return error_set(
			err, CODE_FAILED_PRECONDITION,
			"could not start %s: it is neither a program for this machine nor does it begin with #!", name);
	if (number == EACCES)
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "could not start %s: it is not executable, or its folder is on a disk mounted noexec",
				 name);
	return error_set_errno(err, number, "could not start %s", name);
}

static void close_pair(int pair[2]) {
	for (size_t i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

/* Forks, and returns when the program runs or execve has failed. */
static int start_program(const struct child_options *options, const int outputs[CHILD_OUTPUTS], pid_t *ret_pid,
			 struct error *err) {
	int report[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "could not make a pipe");
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become_program(options, outputs, report[1], parent);
	int fork_error = errno, number = 0;
	close(report[1]);
	/* The pipe closes on exec, so reading ends when the program runs. */
	ssize_t got;
	do
		got = pid < 0 ? 0 : read(report[0], &number, sizeof number);
	while (got < 0 && errno == EINTR);
	close(report[0]);
	if (pid < 0)
		return error_set_errno(err, fork_error, "could not make a process");
	if (got == sizeof number) {
		waitpid(pid, NULL, 0);
		return explain_exec(number, options->program, err);
	}
	*ret_pid = pid;
	return 0;
}

static void init_handles(struct child *child, struct loop *loop) {
	uv_signal_init(&loop->uv, &child->on_child_signal);
	child->on_child_signal.data = child;
	for (size_t i = 0; i < CHILD_OUTPUTS; i++) {
		uv_pipe_init(&loop->uv, &child->outputs[i].pipe, 0);
		child->outputs[i].pipe.data = child;
	}
	child->handles = 1 + CHILD_OUTPUTS;
}

static void read_outputs(struct child *child, const int outputs[CHILD_OUTPUTS]) {
	for (size_t i = 0; i < CHILD_OUTPUTS; i++) {
		int failed = uv_pipe_open(&child->outputs[i].pipe, outputs[i]);
		ASSERT(failed == 0);
		uv_read_start((uv_stream_t *)&child->outputs[i].pipe, on_alloc, on_read);
	}
}

static int make_pipes(int pipes[CHILD_OUTPUTS][2], struct error *err) {
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return error_set_errno(err, errno, "could not make a pipe");
	return 0;
}

struct child *child_start(struct loop *loop, const struct child_options *options, struct error *err) {
	int pipes[CHILD_OUTPUTS][2] = {{-1, -1}, {-1, -1}};
	pid_t pid = 0;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int result = make_pipes(pipes, err);
	if (result == 0) {
		const int writers[CHILD_OUTPUTS] = {pipes[0][1], pipes[1][1]};
		result = start_program(options, writers, &pid, err);
	}
	if (result < 0) {
		close_pair(pipes[0]);
		close_pair(pipes[1]);
		return NULL;
	}
	struct child *child = mem_zalloc(sizeof *child);
	*child = (struct child){.loop = loop, .options = *options, .pid = pid, .grace.fire = on_grace_over};
	init_handles(child, loop);
	const int readers[CHILD_OUTPUTS] = {pipes[0][0], pipes[1][0]};
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		close(pipes[i][1]);
	read_outputs(child, readers);
	uv_signal_start(&child->on_child_signal, on_sigchld, SIGCHLD);
	/* The child may have ended before the signal was watched. */
	reap(child);
	return child;
}

void child_signal(struct child *child, int number) {
	if (child->pid > 0)
		kill(-child->pid, number);
}

pid_t child_pid(const struct child *child) {
	return child->pid;
}

void exit_status_format(int wait_status, char ret_text[EXIT_TEXT_MAX]) {
	if (WIFEXITED(wait_status)) {
		snprintf(ret_text, EXIT_TEXT_MAX, "exited with status %d", WEXITSTATUS(wait_status));
		return;
	}
	int number = WTERMSIG(wait_status);
	const char *name = sigabbrev_np(number);
	if (name != NULL)
		snprintf(ret_text, EXIT_TEXT_MAX, "was killed by SIG%s (%s)", name, sigdescr_np(number));
	else
		snprintf(ret_text, EXIT_TEXT_MAX, "was killed by the signal %d", number);
}
