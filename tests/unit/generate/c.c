/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated C against the check by the schema, which is another program for the same rules: what one takes the other
 * takes, and what it refuses it refuses for the same reason, with the same path.
 */
/* Before cmocka.h, which makes a macro of "fail". */
#include "echo_all.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/path.h"
#include "generate/generate.h"
#include "schema/check.h"
#include "schema/json_check.h"
#include "schema/parse.h"

static struct arena arena;
static struct map modules;
static const struct schema_module *module;

static const struct schema_module *parse_text(struct str text, const char *file) {
	struct schema_diagnostics *diagnostics = arena_alloc(&arena, sizeof *diagnostics);
	struct schema_module *parsed = NULL;
	schema_diagnostics_init(diagnostics);
	int failed =
		schema_parse(text, file, &arena, &parsed, diagnostics) < 0 || schema_check(parsed, diagnostics) < 0;
	if (failed)
		fail_msg("%s", diagnostics->items[0].message);
	schema_diagnostics_deinit(diagnostics);
	map_put(&modules, str_from(parsed->name), (void *)parsed);
	return parsed;
}

static const struct schema_module *parse_file(const char *name) {
	char *path = arena_printf(&arena, "%s/%s", getenv("TEST_FOLDER"), name), *text;
	struct error err;
	size_t len;
	if (file_read(path, SCHEMA_TEXT_MAX, &text, &len, &err) < 0)
		fail_msg("%s", err.msg);
	const struct schema_module *parsed = parse_text(str_new(text, len), path);
	free(text);
	return parsed;
}

static int setup(void **state UNUSED) {
	arena_init(&arena, (size_t)16 * SCHEMA_ARENA_MAX);
	map_init(&modules);
	parse_file("other.ftl");
	module = parse_file("m.ftl");
	return 0;
}

static int teardown(void **state UNUSED) {
	map_deinit(&modules);
	arena_deinit(&arena);
	return 0;
}

