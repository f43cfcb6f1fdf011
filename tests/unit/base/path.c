/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/memory.h"

static void refuses_paths_that_leave_the_folder(void **state UNUSED) {
	static const struct str bad[] = {
		STR_INIT(""),         STR_INIT("/etc/passwd"), STR_INIT(".."),        STR_INIT("../x"),
		STR_INIT("a/../b"),   STR_INIT("a/.."),        STR_INIT("a//b"),      STR_INIT("a/"),
		STR_INIT("./a"),      STR_INIT("a/."),         STR_INIT("a\0b"),      STR_INIT("a\\b"),
		STR_INIT("\xFF\xFE"), STR_INIT("a\nb"),        STR_INIT("a\x1B[2Jb"), STR_INIT("a\x7F"),
	};
	struct error err;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(path_check_relative(bad[i], &err), -1);
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
	}
	char long_path[ARTEFACT_PATH_MAX + 2];
	for (size_t i = 0; i < sizeof long_path; i++)
		long_path[i] = i % 100 == 99 ? '/' : 'a';
	assert_int_equal(path_check_relative(str_new(long_path, ARTEFACT_PATH_MAX + 1), &err), -1);
	assert_non_null(strstr(err.msg, "1025 bytes; at most 1024"));
	assert_int_equal(path_check_relative(str_new(long_path, ARTEFACT_PATH_MAX), &err), 0);
	memset(long_path, 'a', 300);
	assert_int_equal(path_check_relative(str_new(long_path, 300), &err), -1);
	assert_int_equal(path_check_relative(STR("main"), &err), 0);
	assert_int_equal(path_check_relative(STR("lib/..a/b..c/gr\xC3\xBC\xC3\x9F"), &err), 0);
}

static void writes_whole_and_removes_all(void **state UNUSED) {
	char root[] = "/tmp/ftl-path-XXXXXX";
	assert_non_null(mkdtemp(root));
	struct error err;
	char *folder = mem_printf("%s/a/b/c", root);
	char *file = mem_printf("%s/file", folder);
	assert_int_equal(path_make_folders(folder, &err), 0);
	assert_int_equal(path_make_folders(folder, &err), 0);
	assert_int_equal(file_write_whole(file, STR("first"), 0600, &err), 0);
	assert_int_equal(file_write_whole(file, STR("second"), 0755, &err), 0);
	struct stat status;
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0755);
	char *bytes;
	size_t len;
	assert_int_equal(file_read(file, 100, &bytes, &len, &err), 0);
	assert_string_equal(bytes, "second");
	free(bytes);
	assert_int_equal(file_read(file, 5, &bytes, &len, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_int_equal(path_make_folders(file, &err), 0);
	assert_int_equal(path_remove_tree(root, &err), 0);
	assert_int_equal(access(root, F_OK), -1);
	assert_int_equal(path_remove_tree(root, &err), 0);
	assert_int_equal(file_read(file, 5, &bytes, &len, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	free(folder);
	free(file);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_paths_that_leave_the_folder),
		cmocka_unit_test(writes_whole_and_removes_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
