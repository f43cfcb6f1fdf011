/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include <stdio.h>

#include "base/map.h"
#include "schema/json_check.h"

/* Each case is of a type within this module. */
static const char module_text[] = "module m {\n"
				  "  data Item { name String  price Float?  next Item? }\n"
				  "  data Order { items [Item]  counts {String: Int}  note Maybe }\n"
				  "  data Page<T> { items [T]  more Box<T>? }\n"
				  "  data Box<U> { value U }\n"
				  "  data Both<A, B> { a A  b Box<B> }\n"
				  "  typealias Maybe String?\n"
				  "  typealias Alias Item\n"
				  "  enum Mood: String { Happy = \"happy\"  Sad = \"sad\" }\n"
				  "  enum Level: Int { Low = -1  High = 5 }\n"
				  "  enum Shape { Circle Float  Named [Mood]  None Unit }\n"
				  "  typealias Key Mood\n"
				  "  typealias Levels {Level: Bool}\n"
				  "  typealias Ints {Int: Bool}\n"
				  "  typealias Moods {Key: Bool}\n"
				  "  typealias Foreign {other.Key: other.Thing}\n"
				  "  data Refs { verb verb time.time  thing other.Thing  kind other.Kind }\n"
				  "}\n";

static const char other_text[] = "module other { export data Thing { of m.Item }  export typealias Key Kind\n"
				 "  export enum Kind: String { A = \"a\" } }";