/* reply: what it is answered with. NULL: as the request stands; "!": it is refused, as the schema says it. */
static const struct {
	const char *verb, *request, *reply;
} cases[] = {
	{"v_int", "12", NULL},
	{"v_int", " -9223372036854775808\n", "-9223372036854775808"},
	{"v_int", "9223372036854775807", NULL},
	{"v_int", "9223372036854775808", "!"},
	{"v_int", "-9223372036854775809", "!"},
	{"v_int", "99999999999999999999", "!"},
	{"v_int", "-0", "0"},
	{"v_int", "01", "!"},
	{"v_int", "-", "!"},
	{"v_int", "1.0", "!"},
	{"v_int", "1e2", "!"},
	{"v_int", "1.", "!"},
	{"v_int", "1e", "!"},
	{"v_int", "+1", "!"},
	{"v_int", "\"1\"", "!"},
	{"v_int", "null", "!"},
	{"v_int", "", "!"},
	{"v_int", " ", "!"},
	{"v_int", "\n 1x", "!"},
	{"v_int", "1 2", "!"},
	{"v_float", "1", NULL},
	{"v_float", "-0.5", NULL},
	{"v_float", "1.10", "1.1"},
	{"v_float", "0.1", NULL},
	{"v_float", "123456.789", NULL},
	{"v_float", "9007199254740993", "9007199254740992"},
	{"v_float", "3.141592653589793", NULL},
	{"v_float", "1e2", "100"},
	{"v_float", "5e-324", "4.94065645841247e-324"},
	{"v_float", "1.7976931348623157e308", "1.7976931348623157e+308"},
	{"v_float", "-0.0", "-0"},
	{"v_float", "1e309", "!"},
	{"v_float", "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
	 "1e-86"},
	{"v_float", "true", "!"},
	{"v_float", "NaN", "!"},
	{"v_float", ".5", "!"},
	{"v_string", "\"\"", NULL},
	{"v_string", "\"abc \\\" \\\\ \\n\\t\\b\\f\\r \\u0001 end of a longer text\"", NULL},
	{"v_string", "\"\\u00fc\\/\\ud83d\\ude00\"", "\"ü/\xF0\x9F\x98\x80\""},
	{"v_string", "\"ü \xF0\x9F\x98\x80 €\"", NULL},
	{"v_string", "\"\\ud83d\"", "!"},
	{"v_string", "\"\\ude00\"", "!"},
	{"v_string", "\"\\ud83d\\u0020\"", "!"},
	{"v_string", "\"\\u0000\"", "!"},
	{"v_string", "\"\\u00\"", "!"},
	{"v_string", "\"\\x\"", "!"},
	{"v_string", "\"\\", "!"},
	{"v_string", "\"a\nb\"", "!"},
	{"v_string", "\"abc", "!"},
	{"v_string", "\"abcdefghijklmnop", "!"},
	{"v_string", "\"\xC3\"", "!"},
	{"v_string", "\"\xED\xA0\x80\"", "!"},
	{"v_string", "5", "!"},
	{"v_string", "'a'", "!"},
	{"v_bool", "true", NULL},
	{"v_bool", "false", NULL},
	{"v_bool", "trup", "!"},
	{"v_bool", "fals", "!"},
	{"v_bool", "0", "!"},
	{"v_time", "\"2026-01-02T03:04:05Z\"", NULL},
	{"v_time", "\"2026-01-02T03:04:05.000120Z\"", "\"2026-01-02T03:04:05.00012Z\""},
	{"v_time", "\"2026-01-02T03:04:05+02:00\"", NULL},
	{"v_time", "\"2024-02-29T23:59:59.999999999-11:30\"", NULL},
	{"v_time", "\"2000-12-31t23:59:60z\"", "\"2001-01-01T00:00:00Z\""},
	{"v_time", "\"0001-01-01T00:00:00Z\"", NULL},
	{"v_time", "\"9999-12-31T23:59:59Z\"", NULL},
	{"v_time", "\"0001-01-01T00:00:00+00:01\"", "!"},
	{"v_time", "\"0001-01-01T00:01:00+00:01\"", NULL},
	{"v_time", "\"0000-01-01T00:00:00Z\"", "!"},
	{"v_time", "\"0000-12-31T23:59:00-00:01\"", "\"0001-01-01T00:00:00Z\""},
	{"v_time", "\"2023-02-29T00:00:00Z\"", "!"},
	{"v_time", "\"1900-02-29T00:00:00Z\"", "!"},
	{"v_time", "\"2026-13-01T00:00:00Z\"", "!"},
	{"v_time", "\"2026-00-01T00:00:00Z\"", "!"},
	{"v_time", "\"2026-01-32T00:00:00Z\"", "!"},
	{"v_time", "\"2026-01-02T24:00:00Z\"", "!"},
	{"v_time", "\"2026-01-02T03:04:05\"", "!"},
	{"v_time", "\"2026-01-02T03:04:05.Z\"", "!"},
	{"v_time", "\"2026-01-02T03:04:05.1234567890Z\"", "!"},
	{"v_time", "\"2026-01-02T03:04:05+24:00\"", "!"},
	{"v_time", "\"2026-01-02T03:04:05Z \"", "!"},
	{"v_time", "\"2026-01-02 03:04:05Z\"", "!"},
	{"v_time", "\"\\u00326-01-02\"", "!"},
	{"v_time", "0", "!"},
	{"v_bytes", "\"\"", NULL},
	{"v_bytes", "\"AA==\"", NULL},
	{"v_bytes", "\"AAA=\"", NULL},
	{"v_bytes", "\"+/9\\u0061\"", "\"+/9a\""},
	{"v_bytes", "\"SGVsbG8sIHdvcmxkIQ==\"", NULL},
	{"v_bytes", "\"AA\"", "!"},
	{"v_bytes", "\"AB==\"", "!"},
	{"v_bytes", "\"AAB=\"", "!"},
	{"v_bytes", "\"A===\"", "!"},
	{"v_bytes", "\"====\"", "!"},
	{"v_bytes", "\"A-_A\"", "!"},
	{"v_bytes", "\"AA=A\"", "!"},
	{"v_bytes", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAA\"", "!"},
	{"v_bytes", "[]", "!"},
	{"v_any", "{\"a\": [1, {\"a\": null, \"b\": 1e300}]}", NULL},
	{"v_any", "{\"a\": [1, {\"a\": null, \"a\": 1}]}", "!"},
	{"v_any", "{\"a\": {\"\\u0062\": 1, \"b\": 2, \"b\": 1e999}}", "!"},
	{"v_any", "{\"a\": 1e999, \"b\": 2, \"b\": 1}", "!"},
	{"v_any", "[{}, {\"a\": 1, \"b\": 2, \"c\": -1e999}]", "!"},
	{"v_any", "null", NULL},
	{"v_any", "[1", "!"},
	{"v_any", "[1,]", "!"},
	{"v_any", "{\"a\" 1}", "!"},
	{"v_any", "{1: 1}", "!"},
	{"v_any", "]", "!"},
	{"v_unit", "{}", NULL},
	{"v_unit", " { } ", "{}"},
	{"v_unit", "null", "!"},
	{"v_unit", "{\"a\": 1}", "!"},
	{"v_maybe_int", "null", NULL},
	{"v_maybe_int", "1", NULL},
	{"v_maybe_int", "\"\"", "!"},
	{"v_maybe_int", "nil", "!"},
	{"v_maybe_items", "[null,{\"name\":\"x\"}]", NULL},
	{"v_ints", "[]", NULL},
	{"v_ints", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", NULL},
	{"v_ints", "[1, 2, null]", "!"},
	{"v_ints", "{}", "!"},
	{"v_ints", "[1 2]", "!"},
	{"v_ints", "[1,]", "!"},
	{"v_lists", "[[],[1]]", NULL},
	{"v_lists", "[[], [true]]", "!"},
	{"v_map", "{}", NULL},
	{"v_map", "{\"a\":1,\"\":2,\"b\\\"\":3}", NULL},
	{"v_map", "{\"a b\": \"1\"}", "!"},
	{"v_map", "{\"k\": 1, \"b\": 2, \"k\": 1}", "!"},
	{"v_map", "[]", "!"},
	{"v_map", "{\"a\": 1, }", "!"},
	{"v_map_keys", "{\"1\":true,\"-5\":false}", NULL},
	{"v_map_keys", "{\"1\": true, \"2\": false, \"1\": true}", "!"},
	{"v_map_keys", "{\"x\": true}", "!"},
	{"v_map_keys", "{\"01\": true}", "!"},
	{"v_levels", "{\"5\":true,\"-9223372036854775808\":false}", NULL},
	{"v_levels", "{\"6\": true}", "!"},
	{"v_levels", "{\"5\":true,\"5\":true}", "!"},
	{"v_moods", "{\"sad\":true}", NULL},
	{"v_moods", "{\"sat\": true}", "!"},
	{"v_moods", "{\"sad\": true, \"happy\": true, \"sad\": true}", "!"},
	{"v_foreign", "{\"a\":{\"of\":\"x\"}}", NULL},
	{"v_foreign", "{\"b\": {}}", "!"},
	{"v_foreign", "{\"a\": {\"of\": 1}}", "!"},
	{"v_item", "{\"name\":\"x\"}", NULL},
	{"v_item", "{ \"name\" : \"x\" , \"price\" : 1.5 }", "{\"name\":\"x\",\"price\":1.5}"},
	{"v_item", "{\"next\": {\"name\": \"\", \"price\": null}, \"n\\u0061me\": \"x\"}",
	 "{\"name\":\"x\",\"next\":{\"name\":\"\"}}"},
	{"v_item", "{}", "!"},
	{"v_item", "{\"next\": {\"name\": \"\", \"next\": {}}, \"name\": \"x\"}", "!"},
	{"v_item", "{\"name\": \"x\", \"naem\": 1}", "!"},
	{"v_item", "{\"name\": \"x\", \"\\u001b[2J\": 1}", "!"},
	{"v_item", "{\"name\": \"x\", \"quite another\": 1}", "!"},
	{"v_item", "{\"name\": \"x\", \"name\": \"x\"}", "!"},
	{"v_item", "[]", "!"},
	{"v_item", "{\"name\": \"x\"", "!"},
	{"v_item", "{\"name\":\"x\",}", "!"},
	{"v_item", "{\"name\" \"x\"}", "!"},
	{"v_item", "{\"name\":\"x\"}}", "!"},
	{"v_alias", "{\"name\": 1}", "!"},
	{"v_box", "{}", NULL},
	{"v_box", "{\"value\":null}", "{}"},
	{"v_box", "{\"value\":\"x\"}", NULL},
	{"v_order", "{\"items\":[{\"name\":\"\"}],\"counts\":{}}", NULL},
	{"v_order", "{\"items\":[{\"name\":\"\"},{\"name\":\"\"},{\"name\":\"\"},{\"name\":5}],\"counts\":{}}", "!"},
	{"v_order", "{\"items\": [], \"counts\": {\"x\": 1.5}}", "!"},
	{"v_order", "{\"counts\": {}}", "!"},
	{"v_page", "{\"items\":[1],\"more\":{\"value\":2}}", NULL},
	{"v_page", "{\"items\": [\"1\"]}", "!"},
	{"v_page", "{\"items\": [], \"more\": {\"value\": null}}", "!"},
	{"v_both", "{\"a\":1,\"b\":{\"value\":[\"sad\",\"sad\"]}}", NULL},
	{"v_both", "{\"a\": 1, \"b\": {\"value\": [\"sad\", 1]}}", "!"},
	{"v_mood", "\"happy\"", NULL},
	{"v_mood", "\"h\\u0061ppy\"", "\"happy\""},
	{"v_mood", "\"a \\\"b\\\" ?\?/ é\"", NULL},
	{"v_mood", "\"Happy\"", "!"},
	{"v_mood", "\"other\"", "!"},
	{"v_mood", "null", "!"},
	{"v_level", "5", NULL},
	{"v_level", "6", "!"},
	{"v_level", "5.0", "!"},
	{"v_level", "\"5\"", "!"},
	{"v_shape", "{\"name\":\"Circle\",\"value\":1.5}", NULL},
	{"v_shape", "{\"value\": [\"sad\"], \"name\": \"Named\"}", "{\"name\":\"Named\",\"value\":[\"sad\"]}"},
	{"v_shape", "{\"value\": [\"bad\"], \"name\": \"Named\"}", "!"},
	{"v_shape", "{\"name\":\"None\",\"value\":{}}", NULL},
	{"v_shape", "{\"name\":\"kind\",\"value\":{\"name\":\"x\"}}", NULL},
	{"v_shape",
	 "{\"name\":\"Again\",\"value\":{\"left\":{\"name\":\"Again\",\"value\":{\"left\":{\"name\":\"Circle\",\"value\":1}}}}}",
	 NULL},
	{"v_shape", "{\"name\": \"Circle\", \"value\": \"x\"}", "!"},
	{"v_shape", "{\"name\": \"Circel\", \"value\": 1}", "!"},
	{"v_shape", "{\"name\": 1, \"value\": 1}", "!"},
	{"v_shape", "{\"name\": \"Circle\"}", "!"},
	{"v_shape", "{\"value\": 1}", "!"},
	{"v_shape", "{\"name\": \"Circle\", \"name\": \"Circle\"}", "!"},
	{"v_shape", "{\"value\": 1, \"value\": 1}", "!"},
	{"v_shape", "{\"name\": \"Circle\", \"value\": 1, \"x\": 1}", "!"},
	{"v_shape", "\"Circle\"", "!"},
	{"v_expr", "{\"name\":\"Sum\",\"value\":[{\"name\":\"Negative\",\"value\":{\"name\":\"Number\",\"value\":1}}]}",
	 NULL},
	{"v_tree",
	 "{\"children\":[{\"children\":[],\"by_name\":{}}],\"by_name\":{\"x\":{\"children\":[],\"by_name\":{}}}}",
	 NULL},
	{"v_refs", "{\"verb\":\"time.time\",\"thing\":{\"of\":\"\"},\"kind\":\"a\"}", NULL},
	{"v_refs", "{\"verb\": \"time\"}", "!"},
	{"v_refs", "{\"verb\": \"a.b.c\"}", "!"},
	{"v_refs", "{\"verb\": \"a.1\"}", "!"},
	{"v_refs", "{\"verb\": \".\"}", "!"},
	{"v_refs", "{\"verb\": 1}", "!"},
	{"v_words", "{\"int\":1,\"default\":\"x\",\"int_\":true,\"unix\":[null],\"_x\":{}}", NULL},
	{"v_words", "{\"int\":1,\"default\":\"x\",\"int_\":true,\"unix\":null}", "!"},
	{"v_options", "{}", NULL},
	{"v_options",
	 "{\"a\":0,\"b\":0,\"c\":false,\"d\":\"2026-01-02T03:04:05Z\",\"e\":\"sad\",\"f\":\"\",\"g\":\"\",\"h\":1,\"i\":[],"
	 "\"j\":{},\"k\":{\"name\":\"None\",\"value\":{}},\"l\":{},\"m\":5,\"n\":\"\",\"o\":\"\",\"p\":\"a.b\"}",
	 NULL},
	{"v_options",
	 "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"f\":null,\"g\":null,\"h\":null,\"i\":null,\"j\":null,"
	 "\"k\":null,\"l\":null,\"m\":null,\"n\":null,\"o\":null,\"p\":null}",
	 "{}"},
	{"v_options", "{\"m\":7}", "!"},
	{"v_empty", "{}", NULL},
	{"v_empty", "{\"x\":1}", "!"},
	{"v_plain",
	 "{\"at\":\"2026-01-02T03:04:05Z\",\"raw\":\"AAEC\",\"ok\":true,\"any\":null,\"ids\":[\"a\",\"b\"],"
	 "\"lists\":[[1,null],[]],\"boxes\":[null,{\"name\":\"x\"}],\"texts\":[null,\"x\"]}",
	 NULL},
	{"v_plain", "{\"at\":\"2026-01-02T03:04:05Z\",\"raw\":\"AAEC\",\"ok\":true}", "!"},
};

static int check(const char *verb, const char *text, const char *root, struct error *err) {
	const struct schema_json json = {.module = module, .modules = &modules, .root = root};
	return schema_check_json(&json, &schema_find_verb(module, verb)->verb.request, str_from(text), err);
}

/* The words are each program's own; the reason and the path are not. */
static bool says_the_same(const struct error *err, const struct echo *echo) {
	if (err->code == CODE_OK)
		return echo->failure[0] == '\0';
	const char *reason = echo->context.reason != NULL ? echo->context.reason : "";
	return strcmp(err->reason, reason) == 0 && strncmp(err->msg, echo->failure, err->path_len) == 0 &&
	       strncmp(echo->failure + err->path_len, ": ", 2) == 0;
}

static void takes_and_refuses_what_the_schema_does(void **state UNUSED) {
	struct echo echo;
	echo_init(&echo);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *verb = cases[i].verb, *request = cases[i].request;
		bool refused = cases[i].reply != NULL && strcmp(cases[i].reply, "!") == 0;
		struct error err = {.msg = ""};
		int expected = check(verb, request, "request", &err);
		int got = echo_run(&echo, echo_verb(verb), request);
		if (expected != (refused ? -1 : 0) || got != expected || !says_the_same(&err, &echo))
			fail_msg("%s %s\nthe schema: %d %s %s\ngenerated:  %d %s %s", verb, request, expected,
				 err.reason, err.msg, got, echo.context.reason, echo.failure);
		if (refused) {
			assert_int_equal(echo.code, FTL_INVALID_ARGUMENT);
			continue;
		}
		assert_string_equal(echo.reply, cases[i].reply ? cases[i].reply : request);
		if (check(verb, echo.reply, "response", &err) < 0)
			fail_msg("%s", err.msg);
	}
	echo_deinit(&echo);
}

