/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals that a server takes as the order to stop: each one that would end the process by default and that others
 * send, such as SIGTERM, SIGINT, SIGHUP of a terminal that closes, SIGQUIT, SIGUSR1, SIGALRM and real-time signals.
 *
 * Left out are SIGKILL, which no process can take; the signals of a fault of this process (SIGSEGV, SIGABRT, …), after
 * which it cannot go on; and signals that were ignored or taken when the process started: after `nohup` SIGHUP stays
 * ignored. SIGTERM and SIGINT are always taken, as a shell without job control ignores SIGINT for what it starts with
 * `&`.
 */
#pragma once

#include "net/loop.h"

enum { STOP_SIGNALS_MAX = 64 };

struct stop_signals {
	/* Tells the signal. is_order: a person or a script sent it to end the process, so that a second one asks to
	 * hurry; a closing terminal may send SIGHUP several times. */
	void (*received)(struct stop_signals *signals, int number, bool is_order);
	uv_signal_t handles[STOP_SIGNALS_MAX];
	size_t count;
};

/* received is set; the rest is zero. */
void stop_signals_watch(struct stop_signals *signals, struct loop *loop);

/* From then on the signals that were watched are ignored, so that one that comes while the process ends does not change
 * its exit status. Does nothing if none are watched. */
void stop_signals_close(struct stop_signals *signals);

/* "SIGHUP (Hangup)"; a real-time signal is "SIGRTMIN+3". */
enum { STOP_SIGNAL_TEXT_MAX = 64 };
void stop_signal_format(int number, char ret_text[STOP_SIGNAL_TEXT_MAX]);
