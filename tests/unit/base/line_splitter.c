/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/line_splitter.h"
#include "base/memory.h"

struct lines {
	struct line_splitter splitter;
	struct buf text; /* the lines, each with "|" behind it */
};

static void on_line(void *data, struct str line) {
	struct lines *lines = data;
	int over = buf_append(&lines->text, line);
	assert_int_equal(over | buf_append(&lines->text, STR("|")), 0);
}

static int set_up(void **state) {
	struct lines *lines = mem_zalloc(sizeof *lines);
	line_splitter_init(&lines->splitter);
	lines->text = BUF_INIT(MIB(1));
	*state = lines;
	return 0;
}

static int tear_down(void **state) {
	struct lines *lines = *state;
	line_splitter_deinit(&lines->splitter);
	buf_deinit(&lines->text);
	free(lines);
	return 0;
}

static void feed(struct lines *lines, struct str bytes) {
	line_splitter_feed(&lines->splitter, bytes, on_line, lines);
}

static void assert_lines(struct lines *lines, const char *expected) {
	line_splitter_end(&lines->splitter, on_line, lines);
	assert_int_equal(buf_append(&lines->text, str_new("", 1)), 0);
	assert_string_equal(buf_view(&lines->text).ptr, expected);
}

static void splits(void **state) {
	feed(*state, STR("one\ntwo\r\n\n\nthr"));
	feed(*state, STR("ee"));
	feed(*state, STR("\nfour"));
	assert_lines(*state, "one|two|three|four|");
}

static void flushes_what_has_begun(void **state) {
	struct lines *lines = *state;
	feed(lines, STR("one\nName: "));
	assert_true(line_splitter_has_begun(&lines->splitter));
	line_splitter_flush(&lines->splitter, on_line, lines);
	assert_false(line_splitter_has_begun(&lines->splitter));
	line_splitter_flush(&lines->splitter, on_line, lines); /* of nothing there is no line */
	feed(lines, STR("Bob\ncaf\xC3"));
	line_splitter_flush(&lines->splitter, on_line, lines);
	feed(lines, STR("\xA9\n\xE2\x82"));
	line_splitter_flush(&lines->splitter, on_line, lines); /* an incomplete character alone waits */
	feed(lines, STR("\xAC\n"));
	assert_lines(lines, "one|Name: |Bob|caf|\xC3\xA9|\xE2\x82\xAC|");
}

static void repairs(void **state) {
	feed(*state, STR("a\xFF\xC3\xA9\xE2\x82\0b\x1B[0m\tc\n"));
	assert_lines(*state, "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
			     "b [0m\tc|");
}

static void cuts_what_is_too_long(void **state) {
	char *piece = mem_alloc(1000);
	memset(piece, 'x', 1000);
	for (int i = 0; i < 20; i++)
		feed(*state, str_new(piece, 1000));
	feed(*state, STR("\nnext\n"));
	free(piece);
	struct lines *lines = *state;
	struct str text = buf_view(&lines->text);
	assert_true(str_ends_with(text, STR("x… (3616 more bytes)|next|")));
	assert_int_equal(text.len, LOG_LINE_MAX + sizeof "… (3616 more bytes)|next|" - 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(splits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flushes_what_has_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(repairs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts_what_is_too_long, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
