/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/output_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/last_lines.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
	STREAMS = 2, /* standard output and error, in this order */
	LAST_READ_MAX = 4 << 10,
	READING_MAX_MS = 10,
	DRAIN_MAX = 1 << 20, /* bytes of a stream that are read at the end: a thread may print for ever */
};

static const int stream_fds[STREAMS] = {STDOUT_FILENO, STDERR_FILENO};

struct stream {
	int before; /* a copy of the descriptor as it was */
	int read_end; /* never blocks */
	int write_end; /* -1: it has become one of stream_fds */
	struct line_splitter lines;
	line_function *on_line;
};

struct output_capture {
	struct stream streams[STREAMS];
	int stop; /* an eventfd */
	pthread_t thread;
	void *data;
};

/* --- faults ------------------------------------------------------------------------------------------------------- */

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* What the signal handler of a fault uses. The fault may be in any thread, also in the one that reads. */
static struct {
	int to; /* standard error as it was */
	char path[PATH_MAX];
	int read_ends[STREAMS];
	char bytes[LAST_READ_MAX]; /* a ring of what was read last */
	size_t end; /* of all that was ever written to it */
	atomic_bool reading; /* bytes may be neither in a pipe nor in the ring */
	atomic_bool faulted; /* only the handler reads from now on */
} last;

static void remember(const char *bytes, size_t len) {
	for (size_t i = 0; i < len; i++)
		last.bytes[last.end++ % LAST_READ_MAX] = bytes[i];
}

static void tell(int file, const char *bytes, size_t len) {
	ssize_t written UNUSED = write(last.to, bytes, len);
	written = write(file, bytes, len);
}

static void tell_of_stack(int file, const siginfo_t *info) {
	static const char text[] = "the stack of a thread is used up\n";
	if (info->si_signo == SIGSEGV && thread_is_out_of_stack(info->si_addr))
		tell(file, text, sizeof text - 1);
}

