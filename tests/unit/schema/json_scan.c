/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is JSON and what is not, after RFC 8259. The cases follow the kinds of JSONTestSuite: y is to be taken, n to be
 * refused.
 */
#include "schema/json_scan.h"

#include "cmocka_test.h"

static const char *problem_of(struct str text) {
	struct scanner scanner;
	scan_start(&scanner, text);
	if (scan_skip(&scanner) && scan_finish(&scanner)) {
		assert_null(scanner.problem);
		assert_int_equal(scanner.depth, 0);
		return NULL;
	}
	assert_non_null(scanner.problem);
	assert_int_equal(scan_peek(&scanner), SCAN_INVALID);
	return scanner.problem;
}

static const struct str taken[] = {
	STR_INIT("null"),
	STR_INIT("true"),
	STR_INIT("false"),
	STR_INIT(" \t\r\n1 \t\r\n"),
	/* numbers */
	STR_INIT("0"),
	STR_INIT("-0"),
	STR_INIT("-1"),
	STR_INIT("123"),
	STR_INIT("1.5"),
	STR_INIT("-0.1"),
	STR_INIT("0e1"),
	STR_INIT("1e5"),
	STR_INIT("1E5"),
	STR_INIT("1e+5"),
	STR_INIT("1e-5"),
	STR_INIT("1.5E+10"),
	STR_INIT("123456789012345678901234567890"),
	STR_INIT("1e400"),
	/* strings */
	STR_INIT("\"\""),
	STR_INIT("\"a\""),
	STR_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	STR_INIT("\"\\u0061\""),
	STR_INIT("\"\\uD83D\\uDE80\""),
	STR_INIT("\"\\uffff\""),
	STR_INIT("\"\xF0\x9F\x9A\x80\""),
	STR_INIT("\"\xE2\x80\xA8\""),
	STR_INIT("\"\x7F\""),
	STR_INIT("\"// no comment\""),
	/* arrays and objects */
	STR_INIT("[]"),
	STR_INIT("[ ]"),
	STR_INIT("[1,2]"),
	STR_INIT("[null , [[]] ]"),
	STR_INIT("{}"),
	STR_INIT("{\"a\":1}"),
	STR_INIT(" { \"a\" : [ ] , \"\" : { } } "),
	STR_INIT("{\"a\":1,\"a\":2}"),
};

static const struct {
	struct str text;
	const char *problem;
} refused[] = {
	{STR_INIT(""), "it ends too early"},
	{STR_INIT(" "), "it ends too early"},
	{STR_INIT("nul"), "expected null, true or false"},
	{STR_INIT("nulL"), "expected null, true or false"},
	{STR_INIT("True"), "expected a value"},
	{STR_INIT("tru"), "expected null, true or false"},
	{STR_INIT("NaN"), "expected a value"},
	{STR_INIT("Infinity"), "expected a value"},
	{STR_INIT("-Infinity"), "expected a digit"},
	{STR_INIT("'a'"), "expected a value"},
	{STR_INIT("a"), "expected a value"},
	{STR_INIT("1 2"), "something follows the value"},
	{STR_INIT("{}}"), "something follows the value"},
	{STR_INIT("[]// x"), "something follows the value"},
	{STR_INIT("1\0"), "not UTF-8"},
	{STR_INIT("\xEF\xBB\xBF{}"), "expected a value"},
	{STR_INIT("\f1"), "expected a value"},
	/* numbers */
	{STR_INIT("-"), "expected a digit"},
	{STR_INIT("+1"), "expected a value"},
	{STR_INIT("01"), "a number begins with 0"},
	{STR_INIT("-01"), "a number begins with 0"},
	{STR_INIT("00"), "a number begins with 0"},
	{STR_INIT("1."), "expected a digit"},
	{STR_INIT(".5"), "expected a value"},
	{STR_INIT("1.e5"), "expected a digit"},
	{STR_INIT("1e"), "expected a digit"},
	{STR_INIT("1e+"), "expected a digit"},
	{STR_INIT("1e5.5"), "something follows the value"},
	{STR_INIT("0x10"), "something follows the value"},
	{STR_INIT("1_000"), "something follows the value"},
	{STR_INIT("--1"), "expected a digit"},
	/* strings */
	{STR_INIT("\""), "it ends within a string"},
	{STR_INIT("\"a"), "it ends within a string"},
	{STR_INIT("\"a\\"), "it ends within a string"},
	{STR_INIT("\"\\x\""), "an unknown escape in a string"},
	{STR_INIT("\"\\a\""), "an unknown escape in a string"},
	{STR_INIT("\"\\u\""), "expected four hexadecimal digits after \\u"},
	{STR_INIT("\"\\u12\""), "expected four hexadecimal digits after \\u"},
	{STR_INIT("\"\\u123g\""), "expected four hexadecimal digits after \\u"},
	{STR_INIT("\"\\u123"), "expected four hexadecimal digits after \\u"},
	{STR_INIT("\"\\u0000\""), "a NUL in a string"},
	{STR_INIT("\"\\uD800\""), "half of a surrogate pair in a string"},
	{STR_INIT("\"\\uD800\\n\""), "half of a surrogate pair in a string"},
	{STR_INIT("\"\\uD800\\uD800\""), "half of a surrogate pair in a string"},
	{STR_INIT("\"\\uD800\\u"), "half of a surrogate pair in a string"},
	{STR_INIT("\"\\uDC00\""), "half of a surrogate pair in a string"},
	{STR_INIT("\"\n\""), "a control character in a string"},
	{STR_INIT("\"\t\""), "a control character in a string"},
	{STR_INIT("\"\x01\""), "a control character in a string"},
	{STR_INIT("\"\xFF\""), "not UTF-8"},
	{STR_INIT("\"\xC0\x80\""), "not UTF-8"},
	{STR_INIT("\"\xED\xA0\x80\""), "not UTF-8"},
	/* arrays and objects */
	{STR_INIT("["), "it ends too early"},
	{STR_INIT("[1"), "it ends too early"},
	{STR_INIT("[1,"), "it ends too early"},
	{STR_INIT("[1,]"), "expected a value"},
	{STR_INIT("[,1]"), "expected a value"},
	{STR_INIT("[1 2]"), "expected ',' or ']'"},
	{STR_INIT("[1}"), "expected ',' or ']'"},
	{STR_INIT("]"), "expected a value"},
	{STR_INIT("{"), "it ends too early"},
	{STR_INIT("{\"a\""), "expected ':'"},
	{STR_INIT("{\"a\":"), "it ends too early"},
	{STR_INIT("{\"a\":1"), "it ends too early"},
	{STR_INIT("{\"a\":1,"), "it ends too early"},
	{STR_INIT("{\"a\":1,}"), "expected a key in \""},
	{STR_INIT("{,}"), "expected a key in \""},
	{STR_INIT("{a:1}"), "expected a key in \""},
	{STR_INIT("{1:1}"), "expected a key in \""},
	{STR_INIT("{'a':1}"), "expected a key in \""},
	{STR_INIT("{\"a\" 1}"), "expected ':'"},
	{STR_INIT("{\"a\":1 \"b\":2}"), "expected ',' or '}'"},
	{STR_INIT("{\"a\":1]"), "expected ',' or '}'"},
};

