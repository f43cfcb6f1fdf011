/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_test.h"

#include "base/buf.h"
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

static void attributes_are_nested_once(void **state UNUSED) {
	/* The Go SDK of 2023. */
	assert_reads("{\"level\":\"info\",\"attributes\":{\"scope\":\"echo\",\"user\":\"5\"},\"message\":\"hi\","
		     "\"time\":\"1970-01-01T00:00:01Z\",\"error\":\"no\"}",
		     1000, LOG_INFO, "hi", "{\"error\":\"no\",\"scope\":\"echo\",\"user\":\"5\"}");
	/* Rust's tracing. */
	assert_reads(
		"{\"timestamp\":\"1970-01-01T00:00:01Z\",\"level\":\"WARN\",\"fields\":{\"message\":\"hi\",\"n\":1},"
		"\"target\":\"app\"}",
		1000, LOG_WARN, "hi", "{\"target\":\"app\",\"n\":1}");
	/* Attributes of other shapes, and of names that are taken, stay as they are. */
	assert_reads("{\"message\":\"m\",\"a\":1,\"attributes\":{\"a\":2,\"attributes\":3,\"b\":4}}", 5, LOG_WARN, "m",
		     "{\"a\":1,\"attributes\":{\"a\":2,\"attributes\":3},\"b\":4}");
	assert_reads("{\"message\":\"m\",\"attributes\":[1]}", 5, LOG_WARN, "m", "{\"attributes\":[1]}");
	assert_reads("{\"message\":\"m\",\"fields\":{\"message\":\"x\"}}", 5, LOG_WARN, "m",
		     "{\"fields\":{\"message\":\"x\"}}");
	assert_reads("{\"msg\":\"m\",\"attributes\":{\"message\":\"x\",\"level\":\"error\"}}", 5, LOG_WARN, "m",
		     "{\"message\":\"x\",\"level\":\"error\"}");
	assert_reads("{\"message\":\"m\",\"attributes\":{}}", 5, LOG_WARN, "m", "");
}

static void reads_times(void **state UNUSED) {
	static const struct {
		const char *text;
		int64_t ms; /* 5, that of the line itself: not a time */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-01-02T03:04:05.678+01:00", 1767319445678},
		{"2026-01-02 02:04:05.678912345z", 1767319445678},
		{"2026-01-02T00:04:05-02:30", 1767321245000},
		{"2026-01-02", 5},
		{"2026-01-02T03:04:05", 5},
		{"2026-01-02T03:04:05Zx", 5},
		{"2026-01-02T03:04:05+1", 5},
		{"2026-01-02T03:04:05.678912345+01:00 and so on", 5},
		{"", 5},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[128], attributes[128];
		snprintf(line, sizeof line, "{\"message\":\"m\",\"time\":\"%s\"}", cases[i].text);
		snprintf(attributes, sizeof attributes, "{\"time\":\"%s\"}", cases[i].text);
		assert_reads(line, cases[i].ms, LOG_WARN, "m", cases[i].ms == 5 ? attributes : "");
	}
}

static void a_plain_line_says_its_level_as_loggers_do(void **state UNUSED) {
	static const struct {
		const char *line;
		enum log_level level; /* LOG_INFO: it says none */
	} cases[] = {
		{"2026/01/02 03:04:05 listening on :8080", LOG_INFO}, /* Go's log */
		{"2026/01/02 03:04:05 ERROR lost err=EOF", LOG_ERROR}, /* Go's slog */
		{"time=2026-01-02T03:04:05Z level=WARN msg=\"slow\"", LOG_WARN},
		{"ts=1 lvl=\"error\" msg=x", LOG_ERROR},
		{"WARNING:root:low on disk", LOG_WARN}, /* Python */
		{"2026-01-02 03:04:05,678 - app - ERROR - no disk", LOG_ERROR},
		{"Traceback (most recent call last):", LOG_ERROR},
		{"2026-01-02 03:04:05.678 [main] DEBUG c.e.App - up", LOG_DEBUG}, /* Java */
		{"[2026-01-02T03:04:05Z WARN  app] slow", LOG_WARN}, /* Rust's env_logger */
		{"[error] 31#31: worker exited", LOG_ERROR},
		{"error: no such file", LOG_ERROR},
		{"E0102 03:04:05.000000 1 main.go:7] lost", LOG_ERROR}, /* glog */
		{"F0102 03:04:05.000000 1 main.go:7] over", LOG_ERROR},
		{"panic: runtime error", LOG_ERROR},
		{"an error was mended", LOG_INFO},
		{"Error handling is on", LOG_INFO},
		{"no warnings", LOG_INFO},
		{"E0102", LOG_INFO},
		{"INFORMATION", LOG_INFO},
		{"", LOG_INFO},
		{"a b c d e f ERROR is too far back", LOG_INFO},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
		struct log_line line;
		log_line_read(str_from(cases[i].line), 5, LOG_INFO, &arena, &line);
		if (line.level != cases[i].level)
			fail_msg("\"%s\" has level %s", cases[i].line, log_level_name(line.level));
		assert_string_equal(line.message, cases[i].line);
		arena_deinit(&arena);
	}
}

static void shows_an_object_as_people_read_it(void **state UNUSED) {
	static const struct {
		const char *line, *shown;
	} cases[] = {
		{"plain {\"a\":1}", "plain {\"a\":1}"},
		{"{\"level\":\"error\",\"msg\":\"boom\",\"n\":0.1,\"who\":\"Bob\"}", "error: boom n=0.1 who=Bob"},
		{"{\"message\":\"hi\",\"o\":{\"p\":[1]}}", "hi o={\"p\":[1]}"},
		{"{not json", "{not json"},
		{"{}", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
		struct str shown = log_line_show(str_from(cases[i].line), &arena);
		assert_string_equal(arena_strdup(&arena, shown), cases[i].shown);
		arena_deinit(&arena);
	}
}

/* A line with as many attributes as fit must not pass the arena, which would end the Runner. */
static void shows_many_attributes_within_its_limit(void **state UNUSED) {
	struct buf line = BUF_INIT(MIB(1));
	assert_int_equal(buf_append(&line, STR("{\"msg\":\"m\"")), 0);
	for (int i = 0; buf_len(&line) < 4000; i++)
		assert_int_equal(buf_printf(&line, ",\"%d\":1e300", i), 0);
	assert_int_equal(buf_append(&line, STR("}")), 0);
	struct arena arena = ARENA_INIT(LOG_LINE_ARENA_MAX);
	struct str shown = log_line_show(buf_view(&line), &arena);
	assert_in_range(shown.len, 1000, 8192);
	arena_deinit(&arena);
	buf_deinit(&line);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_time_level_message_and_attributes),
		cmocka_unit_test(attributes_are_nested_once),
		cmocka_unit_test(reads_times),
		cmocka_unit_test(a_plain_line_says_its_level_as_loggers_do),
		cmocka_unit_test(shows_an_object_as_people_read_it),
		cmocka_unit_test(shows_many_attributes_within_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