static const struct {
	const char *type, *text;
	const char *said; /* NULL: it is one */
} cases[] = {
	{"Int", "12", NULL},
	{"Int", " -9223372036854775808 ", NULL},
	{"Int", "9223372036854775808", "expected Int, got 9223372036854775808, which is over 64 bits"},
	{"Int", "1.0", "expected Int, got 1.0"},
	{"Int", "1e2", "expected Int, got 1e2"},
	{"Int", "\"1\"", "expected Int, got string"},
	{"Int", "null", "expected Int, got null"},
	{"Int", "", "not JSON at line 1, column 1: it ends too early"},
	{"Int", "\n 1x", "not JSON at line 2, column 3: something follows the value"},
	{"Float", "1", NULL},
	{"Float", "10000000000000000000000", NULL},
	{"Float", "-1.5e-400", NULL},
	{"Float", "1e309", "expected Float, got 1e309, which is too large"},
	{"Float", "true", "expected Float, got boolean"},
	{"String", "\"\\u00fc\"", NULL},
	{"String", "5", "expected String, got number"},
	{"String", "\"\xC3\"", "not JSON at line 1, column 1: not UTF-8"},
	{"Bool", "true", NULL},
	{"Bool", "false", NULL},
	{"Bool", "0", "expected Bool, got number"},
	{"Bool", "trup", "not JSON at line 1, column 1: expected null, true or false"},
	{"Time", "\"2026-01-02T03:04:05+02:00\"", NULL},
	{"Time", "\"\\u00326-01-02\"", "expected Time, as in \"2026-01-02T03:04:05Z\", got \"26-01-02\""},
	{"Time", "\"2026-01-02T03:04:05\"",
	 "expected Time, as in \"2026-01-02T03:04:05Z\", got \"2026-01-02T03:04:05\""},
	{"Time", "0", "expected Time, as in \"2026-01-02T03:04:05Z\", got number"},
	{"Bytes", "\"\"", NULL},
	{"Bytes", "\"AA==\"", NULL},
	{"Bytes", "\"AAA=\"", NULL},
	{"Bytes", "\"+/9\\u0061\"", NULL},
	{"Bytes", "\"AA\"", "expected Bytes in base64, got \"AA\""},
	{"Bytes", "\"AB==\"", "expected Bytes in base64, got \"AB==\""},
	{"Bytes", "\"A===\"", "expected Bytes in base64, got \"A===\""},
	{"Bytes", "\"====\"", "expected Bytes in base64, got \"====\""},
	{"Bytes", "\"A-_A\"", "expected Bytes in base64, got \"A-_A\""},
	{"Bytes", "\"AA=A\"", "expected Bytes in base64, got \"AA=A\""},
	{"Bytes", "[]", "expected Bytes in base64, got array"},
	{"Any", "{\"a\": [1, {\"a\": null, \"a\": 1e999}]}", NULL},
	{"Any", "[1", "not JSON at line 1, column 3: it ends too early"},
	{"Unit", "{}", NULL},
	{"Unit", "null", "expected Unit, which is {}, got null"},
	{"Unit", "{\"a\": 1}", "unknown field \"a\""},
	{"Int?", "null", NULL},
	{"Int?", "1", NULL},
	{"Int?", "\"\"", "expected Int, got string"},
	{"Int?", "nil", "not JSON at line 1, column 1: expected null, true or false"},
	{"[Int?]", "[]", NULL},
	{"[Int?]", "[1, null]", NULL},
	{"[Int]", "[1, 2, null]", "[2]: expected Int, got null"},
	{"[Int]", "{}", "expected [Int], got object"},
	{"[Int]", "[1 2]", "not JSON at line 1, column 4: expected ',' or ']'"},
	{"[[Int]]", "[[], [true]]", "[1][0]: expected Int, got boolean"},
	{"{String: Int}", "{}", NULL},
	{"{String: Int}", "{\"a\": 1, \"\": 2, \"b\\\"\": 3}", NULL},
	{"{String: Int}", "{\"a b\": \"1\"}", "[\"a b\"]: expected Int, got string"},
	{"{String: Int}", "{\"a\": 1, \"b\": 2, \"\\u0061\": 1}", "[\"\\u0061\"]: the key is there twice"},
	{"[{String: Int}]", "[{\"a\": 1}, {\"a\": 1}]", NULL},
	{"{String: Int}", "{\"\x7F 0123456789012345678901234567890123456789012345678901234567\xE2\x82\xAC\": null}",
	 "[\"? 0123456789012345678901234567890123456789012345678901234567…\"]: expected Int, got null"},
	{"{String: Int}", "[]", "expected {String: Int}, got array"},
	{"m.Ints", "{\"1\": true, \"-5\": false}", NULL},
	{"m.Ints", "{\"x\": true}", "expected a key that is an Int, got \"x\""},
	{"m.Ints", "{\"01\": true}", "expected the key \"1\", got \"01\""},
	{"m.Levels", "{\"5\": true}", NULL},
	{"m.Levels", "{\"6\": true}", "expected a key that is -1 or 5, got \"6\""},
	{"m.Moods", "{\"sad\": true}", NULL},
	{"m.Moods", "{\"sat\": true}", "expected \"happy\" or \"sad\", got \"sat\"; did you mean \"sad\"?"},
	{"m.Foreign", "{\"a\": {\"of\": {\"name\": \"x\"}}}", NULL},
	{"m.Foreign", "{\"b\": {}}", "expected \"a\", got \"b\""},
	{"m.Foreign", "{\"a\": {\"of\": {\"name\": 1}}}", "[\"a\"].of.name: expected String, got number"},
	{"m.Item", "{\"name\": \"x\"}", NULL},
	{"m.Item", "{\"next\": {\"name\": \"\", \"price\": null}, \"n\\u0061me\": \"x\"}", NULL},
	{"m.Item", "{}", ".name: expected String, but it is missing"},
	{"m.Item", "{\"next\": {\"name\": \"\", \"next\": {}}, \"name\": \"x\"}",
	 ".next.next.name: expected String, but it is missing"},
	{"m.Item", "{\"name\": \"x\", \"naem\": 1}", "unknown field \"naem\"; did you mean \"name\"?"},
	{"m.Item", "{\"name\": \"x\", \"\\u001b[2J\": 1}", "unknown field \"?[2J\""},
	{"m.Item", "{\"name\": \"x\", \"name\": \"x\"}", ".name: the field is there twice"},
	{"m.Item", "[]", "expected Item, got array"},
	{"m.Item", "{\"name\": \"x\"", "not JSON at line 1, column 13: it ends too early"},
	{"m.Alias", "{\"name\": 1}", ".name: expected String, got number"},
	{"m.Maybe", "null", NULL},
	{"m.Order", "{\"items\": [{\"name\": \"\"}], \"counts\": {}}", NULL},
	{"m.Order",
	 "{\"items\": [{\"name\": \"\"}, {\"name\": \"\"}, {\"name\": \"\"}, {\"name\": 5}], \"counts\": {}}",
	 ".items[3].name: expected String, got number"},
	{"m.Order", "{\"items\": [], \"counts\": {\"x\": 1.5}}", ".counts[\"x\"]: expected Int, got 1.5"},
	{"m.Page<Int>", "{\"items\": [1], \"more\": {\"value\": 2}}", NULL},
	{"m.Page<Int>", "{\"items\": [\"1\"]}", ".items[0]: expected Int, got string"},
	{"m.Page<Int>", "{\"items\": [], \"more\": {\"value\": null}}", ".more.value: expected Int, got null"},
	{"m.Box<Int?>", "{}", NULL},
	{"m.Box<m.Maybe>", "{}", NULL},
	{"m.Box<m.Box<Int>>", "{\"value\": {\"value\": {}}}", ".value.value: expected Int, got object"},
	{"m.Both<Int, [m.Mood]>", "{\"a\": 1, \"b\": {\"value\": [\"sad\", \"sad\"]}}", NULL},
	{"m.Both<Int, [m.Mood]>", "{\"a\": 1, \"b\": {\"value\": [\"sad\", 1]}}",
	 ".b.value[1]: expected \"happy\" or \"sad\", got number"},
	{"m.Mood", "\"happy\"", NULL},
	{"m.Mood", "\"h\\u0061ppy\"", NULL},
	{"m.Mood", "\"Happy\"", "expected \"happy\" or \"sad\", got \"Happy\"; did you mean \"happy\"?"},
	{"m.Mood", "\"other\"", "expected \"happy\" or \"sad\", got \"other\""},
	{"m.Mood", "null", "expected \"happy\" or \"sad\", got null"},
	{"m.Level", "5", NULL},
	{"m.Level", "6", "expected -1 or 5, got 6"},
	{"m.Level", "5.0", "expected Level, got 5.0"},
	{"m.Level", "\"5\"", "expected -1 or 5, got string"},
	{"m.Shape", "{\"name\": \"Circle\", \"value\": 1.5}", NULL},
	{"m.Shape", "{\"value\": [\"sad\"], \"name\": \"Named\"}", NULL},
	{"m.Shape", "{\"value\": [\"bad\"], \"name\": \"Named\"}",
	 ".value[0]: expected \"happy\" or \"sad\", got \"bad\"; did you mean \"sad\"?"},
	{"m.Shape", "{\"name\": \"None\", \"value\": {}}", NULL},
	{"m.Shape", "{\"name\": \"Circle\", \"value\": \"x\"}", ".value: expected Float, got string"},
	{"m.Shape", "{\"name\": \"Circel\", \"value\": 1}",
	 ".name: expected \"Circle\", \"Named\" or \"None\", got \"Circel\"; did you mean \"Circle\"?"},
	{"m.Shape", "{\"name\": 1, \"value\": 1}", ".name: expected \"Circle\", \"Named\" or \"None\", got number"},
	{"m.Shape", "{\"name\": \"Circle\"}", "expected Shape, {\"name\": …, \"value\": …}, but \"value\" is missing"},
	{"m.Shape", "{\"value\": 1}", "expected Shape, {\"name\": …, \"value\": …}, but \"name\" is missing"},
	{"m.Shape", "{\"name\": \"Circle\", \"name\": \"Circle\"}", ".name: the field is there twice"},
	{"m.Shape", "{\"value\": 1, \"value\": 1}", ".value: the field is there twice"},
	{"m.Shape", "{\"name\": \"Circle\", \"value\": 1, \"x\": 1}",
	 "unknown field \"x\"; a Shape has \"name\" and \"value\""},
	{"m.Shape", "\"Circle\"", "expected Shape, {\"name\": …, \"value\": …}, got string"},
	{"m.Refs", "{\"verb\": \"time.time\", \"thing\": {\"of\": {\"name\": \"\"}}, \"kind\": \"a\"}", NULL},
	{"m.Refs", "{\"verb\": \"time\"}", ".verb: expected the name of a verb, as in \"time.time\", got \"time\""},
	{"m.Refs", "{\"verb\": \"a.b.c\"}", ".verb: expected the name of a verb, as in \"time.time\", got \"a.b.c\""},
	{"m.Refs", "{\"verb\": 1}", ".verb: expected the name of a verb, as in \"time.time\", got number"},
};