static void ends_at_the_same_depth(void **state UNUSED) {
	struct echo echo;
	echo_init(&echo);
	for (size_t depth = 99; depth < 103; depth++) {
		char *text = arena_alloc(&arena, depth * 2 + 1);
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[depth * 2] = '\0';
		struct error err = {.msg = ""};
		assert_int_equal(echo_run(&echo, echo_verb("v_any"), text), check("v_any", text, "request", &err));
		assert_true(says_the_same(&err, &echo));
		assert_int_equal(echo.code, depth > 100 ? FTL_INVALID_ARGUMENT : 0);
	}
	echo_deinit(&echo);
}

static void finds_a_key_twice_among_many(void **state UNUSED) {
	struct echo echo;
	struct buf buf = BUF_INIT(MIB(1));
	echo_init(&echo);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&buf, "%s\"k%zu\":1", i ? "," : "{", i), 0);
	struct str before = buf_view(&buf);
	assert_int_equal(echo_run(&echo, echo_verb("v_map"), arena_printf(&arena, "%.*s}", STR_ARG(before))), 0);
	char *twice = arena_printf(&arena, "%.*s,\"k17\":1}", STR_ARG(before));
	assert_int_equal(echo_run(&echo, echo_verb("v_map"), twice), -1);
	assert_string_equal(echo.failure, "request[\"k17\"]: the key occurs twice");
	buf_deinit(&buf);
	echo_deinit(&echo);
}

