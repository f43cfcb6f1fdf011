/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/local.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "../dies.h"
#include "local_processes.h"
#include "platform/local/local_runner.h"
#include "watcher.h"

static void open_platform(struct watcher *watcher) {
	watcher_open(watcher, &platform_local, "", getenv("TINY_RUNNER"));
	watcher_start(watcher);
	WATCHER_WAIT(watcher, watcher->listed);
}

static void close_platform(struct watcher *watcher) {
	watcher_close(watcher);
	watcher_run_out(watcher);
}

static int set_up(void **state) {
	struct watcher *watcher = watcher_new();
	open_platform(watcher);
	*state = watcher;
	return 0;
}

static int tear_down(void **state) {
	struct watcher *watcher = *state;
	if (watcher->platform != NULL)
		watcher_close(watcher);
	watcher_run_out(watcher);
	kill_processes(watcher->run);
	watcher_free(watcher);
	return 0;
}

static char *read_file(const struct watcher *watcher, const char *name) {
	char *path = mem_printf("%s/%s", watcher->run, name), *text;
	size_t len;
	int failed = file_read(path, KIB(64), &text, &len, NULL);
	free(path);
	return failed ? NULL : text;
}

static void write_file(const struct watcher *watcher, const char *name, const char *text) {
	char *path = mem_printf("%s/%s", watcher->run, name);
	struct error err;
	if (file_write_whole(path, str_from(text), 0600, &err) < 0)
		fail_msg("%s", err.msg);
	free(path);
}

static bool exists(const struct watcher *watcher, const char *name) {
	char *path = mem_printf("%s/%s", watcher->run, name);
	bool is_there = access(path, F_OK) == 0;
	free(path);
	return is_there;
}

static bool is_empty(const struct watcher *watcher) {
	return rmdir(watcher->run) == 0 && mkdir(watcher->run, 0700) == 0;
}

static void run_until_named(struct watcher *watcher, const char *key) {
	char *name = mem_printf("%s.pid", key), *folder = mem_printf("%s.d", key);
	watcher_create(watcher, key, "stays");
	/* The Runner makes its work folder itself. */
	WATCHER_WAIT(watcher, exists(watcher, name) && find_runner(watcher->run, key) != 0 && exists(watcher, folder));
	free(name);
	free(folder);
}

/* --- what a Runner is given --------------------------------------------------------------------------------------- */

static void expect_argument(const char *arguments, const char *name, const char *value) {
	char *lines = mem_printf("\n%s\n%s\n", name, value);
	if (strstr(arguments, lines) == NULL)
		fail_msg("%s %s is missing in %s", name, value, arguments);
	free(lines);
}

static void a_runner_is_given_what_the_spec_says(void **state) {
	struct watcher *watcher = *state;
	watcher->platform->ops->create(watcher->platform, &(struct runner_spec){.key = "rnr-a",
										.language = "tells",
										.backplane = "http://127.0.0.1:8892",
										.ca = "/etc/ca.pem"});
	WATCHER_WAIT(watcher, exists(watcher, "rnr-a.d/arguments"));
	char *arguments = read_file(watcher, "rnr-a.d/arguments");
	char *bind = mem_printf("unix:%s/rnr-a.sock", watcher->run);
	expect_argument(arguments, "--endpoint", "http://127.0.0.1:8892");
	expect_argument(arguments, "--key", "rnr-a");
	expect_argument(arguments, "--language", "tells");
	expect_argument(arguments, "--ca", "/etc/ca.pem");
	expect_argument(arguments, "--bind", bind);
	expect_argument(arguments, "--start-timeout", "30000ms");
	expect_argument(arguments, "--orphan-timeout", "120000ms");
	expect_argument(arguments, "--child-ping", "2000ms");
	free(bind);
	free(arguments);
}

