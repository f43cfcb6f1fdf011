/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_test.h"

static pid_t start_sleeper(void) {
	pid_t pid = fork();
	if (pid == 0) {
		/* A name that is hard to read. */
		prctl(PR_SET_NAME, "a) S 1 (b");
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid) {
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void numbers_are_read_whatever_the_name_is(void **state UNUSED) {
	pid_t pid = start_sleeper();
	assert_int_equal(process_stat(pid, PROCESS_STAT_PARENT), getpid());
	uint64_t started = process_stat(pid, PROCESS_STAT_START_TIME);
	assert_true(started >= process_stat(getpid(), PROCESS_STAT_START_TIME));
	end(pid);
	assert_int_equal(process_stat(pid, PROCESS_STAT_PARENT), 0);
	assert_int_equal(process_stat(pid, PROCESS_STAT_START_TIME), 0);
}

static void files_are_read_up_to_a_limit(void **state UNUSED) {
	char *bytes;
	size_t len;
	assert_int_equal(process_read(getpid(), "cmdline", 4096, &bytes, &len), 0);
	assert_true(len > 1 && bytes[len - 1] == '\0');
	free(bytes);
	assert_int_equal(process_read(getpid(), "cmdline", 1, &bytes, &len), -1);
	assert_int_equal(process_read(getpid(), "nothing", 4096, &bytes, &len), -1);
}

struct search {
	pid_t wanted;
	int found;
};

static void compare(void *data, pid_t pid) {
	struct search *search = data;
	search->found += pid == search->wanted;
}

static void every_process_is_visited_once(void **state UNUSED) {
	struct search search = {.wanted = start_sleeper()};
	process_for_each(compare, &search);
	assert_int_equal(search.found, 1);
	end(search.wanted);
	process_for_each(compare, &search);
	assert_int_equal(search.found, 1);
}

static char state_of(pid_t pid, char wanted) {
	for (int turns = 0; turns < 1000 && process_state(pid) != wanted; turns++)
		usleep(1000);
	return process_state(pid);
}

static void a_stopped_process_of_a_session_is_found(void **state UNUSED) {
	pid_t leader = fork();
	if (leader == 0) {
		setsid();
		start_sleeper();
		start_sleeper();
		pause();
		_exit(0);
	}
	assert_int_equal(state_of(leader, 'S'), 'S');
	assert_false(process_session_is_stopped(leader));
	kill(leader, SIGSTOP);
	assert_int_equal(state_of(leader, 'T'), 'T');
	assert_true(process_session_is_stopped(leader));
	assert_true(process_session_ticks(leader) < 100); /* of three that sleep */
	kill(leader, SIGCONT);
	assert_int_equal(state_of(leader, 'S'), 'S');
	assert_false(process_session_is_stopped(leader));
	kill(-leader, SIGKILL);
	waitpid(leader, NULL, 0);
	assert_int_equal(process_state(leader), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_whatever_the_name_is),
		cmocka_unit_test(files_are_read_up_to_a_limit),
		cmocka_unit_test(every_process_is_visited_once),
		cmocka_unit_test(a_stopped_process_of_a_session_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
