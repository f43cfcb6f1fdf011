/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "base/text.h"

static void assert_becomes(void (*function)(struct buf *, struct str), struct str bytes, const char *expected) {
	struct buf text = BUF_INIT(bytes.len * 6 + 3);
	function(&text, bytes);
	assert_int_equal(buf_append(&text, str_new("", 1)), 0);
	assert_string_equal(buf_view(&text).ptr, expected);
	buf_deinit(&text);
}

#define REPLACED "\xEF\xBF\xBD"

static void repairs(void **state UNUSED) {
	assert_becomes(text_repair, STR(""), "");
	assert_becomes(text_repair, STR("plain \xC3\xA9 \xF0\x9F\x8E\x89"), "plain \xC3\xA9 \xF0\x9F\x8E\x89");
	assert_becomes(text_repair, STR("a\xFFz"), "a" REPLACED "z");
	assert_becomes(text_repair, STR("cut \xE2\x82"), "cut " REPLACED REPLACED);
	assert_becomes(text_repair, STR("surrogate \xED\xA0\x80"), "surrogate " REPLACED REPLACED REPLACED);
	assert_becomes(text_repair, STR("overlong \xC0\xAF"), "overlong " REPLACED REPLACED);
	assert_becomes(text_repair, STR("nul \0."), "nul " REPLACED ".");
	assert_becomes(text_repair, STR("\n\t\x7F"), "\n\t\x7F");
}

static void quotes(void **state UNUSED) {
	assert_becomes(text_quote, STR(""), "\"\"");
	assert_becomes(text_quote, STR("O\"Brien\\"), "\"O\\\"Brien\\\\\"");
	assert_becomes(text_quote, STR("a\nb\tc\x01\0"), "\"a\\nb\\tc\\u0001\\u0000\"");
	assert_becomes(text_quote, STR("\x7F/\xE2\x80\xA8"), "\"\x7F/\xE2\x80\xA8\"");
	assert_becomes(text_quote, STR("\xFF\xC3"), "\"" REPLACED REPLACED "\"");
}

static void cuts_at_a_character(void **state UNUSED) {
	struct str text = STR("a\xC3\xA9\xE2\x82\xAC");
	static const size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6};
	for (size_t max = 0; max < ARRAY_LEN(lengths); max++)
		assert_int_equal(text_cut(text, max).len, lengths[max]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repairs),
		cmocka_unit_test(quotes),
		cmocka_unit_test(cuts_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