/* A type that is written in the module m, by way of a verb in a copy of it. */
static const struct schema_module *module_with(struct world *world, const char *type) {
	struct str text = str_from(module_text);
	text.len -= 2; /* "}\n" */
	return check_good(world, arena_printf(&world->arena, "%.*s verb v(%s) Unit }", STR_ARG(text), type));
}

static void run_others(struct world *world, struct map *others) {
	map_init(others);
	assert_null(map_put(others, STR("other"), check_good(world, other_text)));
}

static void checks_by_the_type(void **state UNUSED) {
	struct world *world = world_new();
	struct map others;
	run_others(world, &others);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct schema_module *module = module_with(world, cases[i].type);
		const struct schema_json json = {.module = module, .modules = &others, .root = "request"};
		struct error err = {.msg = ""};
		int result = schema_check_json(&json, &schema_find_verb(module, "v")->verb.request,
					       str_from(cases[i].text), &err);
		char said[ERROR_TEXT_MAX] = "";
		if (cases[i].said != NULL)
			snprintf(said, sizeof said, "request%s%s",
				 cases[i].said[0] == '.' || cases[i].said[0] == '[' ? "" : ": ", cases[i].said);
		if (result != (cases[i].said ? -1 : 0) || strcmp(err.msg, said) != 0)
			fail_msg("%s %s\n%s\n%s", cases[i].type, cases[i].text, err.msg, said);
		assert_int_equal(err.code, result == 0 ? CODE_OK : CODE_INVALID_ARGUMENT);
	}
	map_deinit(&others);
	world_free(world);
}

