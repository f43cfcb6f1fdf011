/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <stdint.h>

#include "base/macros.h"

/* Of the thread's stack; 0: not known. */
static _Thread_local uintptr_t lowest_address;

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

void thread_unblock_signals(void) {
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void thread_set_fault_stack(char memory[THREAD_FAULT_STACK_SIZE]) {
	stack_t there;
	if (sigaltstack(NULL, &there) != 0 || !(there.ss_flags & SS_DISABLE))
		return; /* a sanitizer has its own */
	sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = THREAD_FAULT_STACK_SIZE}, NULL);
	pthread_attr_t attributes;
	void *lowest;
	size_t size;
	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	if (pthread_attr_getstack(&attributes, &lowest, &size) == 0)
		lowest_address = (uintptr_t)lowest;
	pthread_attr_destroy(&attributes);
}

bool thread_is_out_of_stack(const void *address) {
	enum { FRAME_MAX = 64 << 10 }; /* may reach over the end by itself */
	uintptr_t distance = (uintptr_t)address - (lowest_address - FRAME_MAX);
	return lowest_address != 0 && distance < 2 * (uintptr_t)FRAME_MAX;
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
