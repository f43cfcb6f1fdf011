/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sees that a function aborts, as ASSERT has it do: cmocka's own expect_assert_failure does not catch abort. The
 * function runs in a forked child, whose standard error is closed so that its last words do not look like a failure.
 */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_test.h"

static inline void assert_dies(void (*function)(void *argument), void *argument) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		function(argument);
		_exit(EXIT_SUCCESS);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}
