/* SPDX-License-Identifier: Apache-2.0 */
#include "store/registry.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "place.h"

static int set_up(void **state) {
	struct place *place = mem_zalloc(sizeof *place);
	place_make(place);
	*state = place;
	return 0;
}

static int tear_down(void **state) {
	place_remove(*state);
	free(*state);
	return 0;
}

/* Opens the store SCHEME:FOLDER/REST, and closes it. */
static void open_and_close(const struct place *place, const char *rest, const char *expected_file) {
	char *url = mem_printf("sqlite:%s%s", place->path, rest),
	     *file = mem_printf("%s%s", place->path, expected_file);
	struct store *store;
	struct error err;
	if (store_open(url, &store, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(access(file, F_OK), 0);
	store->ops->close(store);
	free(url);
	free(file);
}

static void sqlite_is_a_folder_or_a_file(void **state) {
	struct place *place = *state;
	open_and_close(place, "", "/ftl.db");
	open_and_close(place, "/new/folder", "/new/folder/ftl.db");
	open_and_close(place, "/new/file.db", "/new/file.db");
}

static void two_files_of_one_folder_are_not_open_at_once(void **state) {
	struct place *place = *state;
	char *url = mem_printf("sqlite:%s/one.db", place->path), *other = mem_printf("sqlite:%s/two.db", place->path);
	struct store *store, *second;
	struct error err;
	assert_int_equal(store_open(url, &store, &err), 0);
	assert_int_equal(store_open(other, &second, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	store->ops->close(store);
	free(url);
	free(other);
}

static void memory_is_empty_each_time(void **state UNUSED) {
	for (int i = 0; i < 2; i++) {
		struct store *store;
		struct arena arena = ARENA_INIT(KIB(4));
		struct store_rows rows;
		uint64_t epoch;
		struct error err;
		assert_int_equal(store_open("memory:", &store, &err), 0);
		assert_int_equal(store->ops->acquire(store, &epoch, &err), 0);
		assert_int_equal(epoch, 1);
		assert_int_equal(store->ops->load(store, &arena, &rows, &err), 0);
		assert_int_equal(rows.sequence, 0);
		arena_deinit(&arena);
		store->ops->close(store);
	}
}

static void says_what_is_wrong_with_a_url(void **state UNUSED) {
	static const struct {
		const char *url, *says;
	} wrong[] = {
		{"postgres://db/ftl",
		 "\"postgres://db/ftl\" is not the URL of a known kind of store; known are: sqlite:, memory:"},
		{"", "known are: sqlite:, memory:"},
		{"/data", "known are: sqlite:, memory:"},
		{"sqlite", "known are: sqlite:, memory:"},
		{"SQLite:/data", "known are: sqlite:, memory:"},
		{"sqlite:", "names no place"},
		{"memory:one", "nothing may follow \"memory:\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct store *store;
		struct error err;
		assert_int_equal(store_open(wrong[i].url, &store, &err), -1);
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		if (strstr(err.msg, wrong[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.msg, wrong[i].says);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(sqlite_is_a_folder_or_a_file),
		TEST(two_files_of_one_folder_are_not_open_at_once),
		TEST(memory_is_empty_each_time),
		TEST(says_what_is_wrong_with_a_url),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