/* Every verb that takes much, with every amount of memory up to what it needs. */
static void says_that_memory_is_used_up(void **state UNUSED) {
	struct echo echo;
	echo_init(&echo);
	static const char request[] = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]";
	size_t allowed = 0;
	for (;; allowed += 512) {
		echo.allowed = allowed;
		if (echo_run(&echo, echo_verb("v_ints"), request) == 0)
			break;
		assert_int_equal(echo.code, FTL_RESOURCE_EXHAUSTED);
		assert_true(allowed < 65536);
	}
	assert_true(allowed > 0);
	assert_string_equal(echo.reply, request);
	echo_deinit(&echo);
}

static void refuses_answers_that_the_schema_does_not_know(void **state UNUSED) {
	static const struct {
		const char *request, *said;
	} wrong[] = {
		{"1", "m.asks: response.name: expected String, but it is not set"},
		{"2", "m.asks: response.name: expected String, got bytes that are not UTF-8"},
		{"3", "m.asks: response.price: expected Float, got inf, which JSON does not have"},
		{"5", "no"},
	};
	struct echo echo;
	echo_init(&echo);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(echo_run(&echo, echo_verb("asks"), wrong[i].request), -1);
		assert_int_equal(echo.code, FTL_UNKNOWN);
		assert_string_equal(echo.failure, wrong[i].said);
	}
	/* A circle has no end. */
	assert_int_equal(echo_run(&echo, echo_verb("asks"), "4"), -1);
	assert_non_null(strstr(echo.failure, ".next.next: it is nested deeper than 100"));
	echo_deinit(&echo);
}

