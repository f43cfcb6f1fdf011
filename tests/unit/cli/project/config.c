/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_test.h"

#include "cli/project/config.h"
#include "folder.h"

static struct arena arena;

static const char *endpoint(struct config_sources sources) {
	struct error err;
	const char *found;
	return config_endpoint(&sources, &arena, &found, &err) < 0 ? arena_strdup(&arena, str_from(err.msg)) : found;
}

static void each_place_beats_those_behind_it(void **state UNUSED) {
	put("config.toml", "endpoint = 'http://file:4'\n");
	struct config_sources sources = {"http://flag:1", "http://environment:2", "http://project:3", "config.toml"};
	assert_string_equal(endpoint(sources), "http://flag:1");
	sources.flag = NULL;
	assert_string_equal(endpoint(sources), "http://environment:2");
	sources.environment = NULL;
	assert_string_equal(endpoint(sources), "http://project:3");
	sources.project = NULL;
	assert_string_equal(endpoint(sources), "http://file:4");
	sources.file = NULL;
	assert_string_equal(endpoint(sources), CONFIG_ENDPOINT_DEFAULT);
}

static void an_empty_variable_is_none(void **state UNUSED) {
	assert_string_equal(endpoint((struct config_sources){.environment = "", .project = "http://project:3"}),
			    "http://project:3");
}

static void the_file_need_not_exist_or_say_anything(void **state UNUSED) {
	assert_string_equal(endpoint((struct config_sources){.file = "none.toml"}), CONFIG_ENDPOINT_DEFAULT);
	put("config.toml", "");
	assert_string_equal(endpoint((struct config_sources){.file = "config.toml"}), CONFIG_ENDPOINT_DEFAULT);
}

static void a_wrong_file_is_an_error_if_it_counts(void **state UNUSED) {
	put("config.toml", "\nendpoint = 3\n");
	struct config_sources sources = {.file = "config.toml"};
	assert_string_equal(endpoint(sources), "config.toml:2:12: \"endpoint\" must be a string that is not empty");
	sources.flag = "http://flag:1";
	assert_string_equal(endpoint(sources), "http://flag:1");
	put("config.toml", "endpoint = \"a\\u0000b\"\n");
	assert_string_equal(endpoint((struct config_sources){.file = "config.toml"}),
			    "config.toml:1:12: \"endpoint\" must be a string that is not empty");
}

static void paths_follow_the_specification(void **state UNUSED) {
	setenv("HOME", "/home/bob", 1);
	setenv("XDG_CONFIG_HOME", "/etc/bob", 1);
	assert_string_equal(config_path("XDG_CONFIG_HOME", ".config", "config.toml", &arena),
			    "/etc/bob/ftl/config.toml");
	setenv("XDG_CONFIG_HOME", "relative", 1);
	assert_string_equal(config_path("XDG_CONFIG_HOME", ".config", "config.toml", &arena),
			    "/home/bob/.config/ftl/config.toml");
	unsetenv("XDG_CONFIG_HOME");
	assert_string_equal(config_path("XDG_CONFIG_HOME", ".config", NULL, &arena), "/home/bob/.config/ftl");
	unsetenv("HOME");
	assert_null(config_path("XDG_CONFIG_HOME", ".config", "config.toml", &arena));
}

static void files_begin_in_the_folder_of_the_file(void **state UNUSED) {
	struct error err;
	struct config_file file;
	setenv("HOME", "/home/bob", 1);
	put("of/config.toml", "ca = 'ca.pem'\ncert = '~/mine.pem'\nkey = '/run/key.pem'\n");
	assert_int_equal(config_read("of/config.toml", &arena, &file, &err), 0);
	assert_null(file.endpoint);
	assert_string_equal(file.ca, "of/ca.pem");
	assert_string_equal(file.cert, "/home/bob/mine.pem");
	assert_string_equal(file.key, "/run/key.pem");
	put("of/config.toml", "endpoint = 'unix:run/b.sock'\n");
	assert_int_equal(config_read("of/config.toml", &arena, &file, &err), 0);
	assert_string_equal(file.endpoint, "unix:of/run/b.sock");
	assert_string_equal(config_resolve_endpoint("of/x.toml", "unix:/run/b.sock", &arena), "unix:/run/b.sock");
	assert_string_equal(config_resolve_endpoint("x.toml", "unix:run/b.sock", &arena), "unix:run/b.sock");
	assert_string_equal(config_resolve_endpoint("of/x.toml", "http://run/b.sock", &arena), "http://run/b.sock");
	assert_null(config_resolve_endpoint("of/x.toml", NULL, &arena));
	assert_int_equal(config_read("none.toml", &arena, &file, &err), 0);
	assert_null(file.ca);
	put("of/config.toml", "cert = ''\n");
	assert_int_equal(config_read("of/config.toml", &arena, &file, &err), -1);
	assert_string_equal(err.msg, "of/config.toml:1:8: \"cert\" must be a string that is not empty");
}

static int free_arena(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(each_place_beats_those_behind_it),
		FOLDER_TEST(an_empty_variable_is_none),
		FOLDER_TEST(the_file_need_not_exist_or_say_anything),
		FOLDER_TEST(a_wrong_file_is_an_error_if_it_counts),
		FOLDER_TEST(paths_follow_the_specification),
		FOLDER_TEST(files_begin_in_the_folder_of_the_file),
	};
	arena_init(&arena, MIB(1));
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
