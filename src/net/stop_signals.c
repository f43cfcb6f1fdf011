/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stop_signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const int always[] = {SIGTERM, SIGINT};
static const int others[] = {SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,  SIGVTALRM,
			     SIGPROF, SIGPOLL, SIGPWR,  SIGXCPU, SIGSTKFLT};

static bool is_order(int number) {
	return number == SIGTERM || number == SIGINT || number == SIGQUIT;
}

static void on_signal(uv_signal_t *handle, int number) {
	struct stop_signals *signals = handle->data;
	signals->received(signals, number, is_order(number));
}

static void watch(struct stop_signals *signals, struct loop *loop, int number) {
	ASSERT(signals->count < STOP_SIGNALS_MAX);
	uv_signal_t *handle = &signals->handles[signals->count++];
	uv_signal_init(&loop->uv, handle);
	handle->data = signals;
	uv_signal_start(handle, on_signal, number);
}

static void watch_if_default(struct stop_signals *signals, struct loop *loop, int number) {
	struct sigaction action;
	if (sigaction(number, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
		watch(signals, loop, number);
}

void stop_signals_watch(struct stop_signals *signals, struct loop *loop) {
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		watch(signals, loop, always[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		watch_if_default(signals, loop, others[i]);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		watch_if_default(signals, loop, number);
}

void stop_signals_close(struct stop_signals *signals) {
	while (signals->count > 0)
		loop_close_signal(&signals->handles[--signals->count]);
}

void stop_signal_format(int number, char ret_text[STOP_SIGNAL_TEXT_MAX]) {
	const char *name = sigabbrev_np(number);
	if (name != NULL)
		snprintf(ret_text, STOP_SIGNAL_TEXT_MAX, "SIG%s (%s)", name, sigdescr_np(number));
	else
		snprintf(ret_text, STOP_SIGNAL_TEXT_MAX, "SIGRTMIN+%d", number - SIGRTMIN);
}
