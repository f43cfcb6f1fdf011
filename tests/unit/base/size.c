/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "base/size.h"

static void parses(void **state UNUSED) {
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"17B", 17},
		{"64MiB", 64 << 20},
		{"4GiB", 4ull << 30},
		{"1MB", 1000000},
		{"1 KB", 1000},
		{"2TiB", 2ull << 40},
		{"16777215TiB", 16777215ull << 40},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t bytes;
		assert_true(size_parse(good[i].text, &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void refuses(void **state UNUSED) {
	static const char *const bad[] = {
		"", "MiB", "-1", "1.5MB", "1mb", "1 ", "1  KB", "16777216TiB", "1KiBs", " 1", "99999999999999999999"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t bytes;
		assert_false(size_parse(bad[i], &bytes));
	}
}

static void formats(void **state UNUSED) {
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 bytes"},         {1, "1 byte"},
		{999, "999 bytes"},     {1000, "1 KB"},
		{1449, "1.4 KB"},       {212345, "212 KB"},
		{1400000, "1.4 MB"},    {9990000, "9.9 MB"},
		{25900000000, "25 GB"}, {UINT64_MAX, "18446744 TB"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[SIZE_TEXT_MAX];
		size_format(text, cases[i].bytes);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
