/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "cmocka_test.h"

#include "cli/project/files.h"
#include "folder.h"

static struct arena arena;

/* The files that one pattern stands for, with blanks between them; or what is wrong. */
static const char *expand(const char *pattern) {
	struct files files;
	struct error err;
	if (files_collect(".", &pattern, 1, &arena, &files, &err) < 0)
		return arena_strdup(&arena, str_from(err.msg));
	const char *list = "";
	for (size_t i = 0; i < files.count; i++)
		list = arena_printf(&arena, "%s%s%s", list, i > 0 ? " " : "", files.items[i].path);
	return list;
}

static int set_up(void **state) {
	static const char *const paths[] = {"main",          "a.py",          "b.py",       ".hidden.py",
					    "src/c.py",      "src/deep/d.py", "src/.git/x", "src/e.txt",
					    "data/1/k.json", "data/2/k.json"};
	if (enter_folder(state) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		put(paths[i], paths[i]);
	return 0;
}

static void expands_patterns(void **state UNUSED) {
	static const struct {
		const char *pattern, *files;
	} cases[] = {
		{"main", "main"},
		{"./main", "main"},
		{"*.py", "a.py b.py"},
		{"?.py", "a.py b.py"},
		{"[bc].py", "b.py"},
		{".*.py", ".hidden.py"},
		{"src/*.py", "src/c.py"},
		{"**/*.py", "a.py b.py src/c.py src/deep/d.py"},
		{"src/**/d.py", "src/deep/d.py"},
		{"src/**", "src/c.py src/deep/d.py src/e.txt"},
		{"data/*/k.json", "data/1/k.json data/2/k.json"},
		{"data", "data/1/k.json data/2/k.json"},
		{"data/", "data/1/k.json data/2/k.json"},
		{"d*", "data/1/k.json data/2/k.json"},
		/* A folder stands for all that is in it. */
		{"src", "src/.git/x src/c.py src/deep/d.py src/e.txt"},
		{".",
		 ".hidden.py a.py b.py data/1/k.json data/2/k.json main src/.git/x src/c.py src/deep/d.py src/e.txt"},
		{"./",
		 ".hidden.py a.py b.py data/1/k.json data/2/k.json main src/.git/x src/c.py src/deep/d.py src/e.txt"},
		{"none", ".: \"none\" in \"deploy\" stands for no file; was it built?"},
		{"main/x", ".: \"main/x\" in \"deploy\" stands for no file; was it built?"},
		{"*.rs", ".: \"*.rs\" in \"deploy\" stands for no file; was it built?"},
		{"**/none", ".: \"**/none\" in \"deploy\" stands for no file; was it built?"},
		{"../x",
		 ".: \"deploy\": the path \"../x\" has the part \"..\"; empty parts, \".\" and \"..\" are not allowed"},
		{"/etc/passwd",
		 ".: \"deploy\": the path \"/etc/passwd\" is absolute; give it relative to the module's folder"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(expand(cases[i].pattern), cases[i].files);
}

static void takes_each_file_once(void **state UNUSED) {
	static const char *const patterns[] = {"*.py", "a.py", "src", "src/c.py"};
	struct files files;
	assert_int_equal(files_collect(".", patterns, ARRAY_LEN(patterns), &arena, &files, NULL), 0);
	assert_int_equal(files.count, 6);
	assert_non_null(files_find(&files, "src/deep/d.py"));
	assert_null(files_find(&files, "src/deep"));
}

static void follows_links_that_stay_inside(void **state UNUSED) {
	assert_int_equal(symlink("src/c.py", "link.py"), 0);
	assert_int_equal(symlink("src/deep", "near"), 0);
	assert_string_equal(expand("link.py"), "link.py");
	assert_string_equal(expand("near"), "near/d.py");
	assert_string_equal(expand("near/*"), "near/d.py");
}

static void refuses_links_that_do_not(void **state UNUSED) {
	assert_int_equal(symlink("/etc/passwd", "out"), 0);
	assert_int_equal(symlink("/etc", "etc"), 0);
	assert_int_equal(symlink("gone", "nowhere"), 0);
	assert_int_equal(symlink(".", "src/up"), 0);
	assert_string_equal(expand("out"),
			    "./out is a link to /etc/passwd, outside of the module's folder; deploy a copy instead");
	assert_string_equal(expand("etc"),
			    "./etc is a link to /etc, outside of the module's folder; deploy a copy instead");
	assert_non_null(strstr(expand("etc/passwd"), "./etc is a link to /etc, outside"));
	assert_non_null(strstr(expand("e*/passwd"), "./etc is a link to /etc, outside"));
	assert_string_equal(expand("nowhere"), "./nowhere is a dangling link");
	assert_string_equal(expand("src"), "./src/up is a link to a folder that it is in");
	assert_string_equal(expand("src/**/c.py"), "src/c.py");
	assert_string_equal(expand("**/passwd"), ".: \"**/passwd\" in \"deploy\" stands for no file; was it built?");
}

static void a_folder_with_a_similar_name_is_outside(void **state UNUSED) {
	put("module/main", "x");
	put("module2/secret", "x");
	assert_int_equal(symlink("../module2/secret", "module/link"), 0);
	struct files files;
	struct error err;
	const char *pattern = "link";
	assert_int_equal(files_collect("module", &pattern, 1, &arena, &files, &err), -1);
	assert_non_null(strstr(err.msg, "outside of the module's folder"));
}

static void refuses_what_is_no_file(void **state UNUSED) {
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_string_equal(expand("pipe"), "./pipe is neither a file nor a folder");
}

static void has_a_limit_of_depth(void **state UNUSED) {
	char path[512] = "deep";
	for (int i = 0; i < FILES_DEPTH_MAX + 1; i++)
		strcat(path, "/d");
	put(strcat(path, "/file"), "x");
	assert_non_null(strstr(expand("deep"), "folders are nested deeper than 64"));
	assert_non_null(strstr(expand("**/file"), "folders are nested deeper than 64"));
}

static void hashes_what_is_there(void **state UNUSED) {
	struct file file = {.path = "main"}, missing = {.path = "gone"};
	struct digest digest;
	struct error err;
	digest_of(STR("main"), &digest);
	assert_int_equal(files_hash(".", &file, NULL), 0);
	assert_memory_equal(file.digest.bytes, digest.bytes, DIGEST_SIZE);
	assert_int_equal(file.size, 4);
	assert_false(file.executable);
	assert_int_equal(chmod("main", 0755), 0);
	assert_int_equal(files_hash(".", &file, NULL), 0);
	assert_true(file.executable);
	assert_int_equal(files_hash(".", &missing, &err), -1);
	assert_string_equal(err.msg, "could not open ./gone: No such file or directory");
}

static int free_arena(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

#define TREE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, leave_folder)

int main(void) {
	const struct CMUnitTest tests[] = {
		TREE_TEST(expands_patterns),
		TREE_TEST(takes_each_file_once),
		TREE_TEST(follows_links_that_stay_inside),
		TREE_TEST(refuses_links_that_do_not),
		TREE_TEST(a_folder_with_a_similar_name_is_outside),
		TREE_TEST(refuses_what_is_no_file),
		TREE_TEST(has_a_limit_of_depth),
		TREE_TEST(hashes_what_is_there),
	};
	arena_init(&arena, MIB(16));
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