/* Some lines were read and are not sent yet, others are still in the pipes: writes them all out. */
static void on_fault(int number, siginfo_t *info, void *context UNUSED) {
	int file = open(last.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	last.faulted = true;
	/* The wait has a limit, as the fault may be in the thread that reads. */
	for (int i = 0; i < READING_MAX_MS && last.reading; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	char bytes[LAST_READ_MAX];
	size_t len = MIN(last.end, sizeof bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = last.bytes[(last.end - len + i) % LAST_READ_MAX];
	tell(file, bytes, len);
	for (size_t i = 0; i < STREAMS; i++)
		for (ssize_t got; (got = read(last.read_ends[i], bytes, sizeof bytes)) > 0;)
			tell(file, bytes, (size_t)got);
	tell_of_stack(file, info);
	raise(number);
}

/* Each handler runs once, so that the raise above meets the default action. A handler that is there already, such as a
 * sanitizer's, is kept. */
static void watch_faults(bool watched) {
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct sigaction there;
		sigaction(faults[i], NULL, &there);
		if (there.sa_handler != SIG_DFL && there.sa_sigaction != on_fault)
			continue;
		struct sigaction action = {.sa_handler = SIG_DFL};
		if (watched)
			action = (struct sigaction){.sa_sigaction = on_fault,
						    .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK};
		sigaction(faults[i], &action, NULL);
	}
}

/* A sanitizer's own: it reports to this descriptor before it ends the process. */
__attribute__((weak)) void __sanitizer_set_report_fd(void *fd);

static void redirect_own_log(int fd) {
	log_set_fd(fd);
	if (__sanitizer_set_report_fd != NULL)
		__sanitizer_set_report_fd((void *)(intptr_t)fd);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* As read(2). */
static ssize_t read_some(struct output_capture *output, struct stream *stream) {
	char bytes[4096];
	last.reading = true;
	ssize_t len = last.faulted ? -1 : read(stream->read_end, bytes, sizeof bytes);
	if (len > 0)
		remember(bytes, (size_t)len);
	last.reading = false;
	if (len > 0)
		line_splitter_feed(&stream->lines, str_new(bytes, (size_t)len), stream->on_line, output->data);
	return len;
}

static void read_rest(struct output_capture *output, struct stream *stream) {
	ssize_t len;
	for (size_t total = 0; total < DRAIN_MAX && (len = read_some(output, stream)) > 0; total += (size_t)len)
		;
	line_splitter_end(&stream->lines, stream->on_line, output->data);
}

/* For poll(2): until an incomplete line is flushed. */
static int wait_ms(uint64_t begun_ms) {
	uint64_t now_ms = clock_ms(), due_ms = begun_ms + LINE_FLUSH_MS;
	return begun_ms == 0 ? -1 : due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

/* Flushes incomplete lines when it is time. Returns since when a line is incomplete. */
static uint64_t flush_begun(struct output_capture *output, uint64_t begun_ms) {
	bool has_begun = false, is_due = begun_ms != 0 && clock_ms() >= begun_ms + LINE_FLUSH_MS;
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &output->streams[i];
		if (is_due)
			line_splitter_flush(&stream->lines, stream->on_line, output->data);
		has_begun |= line_splitter_has_begun(&stream->lines);
	}
	return !has_begun ? 0 : begun_ms != 0 && !is_due ? begun_ms : clock_ms();
}

static void *run_reading(void *data) {
	struct output_capture *output = data;
	struct stream *streams = output->streams;
	struct pollfd polled[] = {{.fd = streams[0].read_end, .events = POLLIN},
				  {.fd = streams[1].read_end, .events = POLLIN},
				  {.fd = output->stop, .events = POLLIN}};
	uint64_t begun_ms = 0; /* since when a line is incomplete; 0: none is */
	while (polled[STREAMS].revents == 0) {
		poll(polled, ARRAY_LEN(polled), wait_ms(begun_ms));
		for (size_t i = 0; i < STREAMS; i++)
			if (polled[i].revents != 0 && read_some(output, &streams[i]) == 0)
				polled[i].fd = -1; /* the write end was closed */
		begun_ms = flush_begun(output, begun_ms);
	}
	for (size_t i = 0; i < STREAMS; i++)
		read_rest(output, &streams[i]);
	return NULL;
}

/* --- taking and giving back --------------------------------------------------------------------------------------- */

static int stream_open(struct stream *stream, int fd, line_function *on_line) {
	*stream = (struct stream){.before = -1, .read_end = -1, .write_end = -1, .on_line = on_line};
	line_splitter_init(&stream->lines);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	stream->read_end = ends[0];
	stream->write_end = ends[1];
	stream->before = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return stream->before < 0 ? -1 : fcntl(stream->read_end, F_SETFL, O_NONBLOCK);
}

static void close_all(struct output_capture *output) {
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &output->streams[i];
		const int fds[] = {stream->before, stream->read_end, stream->write_end};
		for (size_t k = 0; k < ARRAY_LEN(fds); k++)
			if (fds[k] >= 0)
				close(fds[k]);
		line_splitter_deinit(&stream->lines);
	}
	if (output->stop >= 0)
		close(output->stop);
	free(output);
}

struct output_capture *output_capture_take(const struct output_capture_options *options, struct error *err) {
	struct output_capture *output = mem_zalloc(sizeof *output);
	struct stream *streams = output->streams;
	output->data = options->data;
	output->stop = eventfd(0, EFD_CLOEXEC);
	bool failed = stream_open(&streams[0], STDOUT_FILENO, options->on_stdout) < 0;
	failed |= stream_open(&streams[1], STDERR_FILENO, options->on_stderr) < 0;
	int number = failed || output->stop < 0 ? errno : thread_start(&output->thread, 0, run_reading, output);
	if (number != 0) {
		close_all(output);
		error_set_errno(err, number, "the output of the process could not be captured");
		return NULL;
	}
	static char fault_stack[THREAD_FAULT_STACK_SIZE]; /* of the loop's thread, which runs some verbs */
	thread_set_fault_stack(fault_stack);
	last.to = streams[1].before;
	snprintf(last.path, sizeof last.path, "%s/%s", options->folder, LAST_WORDS_FILE);
	for (size_t i = 0; i < STREAMS; i++)
		last.read_ends[i] = streams[i].read_end;
	watch_faults(true);
	redirect_own_log(streams[1].before);
	/* stdio would buffer whole blocks for a pipe, and a log is read while it is written. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < STREAMS; i++) {
		dup2(streams[i].write_end, stream_fds[i]);
		close(streams[i].write_end);
		streams[i].write_end = -1;
	}
	return output;
}

/* Skips a file that another thread has locked: a thread that is stuck would hold it for ever. */
static void flush(FILE *file) {
	if (ftrylockfile(file) != 0)
		return;
	fflush_unlocked(file);
	funlockfile(file);
}

void output_capture_give_back(struct output_capture *output) {
	flush(stdout);
	for (size_t i = 0; i < STREAMS; i++)
		dup2(output->streams[i].before, stream_fds[i]);
	redirect_own_log(STDERR_FILENO);
	watch_faults(false);
	eventfd_write(output->stop, 1);
	pthread_join(output->thread, NULL);
	close_all(output);
}
