/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "base/path.h"
#include "runner/layout.h"

struct world {
	struct layout layout;
	struct error err;
	char folder[32];
};

static int set_up(void **state) {
	struct world *world = mem_zalloc(sizeof *world);
	strcpy(world->folder, "/tmp/ftl-layout-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	layout_init(&world->layout, world->folder);
	*state = world;
	return 0;
}

static int tear_down(void **state) {
	struct world *world = *state;
	layout_deinit(&world->layout);
	assert_int_equal(path_remove_tree(world->folder, &world->err), 0);
	free(world);
	return 0;
}

static struct digest_hex hex_of(const char *content) {
	struct digest digest;
	digest_of(str_from(content), &digest);
	return digest_to_hex(&digest);
}

static int add(struct world *world, const char *path, const char *content, bool executable) {
	return layout_add(&world->layout, str_from(hex_of(content).text), str_from(path), executable, &world->err);
}

static int put(struct world *world, const char *path, const char *content, const char *chunk) {
	return layout_write(&world->layout, str_from(hex_of(content).text), str_from(path), str_from(chunk),
			    &world->err);
}

static int finish(struct world *world) {
	return layout_finish(&world->layout, &world->err);
}

static int check(struct world *world) {
	int more;
	do
		more = layout_check_step(&world->layout, &world->err);
	while (more > 0);
	return more;
}

static char *path_of(struct world *world, const char *name) {
	return mem_printf("%s/%s", world->folder, name);
}

static void assert_mode(struct world *world, const char *name, unsigned mode) {
	char *path = path_of(world, name);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, mode);
	free(path);
}

static void lays_out_files(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "main", "abc", true), 0);
	assert_int_equal(add(world, "data/deep/file", "", false), 0);
	assert_int_equal(add(world, "copy", "abc", false), 0);
	assert_int_equal(put(world, "main", "abc", "a"), 0);
	assert_int_equal(put(world, "main", "abc", "bc"), 0);
	assert_int_equal(put(world, "data/deep/file", "", ""), 0);
	assert_int_equal(put(world, "copy", "abc", "abc"), 0);
	assert_int_equal(finish(world), 0);
	assert_int_equal(check(world), 0);
	assert_mode(world, "main", 0700);
	assert_mode(world, "copy", 0600);
	assert_mode(world, "data/deep", 0700);
}

static void refuses_what_was_not_announced(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "main", "abc", false), 0);
	assert_int_equal(put(world, "other", "abc", "abc"), -1);
	assert_int_equal(put(world, "main", "xyz", "xyz"), -1);
	assert_int_equal(put(world, "../main", "abc", "abc"), -1);
	assert_int_equal(finish(world), -1);
	assert_non_null(strstr(world->err.msg, "did not send the file \"main\""));
}

static void refuses_paths(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "../x", "", false), -1);
	assert_int_equal(add(world, "/x", "", false), -1);
	assert_int_equal(add(world, "a//x", "", false), -1);
	assert_int_equal(add(world, "x", "", false), 0);
	assert_int_equal(add(world, "x", "", false), -1);
	assert_non_null(strstr(world->err.msg, "comes twice"));
}

static void refuses_another_content(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "a", "abc", false), 0);
	assert_int_equal(put(world, "a", "abc", "abd"), 0);
	assert_int_equal(finish(world), -1);
	assert_int_equal(world->err.code, CODE_DATA_LOSS);
	assert_non_null(strstr(world->err.msg, "as it came"));
}

static void refuses_pieces_among_others(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "a", "abc", false), 0);
	assert_int_equal(add(world, "b", "b", false), 0);
	assert_int_equal(put(world, "a", "abc", "abc"), 0);
	assert_int_equal(put(world, "b", "b", "b"), 0);
	assert_int_equal(put(world, "a", "abc", ""), -1);
	assert_non_null(strstr(world->err.msg, "in pieces"));
}

static void does_not_follow_links(void **state) {
	struct world *world = *state;
	char *path = path_of(world, "a");
	assert_int_equal(symlink("/tmp/ftl-layout-elsewhere", path), 0);
	free(path);
	assert_int_equal(add(world, "a", "abc", false), 0);
	assert_int_equal(put(world, "a", "abc", "abc"), -1);
	assert_int_equal(access("/tmp/ftl-layout-elsewhere", F_OK), -1);
}

static void finds_what_changed_on_disk(void **state) {
	struct world *world = *state;
	assert_int_equal(add(world, "a", "abc", false), 0);
	assert_int_equal(put(world, "a", "abc", "abc"), 0);
	assert_int_equal(finish(world), 0);
	char *path = path_of(world, "a");
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs("d", file);
	fclose(file);
	free(path);
	assert_int_equal(check(world), -1);
	assert_int_equal(world->err.code, CODE_DATA_LOSS);
	assert_non_null(strstr(world->err.msg, "on disk"));
}

#define LAYOUT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		LAYOUT_TEST(lays_out_files),
		LAYOUT_TEST(refuses_what_was_not_announced),
		LAYOUT_TEST(refuses_paths),
		LAYOUT_TEST(refuses_another_content),
		LAYOUT_TEST(refuses_pieces_among_others),
		LAYOUT_TEST(does_not_follow_links),
		LAYOUT_TEST(finds_what_changed_on_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
