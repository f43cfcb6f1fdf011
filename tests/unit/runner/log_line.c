/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../cmocka_test.h"

#include "base/memory.h"
#include "runner/log_line.h"

/* --- bytes to lines ----------------------------------------------------------------------------------------------- */

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

/* --- a line to what it says --------------------------------------------------------------------------------------- */

static void assert_reads(const char *text, int64_t time_ms, enum log_level level, const char *message,
			 const char *attributes) {
	struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
	struct log_line line;
	log_line_read(str_from(text), 5, LOG_WARN, &arena, &line);
	assert_int_equal(line.time_ms, time_ms);
	assert_int_equal(line.level, level);
	assert_string_equal(line.message, message);
	assert_string_equal(line.attributes, attributes);
	arena_deinit(&arena);
}

static void reads_what_lines_say(void **state UNUSED) {
	assert_reads("plain {\"a\":1}", 5, LOG_WARN, "plain {\"a\":1}", "");
	assert_reads("{\"level\":\"info\",\"message\":\"hi\"}", 5, LOG_INFO, "hi", "");
	assert_reads("{\"level\":\"CRITICAL\",\"msg\":\"hi\",\"n\":1,\"o\":{\"p\":[]}}", 5, LOG_ERROR, "hi",
		     "{\"n\":1,\"o\":{\"p\":[]}}");
	assert_reads("{\"time\":\"1970-01-01T00:00:01.5Z\",\"msg\":\"m\"}", 1500, LOG_WARN, "m", "");
	/* What is not understood is kept. */
	assert_reads("{\"level\":30,\"time\":\"now\",\"message\":1}", 5, LOG_WARN, "",
		     "{\"level\":30,\"time\":\"now\",\"message\":1}");
	assert_reads("{\"message\":\"a\",\"msg\":\"b\"}", 5, LOG_WARN, "a", "{\"msg\":\"b\"}");
	assert_reads("{not json", 5, LOG_WARN, "{not json", "");
	assert_reads("[1]", 5, LOG_WARN, "[1]", "");
}

static void parses_times(void **state UNUSED) {
	static const struct {
		const char *text;
		int64_t ms; /* -1: it is none */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-01-02T03:04:05.678+01:00", 1767319445678},
		{"2026-01-02T02:04:05.678912345z", 1767319445678},
		{"2026-01-02T00:04:05-02:30", 1767321245000},
		{"2026-01-02", -1},
		{"2026-01-02T03:04:05", -1},
		{"2026-01-02T03:04:05Zx", -1},
		{"2026-01-02T03:04:05+1", -1},
		{"", -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1;
		assert_int_equal(time_parse(str_from(cases[i].text), &ms), cases[i].ms >= 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(splits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(repairs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts_what_is_too_long, set_up, tear_down),
		cmocka_unit_test(reads_what_lines_say),
		cmocka_unit_test(parses_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
