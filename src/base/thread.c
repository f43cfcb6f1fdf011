/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include "base/macros.h"

void thread_block_signals(sigset_t *ret_before) {
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	sigset_t sent;
	sigfillset(&sent);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		sigdelset(&sent, faults[i]);
	pthread_sigmask(SIG_SETMASK, &sent, ret_before);
}

void thread_restore_signals(const sigset_t *before) {
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int thread_start(pthread_t *ret_thread, size_t stack_size, thread_function *run, void *data) {
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t before;
	pthread_attr_init(&attributes);
	if (stack_size > 0)
		pthread_attr_setstacksize(&attributes, stack_size);
	if (ret_thread == NULL)
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	thread_block_signals(&before);
	int failed = pthread_create(&thread, &attributes, run, data);
	thread_restore_signals(&before);
	pthread_attr_destroy(&attributes);
	if (failed == 0 && ret_thread != NULL)
		*ret_thread = thread;
	return failed;
}