static void takes_what_is_json(void **state UNUSED) {
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		const char *problem = problem_of(taken[i]);
		if (problem != NULL)
			fail_msg("%.*s: %s", STR_ARG(taken[i]), problem);
	}
}

static void refuses_what_is_not(void **state UNUSED) {
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const char *problem = problem_of(refused[i].text);
		if (problem == NULL || strcmp(problem, refused[i].problem) != 0)
			fail_msg("%.*s: %s", STR_ARG(refused[i].text), problem ? problem : "taken");
	}
}

static void keeps_to_its_depth(void **state UNUSED) {
	char text[2 * SCAN_DEPTH_MAX + 2];
	memset(text, '[', SCAN_DEPTH_MAX);
	memset(text + SCAN_DEPTH_MAX, ']', SCAN_DEPTH_MAX);
	assert_null(problem_of(str_new(text, (size_t)2 * SCAN_DEPTH_MAX)));
	memset(text, '[', SCAN_DEPTH_MAX + 1);
	memset(text + SCAN_DEPTH_MAX + 1, ']', SCAN_DEPTH_MAX + 1);
	assert_string_equal(problem_of(str_new(text, (size_t)2 * SCAN_DEPTH_MAX + 2)), "it is nested deeper than 100");
}

static void unescapes(void **state UNUSED) {
	static const char *const cases[][2] = {
		{"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
		{"a\\u0062c", "abc"},
		{"\\u00fc\\u20AC", "\xC3\xBC\xE2\x82\xAC"},
		{"\\uD83D\\uDE80!", "\xF0\x9F\x9A\x80!"},
		{"\\uFFFF", "\xEF\xBF\xBF"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[64];
		size_t len = scan_unescape(str_from(cases[i][0]), out);
		assert_int_equal(len, strlen(cases[i][1]));
		assert_memory_equal(out, cases[i][1], len);
	}
}

static void keeps_whole_numbers_exact(void **state UNUSED) {
	static const struct {
		const char *digits;
		bool fits;
		int64_t number;
	} cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"9007199254740993", true, 9007199254740993},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"10000000000000000000", false, 0},
		{"99999999999999999999999", false, 0},
		{"1.0", false, 0},
		{"1e3", false, 0},
		{"", false, 0},
		{"-", false, 0},
		{"x", false, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t number = 7;
		assert_int_equal(scan_to_int(str_from(cases[i].digits), &number), cases[i].fits);
		assert_true(number == (cases[i].fits ? cases[i].number : 7));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_json),        cmocka_unit_test(refuses_what_is_not),
		cmocka_unit_test(keeps_to_its_depth),        cmocka_unit_test(unescapes),
		cmocka_unit_test(keeps_whole_numbers_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