static void refuses_to_write_what_is_no_any(void **state UNUSED) {
	static const struct {
		const char *request, *said;
	} wrong[] = {
		{"0", "m.writes: response: expected Any[\"a\"][\"b\"]: the key occurs twice"},
		{"1", "m.writes: response: expected Any[1]: expected Any, got 1e400, which is too large"},
		{"2", "m.writes: response: expected Any: not JSON at line 1, column 3: it ends too early"},
		{"3", "m.writes: response: expected Any: not JSON at line 1, column 4: something follows the value"},
	};
	struct echo echo;
	echo_init(&echo);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(echo_run(&echo, echo_verb("writes"), wrong[i].request), -1);
		assert_string_equal(echo.failure, wrong[i].said);
	}
	assert_int_equal(echo_run(&echo, echo_verb("writes"), "4"), 0);
	assert_string_equal(echo.reply, " [1] ");
	echo_deinit(&echo);
}

static void calls_with_types(void **state UNUSED) {
	struct echo echo;
	echo_init(&echo);
	/* An answer may have fields that are new. */
	echo.answer = "{\"new\":[1],\"of\":\"gold\"}";
	assert_int_equal(echo_run(&echo, echo_verb("asks"), "12"), 0);
	assert_string_equal(echo.called, "other.ask {\"id\":12,\"deep\":[{\"of\":\"one\"},{\"of\":\"two\"}]}");
	assert_string_equal(echo.reply, "{\"name\":\"gold\"}");

	echo.answer = "{\"of\":7}";
	assert_int_equal(echo_run(&echo, echo_verb("asks"), "7"), -1);
	assert_int_equal(echo.code, 0);
	assert_int_equal(echo.context.error_code, FTL_INTERNAL);
	assert_string_equal(echo.context.error, "other.ask: response.of: expected String, got number");

	echo.answer = NULL;
	assert_int_equal(echo_run(&echo, echo_verb("asks"), "7"), -1);
	assert_int_equal(echo.context.error_code, FTL_UNAVAILABLE);

	echo.answer = "[1,2]";
	assert_int_equal(echo_run(&echo, echo_verb("asks_again"), "{}"), 0);
	assert_string_equal(echo.called, "other.plain \"why?\"");
	assert_string_equal(echo.reply, "[1,2]");
	echo_deinit(&echo);
}

