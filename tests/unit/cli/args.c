/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/log.h"
#include "cli/args.h"

struct options {
	struct common_options common;
	const char *list[ARGS_LIST_MAX + 1];
	bool flag;
	const char *text;
	uint64_t duration_ms, size;
	unsigned count;
	enum log_level level;
};

static const struct args_option table[] = {
	{.name = "flag", .letter = 'f', .kind = ARGS_FLAG, .offset = offsetof(struct options, flag)},
	{.name = "text", .kind = ARGS_TEXT, .offset = offsetof(struct options, text), .standard = "word"},
	{.name = "list", .kind = ARGS_LIST, .offset = offsetof(struct options, list)},
	{.name = "duration", .kind = ARGS_DURATION, .offset = offsetof(struct options, duration_ms), .standard = "2m"},
	{.name = "size",
	 .letter = 's',
	 .kind = ARGS_SIZE,
	 .offset = offsetof(struct options, size),
	 .standard = "1KiB"},
	{.name = "count", .kind = ARGS_COUNT, .offset = offsetof(struct options, count), .standard = "7"},
	{.name = "level", .kind = ARGS_LEVEL, .offset = offsetof(struct options, level), .standard = "warn"},
};

static const struct command command = {
	.name = "test",
	.operands = "A [B]",
	.operands_min = 1,
	.operands_max = 2,
	.options = table,
	.option_count = ARRAY_LEN(table),
	.options_size = sizeof(struct options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
};

static struct arena arena;
static struct options options;
static const char *first_operand;

/* Parses a line of words; returns what is wrong with it, "" when nothing is. */
static const char *parse(const char *line) {
	char *argv[16] = {0};
	int argc = 0;
	for (struct str rest = str_from(line); rest.ptr != NULL && argc < 15;)
		argv[argc++] = arena_strdup(&arena, str_cut(rest, ' ', &rest));
	struct error err;
	void *parsed;
	int first;
	if (args_parse(&command, argc, argv, &arena, &parsed, &first, &err) < 0)
		return arena_strdup(&arena, str_from(err.msg));
	options = *(struct options *)parsed;
	first_operand = argv[first];
	return "";
}

static void gives_defaults(void **state UNUSED) {
	assert_string_equal(parse("test a"), "");
	assert_false(options.flag);
	assert_string_equal(options.text, "word");
	assert_int_equal(options.duration_ms, 120000);
	assert_int_equal(options.size, 1024);
	assert_int_equal(options.count, 7);
	assert_int_equal(options.level, LOG_WARN);
	assert_null(options.common.endpoint);
	assert_int_equal(options.common.output, FORMAT_TABLE);
}

static void reads_every_kind(void **state UNUSED) {
	assert_string_equal(parse("test -fs 2MB --text= --text x a --duration=500ms --count 0 --level debug -o json "
				  "--endpoint unix:/s b"),
			    "--text is \"\"; it must be a value that is not empty");
	assert_string_equal(parse("test -fs 2MB --text x a --duration=500ms --count 0 --level debug -o json "
				  "--endpoint unix:/s b"),
			    "");
	assert_true(options.flag);
	assert_string_equal(options.text, "x");
	assert_int_equal(options.duration_ms, 500);
	assert_int_equal(options.size, 2000000);
	assert_int_equal(options.count, 0);
	assert_int_equal(options.level, LOG_DEBUG);
	assert_int_equal(options.common.output, FORMAT_JSON);
	assert_string_equal(options.common.endpoint, "unix:/s");
	assert_string_equal(first_operand, "a");
}

static void a_list_keeps_all_that_is_given(void **state UNUSED) {
	assert_string_equal(parse("test a"), "");
	assert_null(options.list[0]);
	assert_string_equal(parse("test --list one a --list=two"), "");
	assert_string_equal(options.list[0], "one");
	assert_string_equal(options.list[1], "two");
	assert_null(options.list[2]);
	assert_string_equal(parse("test a --list="),
			    "--list is \"\"; it must be a value that is not empty, and one of 32 at most");
}

static void a_double_dash_ends_options(void **state UNUSED) {
	assert_string_equal(parse("test -- -f"), "");
	assert_false(options.flag);
	assert_string_equal(first_operand, "-f");
	assert_string_equal(parse("test -"), "");
	assert_string_equal(first_operand, "-");
}

static void a_negative_number_is_an_operand(void **state UNUSED) {
	assert_string_equal(parse("test -5"), "");
	assert_string_equal(first_operand, "-5");
	assert_string_equal(parse("test -f -.5e3"), "");
	assert_true(options.flag);
	assert_string_equal(first_operand, "-.5e3");
	/* Not where an option wants a value, and not after "--", which changes no word. */
	assert_string_equal(parse("test a -fs -1"), "--size is \"-1\"; it must be a size such as 64MiB or 1MB");
	assert_string_equal(parse("test -- -5"), "");
	assert_string_equal(first_operand, "-5");
	assert_string_equal(parse("test a -x5"), "there is no option -x");
	assert_string_equal(parse("test a -.x"), "there is no option -.");
}

static void help_wants_no_operands(void **state UNUSED) {
	assert_string_equal(parse("test --help"), "");
	assert_true(options.common.help);
	assert_string_equal(parse("test"), "an argument is missing: A [B]");
	assert_string_equal(parse("test a b c"), "\"c\" is one argument too many");
}

static void names_what_is_wrong(void **state UNUSED) {
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"test a --flog", "there is no option --flog; did you mean --flag?"},
		{"test a --flag=1", "--flag takes no value"},
		{"test a -x", "there is no option -x"},
		{"test a -fx", "there is no option -x"},
		{"test a --size", "--size needs a value: a size such as 64MiB or 1MB"},
		{"test a -s", "--size needs a value: a size such as 64MiB or 1MB"},
		{"test a -s x", "--size is \"x\"; it must be a size such as 64MiB or 1MB"},
		{"test a --count -1", "--count is \"-1\"; it must be a number from 0 to 100000"},
		{"test a --count 100001", "--count is \"100001\"; it must be a number from 0 to 100000"},
		{"test a --level loud", "--level is \"loud\"; it must be \"debug\", \"info\", \"warn\" or \"error\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(parse(cases[i].line), cases[i].error);
}

static int free_arena(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_defaults),
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(a_list_keeps_all_that_is_given),
		cmocka_unit_test(a_double_dash_ends_options),
		cmocka_unit_test(a_negative_number_is_an_operand),
		cmocka_unit_test(help_wants_no_operands),
		cmocka_unit_test(names_what_is_wrong),
	};
	arena_init(&arena, MIB(1));
	return cmocka_run_group_tests(tests, NULL, free_arena);
}
