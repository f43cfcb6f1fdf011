/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "runner/log_line.h"

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

static void reads_time_level_message_and_attributes(void **state UNUSED) {
	assert_reads("plain {\"a\":1}", 5, LOG_WARN, "plain {\"a\":1}", "");
	assert_reads("{\"level\":\"info\",\"message\":\"hi\"}", 5, LOG_INFO, "hi", "");
	assert_reads("{\"level\":\"CRITICAL\",\"msg\":\"hi\",\"n\":1,\"o\":{\"p\":[]}}", 5, LOG_ERROR, "hi",
		     "{\"n\":1,\"o\":{\"p\":[]}}");
	assert_reads("{\"time\":\"1970-01-01T00:00:01.5Z\",\"msg\":\"m\"}", 1500, LOG_WARN, "m", "");
	/* Values that are not understood stay among the attributes. */
	assert_reads("{\"level\":30,\"time\":\"now\",\"message\":1}", 5, LOG_WARN, "",
		     "{\"level\":30,\"time\":\"now\",\"message\":1}");
	assert_reads("{\"message\":\"a\",\"msg\":\"b\"}", 5, LOG_WARN, "a", "{\"msg\":\"b\"}");
	assert_reads("{not json", 5, LOG_WARN, "{not json", "");
	assert_reads("[1]", 5, LOG_WARN, "[1]", "");
}

static void parses_times(void **state UNUSED) {
	static const struct {
		const char *text;
		int64_t ms; /* -1: not a time */
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
		cmocka_unit_test(reads_time_level_message_and_attributes),
		cmocka_unit_test(parses_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