static void hooks_and_flags_come_from_metadata(void **state UNUSED) {
	assert_non_null(ftl_module.start);
	assert_non_null(ftl_module.stop);
	assert_int_equal(echo_verb("v_unit")->flags, FTL_VERB_NONBLOCKING);
	assert_int_equal(echo_verb("v_int")->flags, 0);
}

/* --- what cannot be generated ------------------------------------------------------------------------------------- */

static const struct schema_module *find(void *owner UNUSED, const char *name, struct error *err) {
	const struct schema_module *found = map_get(&modules, str_from(name));
	if (found == NULL)
		error_set(err, CODE_NOT_FOUND, "there is no module %s", name);
	return found;
}

static void says_what_it_cannot_do(void **state UNUSED) {
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{"module a { verb v(nowhere.Thing) Unit }", "there is no module nowhere"},
		{"module a { verb v(other.Thin) Unit }", "the module other has no type Thin, which a names"},
		{"module a { verb v(Unit) Unit +calls nowhere.v }", "there is no module nowhere"},
		{"module a { verb v(Unit) Unit +calls other.asc }",
		 "a.ftl:1: the module other has no verb asc; did you mean ask?"},
		{"module a { verb B_C(Unit) Unit  enum B: String { C = \"c\" } }",
		 "C of a.B and the function for a.B_C would both be a_B_C in C: rename one of them"},
		{"module a { data list_of_Int {}  data D { x [Int] } }",
		 "a.list_of_Int and [Int] would both be struct a_list_of_Int in C: rename one of them"},
		{"module a { data optional_D {}  data D { x D? } }",
		 "a.optional_D and a.D? would both be struct a_optional_D in C: rename one of them"},
		{"module ftl { data context {} }",
		 "ftl.context would be struct ftl_context in C, and names with ftl_ are FTL's own: rename it"},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf header = BUF_INIT(MIB(1)), source = BUF_INIT(MIB(1));
		struct error err = {.msg = ""};
		const struct generate_options options = {.module = parse_text(str_from(wrong[i].text), "a.ftl"),
							 .file = "a.ftl",
							 .header = "a.ftl.h",
							 .find = find};
		if (generate_c(&options, &header, &source, &err) == 0)
			fail_msg("made code of %s", wrong[i].text);
		assert_string_equal(err.msg, wrong[i].said);
		buf_deinit(&header);
		buf_deinit(&source);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_and_refuses_what_the_schema_does),
		cmocka_unit_test(ends_at_the_same_depth),
		cmocka_unit_test(finds_a_key_twice_among_many),
		cmocka_unit_test(says_that_memory_is_used_up),
		cmocka_unit_test(refuses_answers_that_the_schema_does_not_know),
		cmocka_unit_test(refuses_to_write_what_is_no_any),
		cmocka_unit_test(calls_with_types),
		cmocka_unit_test(hooks_and_flags_come_from_metadata),
		cmocka_unit_test(says_what_it_cannot_do),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
