/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a build stay in the process group of this one, so that a terminal's signals reach all of them, and a
 * build may ask on the terminal. They are found by their parents; those whose parent has ended become children of this
 * process (PR_SET_CHILD_SUBREAPER).
 */
#include "cli/project/build_process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

static const int ending[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};

/* What the handler below uses, which may run in any thread. */
static struct {
	pthread_t waits;
	volatile sig_atomic_t from_terminal;
} forwarding;

/* The system gives a signal to a thread that does not block it, such as one of libuv's pool, which exists once a name
 * was looked up: passes it on to the thread that waits. */
static void forward(int number, siginfo_t *info, void *context UNUSED) {
	forwarding.from_terminal = info->si_code == SI_KERNEL;
	pthread_kill(forwarding.waits, number);
}

/* Takes the signals that end this process; those that it ignores, as after nohup, stay ignored by the build as well. */
static void take_signals(sigset_t *ret_signals, struct sigaction before[ARRAY_LEN(ending)]) {
	const struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
	forwarding.waits = pthread_self();
	forwarding.from_terminal = false;
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
		sigaction(ending[i], NULL, &before[i]);
		if (before[i].sa_handler == SIG_IGN)
			continue;
		sigaddset(ret_signals, ending[i]);
		sigaction(ending[i], &action, NULL);
	}
}

static void give_back_signals(const struct sigaction before[ARRAY_LEN(ending)]) {
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaction(ending[i], &before[i], NULL);
}

static int spawn(const struct build_command *build, const sigset_t *mask, pid_t *ret_pid, struct error *err) {
	/* posix_spawn changes none of the strings; its prototype lacks the const. */
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)build->command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t restored;
	sigemptyset(&restored);
	sigaddset(&restored, SIGPIPE);
	sigaddset(&restored, SIGXFSZ);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addchdir_np(&actions, build->folder);
	posix_spawn_file_actions_adddup2(&actions, build->output, STDOUT_FILENO);
	posix_spawnattr_setsigdefault(&attributes, &restored);
	posix_spawnattr_setsigmask(&attributes, mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	int failed = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (failed != 0)
		return error_set_errno(err, failed, "%s: could not start \"/bin/sh -c %s\"", build->folder,
				       build->command);
	return 0;
}

/* --- the processes of a build ------------------------------------------------------------------------------------- */

struct signalling {
	pid_t self;
	int number; /* 0: only counts */
	size_t found;
};

/* Whether pid descends from this process. Chains are short; a circle cannot be, but a pid may be used anew meanwhile.
 */
static bool descends(pid_t pid, pid_t from) {
	enum { GENERATIONS_MAX = 64 };
	for (int i = 0; i < GENERATIONS_MAX && pid > 1; i++) {
		pid = (pid_t)process_stat(pid, PROCESS_STAT_PARENT);
		if (pid == from)
			return true;
	}
	return false;
}

static void signal_one(void *data, pid_t pid) {
	struct signalling *signalling = data;
	if (!descends(pid, signalling->self) || process_state(pid) == 'Z')
		return;
	signalling->found++;
	if (signalling->number != 0)
		kill(pid, signalling->number);
}

static size_t signal_all(int number) {
	struct signalling signalling = {.self = getpid(), .number = number};
	process_for_each(signal_one, &signalling);
	return signalling.found;
}

static void reap(void) {
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Ends all that the build started, and then this process by the same signal, as its own default action would have. A
 * terminal has sent SIGINT to all of them already. */
static void end_by(const siginfo_t *info, const sigset_t *signals) {
	enum { LOOK_MS = 50 };
	bool from_terminal = info->si_code == SI_KERNEL || forwarding.from_terminal;
	uint64_t end_ms = clock_ms() + BUILD_END_MS;
	signal_all(from_terminal ? 0 : info->si_signo);
	for (reap(); signal_all(0) > 0 && clock_ms() < end_ms; reap())
		sigtimedwait(signals, NULL, &(struct timespec){.tv_nsec = LOOK_MS * 1000000});
	signal_all(SIGKILL);
	signal(info->si_signo, SIG_DFL);
	sigset_t only;
	sigemptyset(&only);
	sigaddset(&only, info->si_signo);
	raise(info->si_signo);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
}

static int wait_for(pid_t pid, const sigset_t *signals, int *ret_status, struct error *err) {
	for (;;) {
		siginfo_t info;
		pid_t gone = waitpid(pid, ret_status, WNOHANG);
		if (gone == pid)
			return 0;
		if (gone < 0 && errno != EINTR)
			return error_set_errno(err, errno, "could not wait for the build");
		int number = sigwaitinfo(signals, &info);
		if (number > 0 && number != SIGCHLD)
			end_by(&info, signals);
	}
}

int build_process_run(const struct build_command *build, int *ret_status, struct error *err) {
	sigset_t signals, before;
	struct sigaction actions[ARRAY_LEN(ending)];
	pid_t pid;
	take_signals(&signals, actions);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigprocmask(SIG_BLOCK, &signals, &before);
	int result = spawn(build, &before, &pid, err);
	if (result == 0)
		result = wait_for(pid, &signals, ret_status, err);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	give_back_signals(actions);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