static void a_path_too_long_for_a_socket_becomes_a_port(void **state) {
	struct watcher *watcher = *state;
	char key[KEY_MAX];
	close_platform(watcher);
	char *longer = mem_printf("%s/%060d", watcher->run, 0);
	free(watcher->run);
	watcher->run = longer;
	open_platform(watcher);
	snprintf(key, sizeof key, "rnr-%020d", 1);
	watcher_create(watcher, key, "tells");
	char *name = mem_printf("%s.d/arguments", key);
	WATCHER_WAIT(watcher, exists(watcher, name));
	char *arguments = read_file(watcher, name);
	expect_argument(arguments, "--bind", "http://127.0.0.1:0");
	free(arguments);
	free(name);
}

/* --- what a Runner leaves ----------------------------------------------------------------------------------------- */

static void last_words_are_told_with_the_end(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "crashes");
	const struct watcher_exit *seen = watcher_wait_exit(watcher, "rnr-a");
	assert_string_equal(seen->why, "was killed by signal 9 (Killed)");
	assert_string_equal(seen->last_line, "last");
	WATCHER_WAIT(watcher, is_empty(watcher));
}

struct environment_search {
	const char *folder;
	unsigned count;
};

static void count_environment(void *data, pid_t pid) {
	struct environment_search *search = data;
	char *environment;
	size_t len;
	if (process_read(pid, "environ", MIB(1), &environment, &len) < 0)
		return;
	search->count += memmem(environment, len, search->folder, strlen(search->folder)) != NULL;
	free(environment);
}

/* Processes with FTL_WORKING_DIR in the run folder. */
static unsigned count_with_working_dir(const struct watcher *watcher) {
	struct environment_search search = {.folder = watcher->run};
	process_for_each(count_environment, &search);
	return search.count;
}

static void processes_that_a_runner_leaves_are_ended(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "leaves");
	watcher_wait_exit(watcher, "rnr-a");
	assert_int_equal(count_with_working_dir(watcher), 1); /* the search comes a moment later */
	WATCHER_WAIT(watcher, is_empty(watcher));
	WATCHER_WAIT(watcher, count_with_working_dir(watcher) == 0);
}

static void files_go_with_their_runner(void **state) {
	struct watcher *watcher = *state;
	run_until_named(watcher, "rnr-a");
	write_file(watcher, "rnr-a.sock", "");
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	assert_true(is_empty(watcher));
}

static void closing_removes_what_the_dead_left_first(void **state) {
	struct watcher *watcher = *state;
	watcher_create(watcher, "rnr-a", "crashes");
	watcher_wait_exit(watcher, "rnr-a");
	close_platform(watcher);
	assert_true(is_empty(watcher));
}

/* --- what an earlier Backplane leaves ----------------------------------------------------------------------------- */

static void a_runner_without_a_pid_file_is_found(void **state) {
	struct watcher *watcher = *state;
	run_until_named(watcher, "rnr-a");
	close_platform(watcher);
	char *before = read_file(watcher, "rnr-a.pid"), *path = mem_printf("%s/rnr-a.pid", watcher->run);
	unlink(path);
	open_platform(watcher);
	assert_true(watcher_has_found(watcher, "rnr-a"));
	char *again = read_file(watcher, "rnr-a.pid");
	assert_string_equal(again, before);
	watcher_destroy(watcher, "rnr-a");
	watcher_wait_exit(watcher, "rnr-a");
	free(before);
	free(again);
	free(path);
}

static void a_pid_that_is_another_process_now_is_not_taken_for_a_runner(void **state) {
	struct watcher *watcher = *state;
	char text[64];
	close_platform(watcher);
	snprintf(text, sizeof text, "%d %llu\n", (int)getpid(),
		 (unsigned long long)process_stat(getpid(), PROCESS_STAT_START_TIME) + 1);
	write_file(watcher, "rnr-a.pid", text);
	write_file(watcher, "rnr-b.pid", "nonsense");
	char *fifo = mem_printf("%s/rnr-c.pid", watcher->run);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	free(fifo);
	open_platform(watcher);
	assert_int_equal(watcher->found_count, 0);
	assert_true(is_empty(watcher));
}

