/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timestamp.h"

#include "cmocka_test.h"

static void reads_and_prints(void **state UNUSED) {
	static const struct {
		const char *text;
		int64_t seconds;
		int32_t nanos;
		const char *printed;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
		{"1969-12-31T23:59:59.999999999Z", -1, 999999999, "1969-12-31T23:59:59.999999999Z"},
		{"2026-01-02T03:04:05.678Z", 1767323045, 678000000, "2026-01-02T03:04:05.678Z"},
		{"2026-01-02t05:04:05+02:00", 1767323045, 0, "2026-01-02T03:04:05Z"},
		{"2026-01-01T23:34:05-03:30", 1767323045, 0, "2026-01-02T03:04:05Z"},
		{"2024-02-29T12:00:00z", 1709208000, 0, "2024-02-29T12:00:00Z"},
		{"2000-02-29T00:00:00Z", 951782400, 0, "2000-02-29T00:00:00Z"},
		{"2016-12-31T23:59:60Z", 1483228800, 0, "2017-01-01T00:00:00Z"},
		{"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", 253402300799, 0, "9999-12-31T23:59:59Z"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct timestamp time = {0};
		assert_true(timestamp_parse(str_from(cases[i].text), &time));
		assert_true(time.seconds == cases[i].seconds);
		assert_int_equal(time.nanos, cases[i].nanos);
		char text[TIMESTAMP_TEXT_MAX];
		timestamp_format(text, time);
		assert_string_equal(text, cases[i].printed);
	}
}

static void refuses(void **state UNUSED) {
	static const char *const texts[] = {
		"",
		"2026-01-02",
		"2026-01-02T03:04:05",
		"2026-01-02 03:04:05Z",
		"2026-1-02T03:04:05Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-01-02T24:00:00Z",
		"2026-01-02T03:60:05Z",
		"2026-01-02T03:04:61Z",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05.1234567890Z",
		"2026-01-02T03:04:05+0200",
		"2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05Z ",
		"0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+01:00",
		"9999-12-31T23:59:59-01:00",
		"-001-01-01T00:00:00Z",
		"+2026-01-02T03:04:05Z",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (timestamp_parse(str_from(texts[i]), NULL))
			fail_msg("\"%s\" was taken for a time", texts[i]);
}

static void every_day_is_itself(void **state UNUSED) {
	for (int64_t day = -719162; day < 2932896; day += 61) {
		struct timestamp time = {.seconds = day * 86400 + 86399}, again;
		char text[TIMESTAMP_TEXT_MAX];
		timestamp_format(text, time);
		assert_true(timestamp_parse(str_from(text), &again));
		assert_true(again.seconds == time.seconds);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_prints),
		cmocka_unit_test(refuses),
		cmocka_unit_test(every_day_is_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
