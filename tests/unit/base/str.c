/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "cmocka_test.h"

#include "base/clock.h"

static void cuts_and_trims(void **state UNUSED) {
	struct str rest;
	assert_true(str_eq(str_cut(STR("echo.echo"), '.', &rest), STR("echo")));
	assert_true(str_eq(rest, STR("echo")));
	assert_true(str_eq(str_cut(STR("echo"), '.', &rest), STR("echo")));
	assert_null(rest.ptr);
	assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
	assert_int_equal(str_trim(STR("  ")).len, 0);
}

static void tells_text_from_bytes(void **state UNUSED) {
	static const struct {
		struct str bytes;
		bool text;
	} cases[] = {
		{STR_INIT("plain"), true},
		{STR_INIT("gr\xC3\xBC\xC3\x9F"), true},
		{STR_INIT("\xF0\x9F\x9A\x80"), true},
		{STR_INIT(""), true},
		{STR_INIT("a\0b"), false},
		{STR_INIT("\xC0\x80"), false}, /* overlong NUL */
		{STR_INIT("\xED\xA0\x80"), false}, /* surrogate */
		{STR_INIT("\xF4\x90\x80\x80"), false}, /* past U+10FFFF */
		{STR_INIT("\xE2\x82"), false}, /* cut short */
		{STR_INIT("\x80"), false},
		{STR_INIT("\xFF"), false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(str_is_text(cases[i].bytes), cases[i].text);
}

static void counts_edits(void **state UNUSED) {
	assert_int_equal(str_distance(STR("echo"), STR("echo"), 9), 0);
	assert_int_equal(str_distance(STR("echo"), STR("ehco"), 9), 1);
	assert_int_equal(str_distance(STR("echo"), STR("echoes"), 9), 2);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 9), 3);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 2);
	assert_int_equal(str_distance(STR(""), STR("abc"), 9), 3);
	assert_int_equal(str_distance(STR(""), STR("abc"), 2), 2);
	assert_int_equal(str_distance(STR("abc"), STR("abc"), 1), 0);
	assert_int_equal(str_distance(STR("abc"), STR("abd"), 0), 0);
	assert_int_equal(str_distance(STR("abc"), STR("xyz"), SIZE_MAX), 3);
}

/* A limit leaves work out, and nothing else. */
static void a_limit_changes_no_distance_below_it(void **state UNUSED) {
	uint32_t random = 1;
	for (size_t round = 0; round < 20000; round++) {
		char a[12], b[12];
		size_t a_len = 0, b_len = 0;
		for (size_t i = 0; i < sizeof a; i++) {
			random = random * 1103515245 + 12345;
			a[i] = (char)('a' + (random >> 16) % 3);
			b[i] = (random >> 20) % 4 ? a[i] : (char)('a' + (random >> 24) % 3);
			a_len = 4 + (random >> 18) % 9;
			b_len = 4 + (random >> 22) % 9;
		}
		size_t whole = str_distance(str_new(a, a_len), str_new(b, b_len), 64);
		for (size_t limit = 0; limit < 8; limit++)
			assert_int_equal(str_distance(str_new(a, a_len), str_new(b, b_len), limit), MIN(whole, limit));
	}
}

static void reads_numbers(void **state UNUSED) {
	uint64_t number = 7;
	assert_true(str_to_u64(STR("0012"), &number));
	assert_int_equal(number, 12);
	assert_false(str_to_u64(STR(""), &number));
	assert_false(str_to_u64(STR("-1"), &number));
	assert_false(str_to_u64(STR("1x"), &number));
	assert_false(str_to_u64(STR("10000000000000000000"), &number));
	assert_int_equal(number, 12);
}

static void reads_and_prints_durations(void **state UNUSED) {
	uint64_t ms;
	assert_true(duration_parse("30s", &ms) && ms == 30000);
	assert_true(duration_parse("500ms", &ms) && ms == 500);
	assert_true(duration_parse("2m", &ms) && ms == 120000);
	assert_true(duration_parse("10", &ms) && ms == 10000);
	assert_false(duration_parse("", &ms));
	assert_false(duration_parse("s", &ms));
	assert_false(duration_parse("1.5s", &ms));
	assert_false(duration_parse("999999999999999d", &ms));
	char text[TIME_TEXT_MAX];
	duration_format(text, 1999);
	assert_string_equal(text, "1999 ms");
	duration_format(text, 185000);
	assert_string_equal(text, "3 min");
	time_format(text, 1767323045678);
	assert_string_equal(text, "2026-01-02T03:04:05.678Z");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_and_trims),	cmocka_unit_test(tells_text_from_bytes),
		cmocka_unit_test(counts_edits),		cmocka_unit_test(a_limit_changes_no_distance_below_it),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_and_prints_durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