/* A response may come from a module that is newer than the schema at hand. */
static void skips_unknown_fields_where_asked(void **state UNUSED) {
	static const char *const texts[][2] = {
		{"m.Item", "{\"name\": \"x\", \"new\": {\"a\": [1]}, \"name2\": null}"},
		{"m.Shape", "{\"new\": 1, \"name\": \"Circle\", \"value\": 1}"},
		{"Unit", "{\"new\": 1}"},
	};
	struct world *world = world_new();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct schema_module *module = module_with(world, texts[i][0]);
		const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
		struct schema_json json = {.module = module, .root = "response", .skip_unknown = true};
		struct error err;
		assert_int_equal(schema_check_json(&json, type, str_from(texts[i][1]), &err), 0);
		json.skip_unknown = false;
		assert_int_equal(schema_check_json(&json, type, str_from(texts[i][1]), &err), -1);
	}
	world_free(world);
}

static void takes_any_json_for_a_module_that_is_not_there(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = module_with(world, "m.Foreign");
	const struct schema_json json = {.module = module, .root = "request"};
	struct error err;
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	assert_int_equal(schema_check_json(&json, type, STR("{\"x\": [1]}"), &err), 0);
	assert_int_equal(schema_check_json(&json, type, STR("{\"x\": [}"), &err), -1);
	module = module_with(world, "m.Refs");
	const struct schema_json refs = {.module = module, .root = "request"};
	assert_int_equal(schema_check_json(&refs, &schema_find_verb(module, "v")->verb.request,
					   STR("{\"verb\": \"a.b\"}"), &err),
			 0);
	world_free(world);
}

static void shortens_long_paths_from_the_front(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = module_with(world, "m.Item");
	const struct schema_json json = {.module = module, .root = "request"};
	buf_clear(&world->buf);
	enum { DEEP = 90 };
	for (size_t i = 0; i < DEEP; i++)
		assert_int_equal(buf_append(&world->buf, STR("{\"name\": \"x\", \"next\": ")), 0);
	assert_int_equal(buf_append(&world->buf, STR("{\"name\": 1}")), 0);
	for (size_t i = 0; i < DEEP; i++)
		assert_int_equal(buf_append(&world->buf, STR("}")), 0);
	struct error err;
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	assert_int_equal(schema_check_json(&json, type, buf_view(&world->buf), &err), -1);
	assert_int_equal(strncmp(err.msg, "….next.next", 12), 0);
	assert_non_null(strstr(err.msg, ".next.name: expected String, got number"));
	assert_true(strlen(err.msg) < 450);
	world_free(world);
}

static void finds_a_key_twice_among_many(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = module_with(world, "{String: Int}");
	const struct schema_json json = {.module = module, .root = "request"};
	buf_clear(&world->buf);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&world->buf, "%s\"k%zu\":1", i ? "," : "{", i), 0);
	struct str before = buf_view(&world->buf);
	char *good = arena_printf(&world->arena, "%.*s}", STR_ARG(before));
	char *bad = arena_printf(&world->arena, "%.*s,\"k17\":1}", STR_ARG(before));
	struct error err;
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	assert_int_equal(schema_check_json(&json, type, str_from(good), &err), 0);
	assert_int_equal(schema_check_json(&json, type, str_from(bad), &err), -1);
	assert_string_equal(err.msg, "request[\"k17\"]: the key is there twice");
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_by_the_type),
		cmocka_unit_test(skips_unknown_fields_where_asked),
		cmocka_unit_test(takes_any_json_for_a_module_that_is_not_there),
		cmocka_unit_test(shortens_long_paths_from_the_front),
		cmocka_unit_test(finds_a_key_twice_among_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