static void what_belongs_to_no_runner_is_removed(void **state) {
	struct watcher *watcher = *state;
	run_until_named(watcher, "rnr-a");
	close_platform(watcher);
	char *folder = mem_printf("%s/rnr-b.d", watcher->run);
	mkdir(folder, 0700);
	free(folder);
	write_file(watcher, "rnr-b.d/file", "");
	write_file(watcher, "rnr-b.sock", "");
	write_file(watcher, "rnr-a.pid.abcdef", "");
	open_platform(watcher);
	assert_false(exists(watcher, "rnr-b.d"));
	assert_false(exists(watcher, "rnr-b.sock"));
	assert_false(exists(watcher, "rnr-a.pid.abcdef"));
	assert_true(exists(watcher, "rnr-a.pid"));
	assert_true(exists(watcher, "rnr-a.d"));
}

static void a_folder_that_is_none_is_an_error_of_the_listing(void **state) {
	struct watcher *watcher = *state;
	close_platform(watcher);
	assert_int_equal(rmdir(watcher->run), 0);
	FILE *file = fopen(watcher->run, "w");
	assert_non_null(file);
	fclose(file);
	watcher_open(watcher, &platform_local, "", getenv("TINY_RUNNER"));
	watcher_start(watcher);
	WATCHER_WAIT(watcher, watcher->listed);
	assert_int_not_equal(watcher->listing_error.code, CODE_OK);
	assert_non_null(strstr(watcher->listing_error.msg, watcher->run));
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static void set_state(void *argument) {
	const enum local_runner_state *states = argument;
	struct local_runner runner = {.state = states[0]};
	local_runner_set_state(&runner, states[1]);
}

static void a_transition_that_the_table_lacks_aborts(void **state UNUSED) {
	static const unsigned allowed[LOCAL_RUNNER_STATE_COUNT] = {
		[LOCAL_RUNNER_RUNNING] =
			1 << LOCAL_RUNNER_ENDING | 1 << LOCAL_RUNNER_CLEANING | 1 << LOCAL_RUNNER_CLOSING,
		[LOCAL_RUNNER_ENDING] = 1 << LOCAL_RUNNER_CLEANING,
		[LOCAL_RUNNER_CLEANING] = 1 << LOCAL_RUNNER_CLOSING,
	};
	for (unsigned from = 0; from < LOCAL_RUNNER_STATE_COUNT; from++) {
		for (unsigned to = 0; to < LOCAL_RUNNER_STATE_COUNT; to++) {
			enum local_runner_state states[] = {from, to};
			if (allowed[from] & 1u << to)
				set_state(states);
			else
				assert_dies(set_state, states);
		}
	}
}

static void start(void *platform) {
	((struct platform *)platform)->ops->start(platform);
}

static void create(void *platform) {
	((struct platform *)platform)
		->ops->create(platform, &(struct runner_spec){.key = "rnr-a",
							      .language = "stays",
							      .backplane = "http://127.0.0.1:1"});
}

static void orders_out_of_turn_abort(void **state) {
	struct watcher *watcher = *state;
	assert_dies(start, watcher->platform); /* a second time */
	close_platform(watcher);
	watcher_open(watcher, &platform_local, "", getenv("TINY_RUNNER"));
	assert_dies(create, watcher->platform); /* before it has listed what runs */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_runner_is_given_what_the_spec_says),
		TEST(a_path_too_long_for_a_socket_becomes_a_port),
		TEST(last_words_are_told_with_the_end),
		TEST(processes_that_a_runner_leaves_are_ended),
		TEST(files_go_with_their_runner),
		TEST(closing_removes_what_the_dead_left_first),
		TEST(a_runner_without_a_pid_file_is_found),
		TEST(a_pid_that_is_another_process_now_is_not_taken_for_a_runner),
		TEST(what_belongs_to_no_runner_is_removed),
		TEST(a_folder_that_is_none_is_an_error_of_the_listing),
		TEST(orders_out_of_turn_abort),
		cmocka_unit_test(a_transition_that_the_table_lacks_aborts),
	};
	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
