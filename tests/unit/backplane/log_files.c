/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/log_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "base/path.h"

struct fixture {
	char folder[64];
	struct loop loop;
	struct log_files *log_files;
};

static int set_up(void **state) {
	struct fixture *fixture = mem_zalloc(sizeof *fixture);
	struct error err;
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/ftl-logs-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	loop_init(&fixture->loop);
	assert_int_equal(log_files_open(fixture->folder, &fixture->loop, &fixture->log_files, &err), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	loop_run_out(&fixture->loop);
	log_files_close(fixture->log_files);
	loop_deinit(&fixture->loop);
	path_remove_tree(fixture->folder, NULL);
	free(fixture);
	return 0;
}

static void add(struct fixture *fixture, const char *module, int64_t time_ms, const char *message) {
	log_files_add(fixture->log_files, &(struct log_entry){.time_ms = time_ms,
							      .level = "info",
							      .message = message,
							      .module = module,
							      .deployment_key = "dpl-1",
							      .runner_key = "rnr-1",
							      .attributes = ""});
}

static void add_number(struct fixture *fixture, const char *module, unsigned number) {
	char message[32];
	snprintf(message, sizeof message, "%u", number);
	add(fixture, module, number, message);
}

static unsigned tails_read;

static void on_read(struct log_files_tail *tail UNUSED) {
	tails_read++;
}

static void begin_tail(struct fixture *fixture, struct log_files_tail *tail, const char *module, size_t count) {
	static struct log_filter filter; /* until the tail is read */
	struct error err;
	*tail = (struct log_files_tail){.done = on_read};
	filter = (struct log_filter){0};
	if (module[0] != '\0')
		assert_int_equal(log_filter_add_module(&filter, module, &err), 0);
	log_files_tail(fixture->log_files, tail, &filter, count);
}

static void read_tail(struct fixture *fixture, struct log_files_tail *tail, const char *module, size_t count) {
	tails_read = 0;
	begin_tail(fixture, tail, module, count);
	assert_int_equal(tails_read, 0);
	while (tails_read == 0)
		uv_run(&fixture->loop.uv, UV_RUN_ONCE);
}

static unsigned count_open_files(void) {
	unsigned count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void many_modules_share_a_few_open_files(void **state) {
	struct fixture *fixture = *state;
	char name[32];
	unsigned before = count_open_files();
	for (unsigned i = 0; i < 3 * LOG_FOLDER_OPEN_MAX; i++) {
		snprintf(name, sizeof name, "module%u", i % (LOG_FOLDER_OPEN_MAX + 10));
		add_number(fixture, name, i);
	}
	loop_run_out(&fixture->loop);
	assert_in_range(count_open_files() - before, 1, LOG_FOLDER_OPEN_MAX + 2);
	struct log_files_tail tail;
	read_tail(fixture, &tail, "module0", 10);
	assert_int_equal(tail.tail.count, 3);
	log_tail_deinit(&tail.tail);
}

/* The messages are the numbers from first on. */
static void assert_numbers(struct log_files_tail *tail, unsigned first, size_t count) {
	assert_int_equal(tail->tail.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(atoi(tail->tail.entries[i].message), first + i);
	log_tail_deinit(&tail->tail);
}

static void a_tail_has_what_was_added_before_it_and_nothing_later(void **state) {
	struct fixture *fixture = *state;
	enum { TAILS = 20, LINES_EACH = 50 };
	struct log_files_tail tails[TAILS];
	tails_read = 0;
	for (unsigned i = 0; i < TAILS; i++) {
		for (unsigned j = 0; j < LINES_EACH; j++)
			add_number(fixture, "echo", i * LINES_EACH + j);
		begin_tail(fixture, &tails[i], "echo", LOG_FOLDER_TAIL_MAX);
	}
	while (tails_read < TAILS)
		uv_run(&fixture->loop.uv, UV_RUN_ONCE);
	for (unsigned i = 0; i < TAILS; i++)
		assert_numbers(&tails[i], 0, (i + 1) * LINES_EACH);
}

static void a_tail_is_of_one_module_or_of_all(void **state) {
	struct fixture *fixture = *state;
	struct log_files_tail tail;
	for (unsigned i = 0; i < 10; i++)
		add_number(fixture, i % 2 ? "odd" : "even", i);
	add(fixture, "../escape", 1, "not the name of a module");
	read_tail(fixture, &tail, "odd", 2);
	assert_int_equal(tail.tail.count, 2);
	assert_string_equal(tail.tail.entries[0].message, "7");
	assert_string_equal(tail.tail.entries[1].message, "9");
	assert_string_equal(tail.tail.entries[1].deployment_key, "dpl-1");
	log_tail_deinit(&tail.tail);
	read_tail(fixture, &tail, "", 4);
	assert_numbers(&tail, 6, 4);
	read_tail(fixture, &tail, "", 100);
	assert_numbers(&tail, 0, 10);
	read_tail(fixture, &tail, "none", 100);
	assert_numbers(&tail, 0, 0);
	read_tail(fixture, &tail, "odd", 0);
	assert_numbers(&tail, 0, 0);
}

/* No completion comes while the loop does not run: to the lines that is a disk that hangs. */
static void drops_and_tells_of_lines_that_the_disk_is_too_slow_for(void **state) {
	struct fixture *fixture = *state;
	enum { OVER = 7 };
	struct log_files_tail tail;
	for (unsigned i = 0; i < LOG_FILES_WAITING_MAX; i++)
		add_number(fixture, "echo", i);
	for (unsigned i = 0; i < OVER; i++)
		add_number(fixture, i < 2 ? "other" : "echo", LOG_FILES_WAITING_MAX + i);
	loop_run_out(&fixture->loop);
	read_tail(fixture, &tail, "echo", 2);
	assert_int_equal(tail.tail.count, 2);
	assert_int_equal(atoi(tail.tail.entries[0].message), LOG_FILES_WAITING_MAX - 1);
	assert_non_null(strstr(tail.tail.entries[1].message, "5 lines were dropped"));
	assert_string_equal(tail.tail.entries[1].level, "warn");
	log_tail_deinit(&tail.tail);
	read_tail(fixture, &tail, "other", 2);
	assert_int_equal(tail.tail.count, 1);
	assert_non_null(strstr(tail.tail.entries[0].message, "2 lines were dropped"));
	log_tail_deinit(&tail.tail);
	add_number(fixture, "other", 1);
	read_tail(fixture, &tail, "other", 1);
	assert_numbers(&tail, 1, 1);
}

static void drops_what_takes_too_many_bytes(void **state) {
	struct fixture *fixture = *state;
	enum { SIZE = 600 << 10 };
	char *message = mem_alloc(SIZE);
	memset(message, 'x', SIZE);
	message[SIZE - 1] = '\0';
	unsigned fitting = LOG_FILES_WAITING_BYTES_MAX / SIZE;
	for (unsigned i = 0; i <= fitting; i++)
		add(fixture, "echo", i, message);
	loop_run_out(&fixture->loop);
	struct log_files_tail tail;
	read_tail(fixture, &tail, "echo", 1);
	assert_non_null(strstr(tail.tail.entries[0].message, "1 lines were dropped"));
	log_tail_deinit(&tail.tail);
	free(message);
}

static size_t size_of(const struct fixture *fixture, const char *file) {
	char *path = mem_printf("%s/%s", fixture->folder, file);
	struct stat status = {0};
	assert_int_equal(stat(path, &status), 0);
	free(path);
	return (size_t)status.st_size;
}

/* All lines have the same time, so that only their place in the files tells their order. */
static void keeps_two_files_of_bounded_size_in_order(void **state) {
	struct fixture *fixture = *state;
	enum { SIZE = 100 << 10, LINES = 250, LINES_AT_ONCE = 50, TAIL = 80 };
	char *message = mem_alloc(SIZE);
	memset(message, 'x', SIZE);
	message[SIZE - 1] = '\0';
	for (int i = 0; i < LINES; i++) {
		snprintf(message, 8, "%07d", i);
		message[7] = ' ';
		add(fixture, "echo", 1, message);
		if (i % LINES_AT_ONCE == LINES_AT_ONCE - 1)
			loop_run_out(&fixture->loop);
	}
	assert_in_range(size_of(fixture, "echo.log"), SIZE, LOG_FOLDER_FILE_MAX + 2 * SIZE);
	assert_in_range(size_of(fixture, "echo.log.1"), LOG_FOLDER_FILE_MAX - 2 * SIZE, LOG_FOLDER_FILE_MAX + 2 * SIZE);
	struct log_files_tail tail;
	read_tail(fixture, &tail, "echo", TAIL);
	assert_numbers(&tail, LINES - TAIL, TAIL);
	free(message);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_tail_has_what_was_added_before_it_and_nothing_later),
		TEST(a_tail_is_of_one_module_or_of_all),
		TEST(drops_and_tells_of_lines_that_the_disk_is_too_slow_for),
		TEST(drops_what_takes_too_many_bytes),
		TEST(many_modules_share_a_few_open_files),
		TEST(keeps_two_files_of_bounded_size_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
