/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <sys/stat.h>

#include "cmocka_test.h"

#include "cli/project/project.h"
#include "folder.h"

static struct arena arena;

/* What is wrong with an ftl.toml; "" when nothing is. */
static const char *wrong_with(const char *text) {
	struct project project;
	struct error err;
	put("ftl.toml", text);
	return project_read(".", &arena, &project, &err) < 0 ? arena_strdup(&arena, str_from(err.msg)) : "";
}

static void reads_all_settings(void **state UNUSED) {
	struct project project;
	put("echo/ftl.toml",
	    "module = 'echo'\nlanguage = 'c'\nbuild = 'make'\ndeploy = ['main', 'data/*']\nentry = 'run'\n"
	    "bind = 'unix'\nschema = 'gen/echo.ftl'\nendpoint = 'http://h:1'\n");
	assert_int_equal(project_read("echo", &arena, &project, NULL), 0);
	assert_string_equal(project.file, "echo/ftl.toml");
	assert_string_equal(project.module, "echo");
	assert_string_equal(project.language, "c");
	assert_string_equal(project.build, "make");
	assert_int_equal(project.deploy_count, 2);
	assert_string_equal(project.deploy[1], "data/*");
	assert_string_equal(project.entry, "run");
	assert_string_equal(project.bind, "unix");
	assert_string_equal(project.schema, "gen/echo.ftl");
	assert_string_equal(project.endpoint, "http://h:1");
}

static void has_defaults(void **state UNUSED) {
	struct project project;
	put("ftl.toml", "module = 'echo'\nbind = ''\n");
	assert_int_equal(project_read(".", &arena, &project, NULL), 0);
	assert_string_equal(project.file, "ftl.toml");
	assert_null(project.language);
	assert_null(project.build);
	assert_int_equal(project.deploy_count, 0);
	assert_string_equal(project.entry, "main");
	assert_string_equal(project.bind, "");
	assert_string_equal(project.schema, "echo.ftl");
	assert_null(project.endpoint);
}

static void names_what_is_wrong(void **state UNUSED) {
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "ftl.toml: the module has no name; add: module = \"NAME\""},
		{"module = ''", "ftl.toml:1:10: \"module\" must be a string that is not empty"},
		{"module = ['a']", "ftl.toml:1:10: \"module\" must be a string that is not empty"},
		{"module = 'a'\nmodule = 'b'", "ftl.toml:2:10: "},
		{"module = 'a'\ndeploy = ['x', '']",
		 "ftl.toml:2:16: \"deploy\" must be an array of strings that are not empty"},
		{"module = 'a'\n[deploy]\n", "ftl.toml:2:1: \"deploy\" must be an array of strings that are not empty"},
		{"modul = 'a'", "ftl.toml:1:1: there is no setting \"modul\"; did you mean \"module\"?"},
		{"zzz = 1\nabc = 2", "ftl.toml:1:1: there is no setting \"zzz\""},
		{"module = 'a'\n[env]\nx = 1", "ftl.toml:2:2: there is no setting \"env\""},
		{"module = 'a'\n\xFF = 1", "ftl.toml:1:13: "},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *wrong = wrong_with(cases[i].text);
		size_t len = strlen(cases[i].error);
		bool is_start = cases[i].error[len - 1] == ' ';
		if (is_start ? strncmp(wrong, cases[i].error, len) != 0 : strcmp(wrong, cases[i].error) != 0)
			fail_msg("\"%s\" gives \"%s\" and not \"%s\"", cases[i].text, wrong, cases[i].error);
	}
}

static void says_that_there_is_none(void **state UNUSED) {
	struct project project;
	struct error err;
	assert_int_equal(project_read("nowhere", &arena, &project, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_string_equal(err.msg, "could not find the folder nowhere: No such file or directory");
	assert_int_equal(mkdir("empty", 0700), 0);
	assert_int_equal(project_read("empty", &arena, &project, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_non_null(strstr(err.msg, "there is no empty/ftl.toml, so empty is not a module's folder"));
}

static int free_arena(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(reads_all_settings),
		FOLDER_TEST(has_defaults),
		FOLDER_TEST(names_what_is_wrong),
		FOLDER_TEST(says_that_there_is_none),
	};
	arena_init(&arena, MIB(1));
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
