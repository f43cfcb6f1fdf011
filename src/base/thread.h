/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads beside the one that hears signals: what a person or the Platform sends is the business of its loop. A fault
 * of a thread's own (SIGSEGV and the like) still reaches it.
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

typedef void *thread_function(void *data);

/* stack_size in bytes, 0: the system's. ret_thread is to be joined; NULL: nobody joins it. 0, or an errno. */
int thread_start(pthread_t *ret_thread, size_t stack_size, thread_function *run, void *data);

/* For a library that starts threads: those that it starts between the two hear none either. */
void thread_block_signals(sigset_t *ret_before);
void thread_restore_signals(const sigset_t *before);

/* For a thread that runs the code of a module: a program that this code starts inherits what is blocked, and would then
 * hear no SIGTERM. A signal that is sent to the process still goes to the main thread, which Linux prefers. */
void thread_unblock_signals(void);

/* What a handler of faults runs on, in this thread, should the fault be that the stack is used up. At the beginning of
 * the thread's own it costs nothing until then. */
enum { THREAD_FAULT_STACK_SIZE = 32 << 10 };
void thread_set_fault_stack(char memory[THREAD_FAULT_STACK_SIZE]);

/* For such a handler: whether that is what a fault at this address says. */
bool thread_is_out_of_stack(const void *address);
