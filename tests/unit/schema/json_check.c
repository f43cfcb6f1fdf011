/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/map.h"
#include "base/memory.h"
#include "schema/json_check.h"

/* tests/vectors/json_values.json: a type within the module m, a text, and what every language says of it. */
static json_t *vectors;
static char *module_text, *other_text;

static char *joined(const json_t *lines) {
	struct buf text = BUF_INIT(MIB(1));
	for (size_t i = 0; i < json_array_size(lines); i++)
		assert_int_equal(buf_printf(&text, "%s\n", json_string_value(json_array_get(lines, i))), 0);
	char *copy = mem_strndup(buf_view(&text).ptr, buf_view(&text).len);
	buf_deinit(&text);
	return copy;
}

static int read_vectors(void **state UNUSED) {
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/../../vectors/json_values.json", getenv("TEST_FOLDER"));
	json_error_t problem;
	vectors = json_load_file(path, 0, &problem);
	if (vectors == NULL)
		fail_msg("%s:%d: %s", path, problem.line, problem.text);
	const json_t *modules = json_object_get(vectors, "modules");
	module_text = joined(json_object_get(modules, "m"));
	other_text = joined(json_object_get(modules, "other"));
	return 0;
}

static int forget_vectors(void **state UNUSED) {
	json_decref(vectors);
	free(module_text);
	free(other_text);
	return 0;
}

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

static int check(struct world *world, const struct map *others, const char *type, const char *text, bool response,
		 struct error *err) {
	const struct schema_module *module = module_with(world, type);
	const struct schema_json json = {.module = module,
					 .modules = others,
					 .root = response ? "response" : "request",
					 .skip_unknown = response};
	return schema_check_json(&json, &schema_find_verb(module, "v")->verb.request, str_from(text), err);
}

static const char *text_of(const json_t *vector, const char *key) {
	const char *text = json_string_value(json_object_get(vector, key));
	return text != NULL ? text : "";
}

static void gives_the_code_and_the_path_that_every_language_gives(void **state UNUSED) {
	struct world *world = world_new();
	struct map others;
	run_others(world, &others);
	const json_t *list = json_object_get(vectors, "vectors");
	assert_true(json_array_size(list) > 150);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *vector = json_array_get(list, i);
		const char *type = text_of(vector, "type"), *text = text_of(vector, "value");
		bool valid = strcmp(text_of(vector, "verdict"), "valid") == 0;
		struct error err = {.msg = ""};
		int result = check(world, &others, type, text, strcmp(text_of(vector, "as"), "response") == 0, &err);
		if (result != (valid ? 0 : -1) || strcmp(err.reason, text_of(vector, "code")) != 0)
			fail_msg("%s %s: %s, %s", type, text, err.reason, err.msg);
		const char *path = text_of(vector, "path");
		if (path[0] != '\0' && !str_eq_c(str_new(err.msg, err.path_len), path))
			fail_msg("%s %s: the path is %s, not %s", type, text, err.msg, path);
		assert_int_equal(err.code, valid ? CODE_OK : CODE_INVALID_ARGUMENT);
	}
	map_deinit(&others);
	world_free(world);
}

#define TEN "[0][0][0][0][0][0][0][0][0][0]"

/* The words are C's own. Of several faults the first in the text is told. */
static void says_what_was_expected(void **state UNUSED) {
	static const char *const cases[][3] = {
		{"Int", "9223372036854775808", "request: expected Int, got 9223372036854775808, which is over 64 bits"},
		{"Int", "1.0", "request: expected Int, got 1.0"},
		{"Int", "1e2", "request: expected Int, got 1e2"},
		{"Int", "\"1\"", "request: expected Int, got string"},
		{"Int", "null", "request: expected Int, got null"},
		{"Int", "", "request: not JSON at line 1, column 1: it ends too early"},
		{"Int", "\n 1x", "request: not JSON at line 2, column 3: something follows the value"},
		{"Float", "1e309", "request: expected Float, got 1e309, which is too large"},
		{"String", "5", "request: expected String, got number"},
		{"Bool", "0", "request: expected Bool, got number"},
		{"Bool", "trup", "request: not JSON at line 1, column 1: expected null, true or false"},
		{"Time", "\"\\u00326-01-02\"",
		 "request: expected Time, as in \"2026-01-02T03:04:05Z\", got \"26-01-02\""},
		{"Bytes", "\"AA\"", "request: expected Bytes in base64, got \"AA\""},
		{"Unit", "null", "request: expected Unit, which is {}, got null"},
		{"Unit", "{\"a\": 1}", "request: unknown field \"a\""},
		{"[Int]", "{}", "request: expected [Int], got object"},
		{"[Int]", "[1 2]", "request: not JSON at line 1, column 4: expected ',' or ']'"},
		{"[[Int]]", "[[], [true]]", "request[1][0]: expected Int, got boolean"},
		{"{String: Int}", "{\"a\": 1, \"b\": 2, \"\\u0061\": 1}", "request[\"a\"]: the key occurs twice"},
		{"{String: Int}", "[]", "request: expected {String: Int}, got array"},
		{"m.Ints", "{\"x\": true}", "request: expected a key that is an Int, got \"x\""},
		{"m.Ints", "{\"01\": true}", "request: expected the key \"1\", got \"01\""},
		{"m.Levels", "{\"6\": true}", "request: expected a key that is -1 or 5, got \"6\""},
		{"m.Moods", "{\"sat\": true}",
		 "request: expected \"happy\" or \"sad\", got \"sat\"; did you mean \"sad\"?"},
		{"m.Foreign", "{\"b\": {}}", "request: expected \"a\", got \"b\""},
		{"m.Item", "{}", "request.name: expected String, but it is missing"},
		{"m.Item", "{\"name\": \"x\", \"naem\": 1}", "request: unknown field \"naem\"; did you mean \"name\"?"},
		{"m.Item", "{\"name\": \"x\", \"name\": \"x\"}", "request.name: the field occurs twice"},
		{"m.Item", "[]", "request: expected Item, got array"},
		{"m.Box<m.Box<Int>>", "{\"value\": {\"value\": {}}}", "request.value.value: expected Int, got object"},
		{"m.Level", "6", "request: expected -1 or 5, got 6"},
		{"m.Level", "5.0", "request: expected Level, got 5.0"},
		{"m.Shape", "{\"name\": \"Circel\", \"value\": 1}",
		 "request.name: expected \"Circle\", \"Named\" or \"None\", got \"Circel\"; did you mean \"Circle\"?"},
		{"m.Shape", "{\"name\": \"Circle\"}",
		 "request: expected Shape, {\"name\": …, \"value\": …}, but \"value\" is missing"},
		{"m.Shape", "{\"name\": \"Circle\", \"value\": 1, \"x\": 1}",
		 "request: unknown field \"x\"; a Shape has \"name\" and \"value\""},
		{"m.Shape", "\"Circle\"", "request: expected Shape, {\"name\": …, \"value\": …}, got string"},
		{"m.Refs", "{\"verb\": \"time\"}",
		 "request.verb: expected the name of a verb, as in \"time.time\", got \"time\""},
		{"Int", "-9223372036854775809",
		 "request: expected Int, got -9223372036854775809, which is over 64 bits"},
		{"Int", "111111111111111111111111111111111111111111111111111111111111111111.1",
		 "request: expected Int, got 111111111111111111111111111111111111111111111111111111111111"},
		{"Int", "01", "request: not JSON at line 1, column 2: a number begins with 0"},
		{"Int", "-", "request: not JSON at line 1, column 2: expected a digit"},
		{"Float", "NaN", "request: not JSON at line 1, column 1: expected a value"},
		{"String", "\"a\\u0000\"", "request: not JSON at line 1, column 3: a NUL in a string"},
		{"String", "\"\\ud83d\"",
		 "request: not JSON at line 1, column 8: half of a surrogate pair in a string"},
		{"String", "\"\\x\"", "request: not JSON at line 1, column 4: an unknown escape in a string"},
		{"String", "\"\\u12g4\"",
		 "request: not JSON at line 1, column 2: expected four hexadecimal digits after \\u"},
		{"String", "\"a\nb\"", "request: not JSON at line 1, column 3: a control character in a string"},
		{"String", "\"a", "request: not JSON at line 1, column 3: it ends within a string"},
		{"Any",
		 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		 "request" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
		 ": not JSON at line 1, column 101: it is nested deeper than 100"},
		{"Any", "{\"a\": [0, {\"b\": 1, \"\\u0062\": 2}]}", "request[\"a\"][1][\"b\"]: the key occurs twice"},
		{"Any", "[1e400]", "request[0]: expected Any, got 1e400, which is too large"},
		{"{String: Int}", "{\"a\": 1,}", "request: not JSON at line 1, column 9: expected a key in \""},
		{"{String: Int}", "{\"a\" 1}", "request: not JSON at line 1, column 6: expected ':'"},
		{"m.Item", "{\"price\": [], \"name\": 1}", "request.price: expected Float, got array"},
		{"m.Item", "{\"name\": \"\", \"next\": {\"name\": \"\", \"next\": [}}",
		 "request.next.next: expected Item, got array"},
		{"m.Order", "{}", "request.items: expected [m.Item], but it is missing"},
		{"m.Order", "{\"items\": {}}", "request.items: expected [m.Item], got object"},
		{"m.Order", "{\"items\": []}", "request.counts: expected {String: Int}, but it is missing"},
		{"m.Page<Int>", "{}", "request.items: expected [T], but it is missing"},
		{"m.Page<Int>", "{\"items\": 1}", "request.items: expected [T], got number"},
		{"m.Page<Int>", "{\"items\": [], \"more\": 1}", "request.more: expected Box, got number"},
		{"m.Both<Int, [m.Mood]>", "{\"a\": 1}", "request.b: expected m.Box<B>, but it is missing"},
		{"m.Box<Int>", "{}", "request.value: expected U, but it is missing"},
		{"m.Many", "\"x\"",
		 "request: expected \"variant_number_00\", \"variant_number_01\", \"variant_number_02\", \"variant_number_03\", \"variant_number_04\", \"variant_number_05\", \"variant_number_06\", \"variant_number_07\", \"variant_number_08\", \"variant_number_09\", \"variant_number_10\", …, got \"x\""},
	};
	struct world *world = world_new();
	struct map others;
	run_others(world, &others);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err;
		assert_int_equal(check(world, &others, cases[i][0], cases[i][1], false, &err), -1);
		assert_string_equal(err.msg, cases[i][2]);
	}
	map_deinit(&others);
	world_free(world);
}

/* What JSON itself cannot hold. */
static void refuses_bytes_that_are_no_text(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = module_with(world, "String");
	const struct schema_json json = {.module = module, .root = "request"};
	struct error err;
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	assert_int_equal(schema_check_json(&json, type, STR("\"\xC3\""), &err), -1);
	assert_string_equal(err.msg, "request: not JSON at line 1, column 1: not UTF-8");
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
	assert_string_equal(err.msg, "request[\"k17\"]: the key occurs twice");
	world_free(world);
}

/* As --allow-breaking may leave them. */
static void bears_modules_that_do_not_fit(void **state UNUSED) {
	static const struct {
		const char *type, *json, *said;
	} misfits[] = {
		{"b.Circle", "1", "request: the type \"b.Circle\" stands for itself"},
		{"[b.Circle]", "[]", NULL},
		{"{b.Circle: Int}", "{\"x\":1}", NULL},
		{"D<b.Circle>", "{}", "request.x: expected T, but it is missing"},
		{"b.Pair<Int>", "{\"x\":1}", "request: the type \"b.Pair\" has other type parameters now"},
		{"b.Plain<Int>", "{}", "request: the type \"b.Plain\" has other type parameters now"},
		{"b.Gone", "{}", "request: the type \"b.Gone\" is not there"},
		{"b.run", "{}", "request: the type \"b.run\" is not there"},
	};
	for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
		struct world *world = world_new();
		struct map others;
		map_init(&others);
		map_put(&others, STR("b"),
			check_good(world,
				   "module b { typealias Circle m.Circle  data Pair<A, B> { x A  y B }  data Plain {}"
				   " export verb run(Unit) Unit }"));
		const struct schema_module *module = check_good(
			world, arena_printf(&world->arena,
					    "module m { typealias Circle b.Circle  data D<T> { x T } verb v(%s) Unit }",
					    misfits[i].type));
		const struct schema_json json = {.module = module, .modules = &others, .root = "request"};
		struct error err = {0};
		int result = schema_check_json(&json, &schema_find_verb(module, "v")->verb.request,
					       str_from(misfits[i].json), &err);
		assert_int_equal(result, misfits[i].said ? -1 : 0);
		if (misfits[i].said != NULL)
			assert_string_equal(err.msg, misfits[i].said);
		map_deinit(&others);
		world_free(world);
	}
}

/* Aliases in a row are followed without a step of the stack for each, at each of the levels. */
static void bears_long_rows_of_aliases(void **state UNUSED) {
	struct world *world = world_new();
	enum { ROW = SCHEMA_DECLS_MAX - 3, DEEP = 90, WIDE = 20000 };
	buf_clear(&world->buf);
	assert_int_equal(buf_append(&world->buf,
				    STR("module m { data D { next A0 } verb v(D) Unit  verb w([D]) Unit\n")),
			 0);
	for (size_t i = 0; i + 1 < ROW; i++)
		assert_int_equal(buf_printf(&world->buf, "typealias A%zu A%zu\n", i, i + 1), 0);
	assert_int_equal(buf_printf(&world->buf, "typealias A%d D? }", ROW - 1), 0);
	const struct schema_module *module = check_good(world, buf_text(&world->buf));
	const struct schema_json json = {.module = module, .root = "request"};
	struct error err;
	buf_clear(&world->buf);
	for (size_t i = 0; i < DEEP; i++)
		assert_int_equal(buf_append(&world->buf, STR("{\"next\":")), 0);
	assert_int_equal(buf_append(&world->buf, STR("null")), 0);
	for (size_t i = 0; i < DEEP; i++)
		assert_int_equal(buf_append(&world->buf, STR("}")), 0);
	assert_int_equal(schema_check_json(&json, &schema_find_verb(module, "v")->verb.request,
					   buf_view(&world->buf), &err), 0);
	buf_clear(&world->buf);
	for (size_t i = 0; i < WIDE; i++)
		assert_int_equal(buf_append(&world->buf, i == 0 ? STR("[{}") : STR(",{}")), 0);
	assert_int_equal(buf_append(&world->buf, STR("]")), 0);
	assert_int_equal(schema_check_json(&json, &schema_find_verb(module, "w")->verb.request,
					   buf_view(&world->buf), &err), 0);
	world_free(world);
}

/* What is many is searched otherwise than what is few. */
static void finds_among_many_members(void **state UNUSED) {
	struct world *world = world_new();
	enum { MANY = 100 };
	buf_clear(&world->buf);
	assert_int_equal(buf_append(&world->buf, STR("module m { data D {\n")), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(buf_printf(&world->buf, "f%zu %s\n", i,
					    i % 10 == 3   ? "E"
					    : i % 10 == 7 ? "N"
							  : "Int?"),
				 0);
	assert_int_equal(buf_append(&world->buf, STR("} enum E: String {\n")), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(buf_printf(&world->buf, "V%zu = \"v%zu\"\n", i, i), 0);
	assert_int_equal(buf_append(&world->buf, STR("} enum N: Int {\n")), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(buf_printf(&world->buf, "V%zu = %zu\n", i, i * 7), 0);
	assert_int_equal(buf_append(&world->buf, STR("} verb v(D) Unit }")), 0);
	const struct schema_module *module = check_good(world, buf_text(&world->buf));
	const struct schema_json json = {.module = module, .root = "request"};
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	buf_clear(&world->buf);
	for (size_t i = MANY; i-- > 0;)
		if (i % 10 == 3 || i % 10 == 7)
			assert_int_equal(buf_printf(&world->buf, i % 10 == 3 ? "%s\"f%zu\":\"v%zu\"" : "%s\"f%zu\":%zu",
						    i == 97 ? "{" : ",", i, i % 10 == 3 ? i : i * 7), 0);
	char *good = arena_printf(&world->arena, "%.*s}", STR_ARG(buf_view(&world->buf)));
	struct error err;
	assert_int_equal(schema_check_json(&json, type, str_from(good), &err), 0);
	struct {
		const char *more, *said;
	} bad[] = {
		{",\"f50\":null,\"f3\":\"v1\"}", "request.f3: the field occurs twice"},
		{",\"f100\":1}", "request: unknown field \"f100\"; did you mean \"f10\"?"},
		{",\"f1\":true}", "request.f1: expected Int, got boolean"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *text = arena_printf(&world->arena, "%.*s%s", STR_ARG(buf_view(&world->buf)), bad[i].more);
		assert_int_equal(schema_check_json(&json, type, str_from(text), &err), -1);
		assert_string_equal(err.msg, bad[i].said);
	}
	assert_int_equal(schema_check_json(&json, type, STR("{\"f3\":\"v100\"}"), &err), -1);
	assert_non_null(strstr(err.msg, "request.f3: expected \"v0\", \"v1\", "));
	assert_int_equal(schema_check_json(&json, type, STR("{\"f7\":8}"), &err), -1);
	assert_non_null(strstr(err.msg, "request.f7: expected 0, 7, 14, "));
	assert_int_equal(schema_check_json(&json, type, STR("{\"f3\":\"v99\"}"), &err), -1);
	assert_string_equal(err.msg, "request.f7: expected m.N, but it is missing");
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_code_and_the_path_that_every_language_gives),
		cmocka_unit_test(says_what_was_expected),
		cmocka_unit_test(refuses_bytes_that_are_no_text),
		cmocka_unit_test(skips_unknown_fields_where_asked),
		cmocka_unit_test(takes_any_json_for_a_module_that_is_not_there),
		cmocka_unit_test(shortens_long_paths_from_the_front),
		cmocka_unit_test(finds_a_key_twice_among_many),
		cmocka_unit_test(bears_modules_that_do_not_fit),
		cmocka_unit_test(bears_long_rows_of_aliases),
		cmocka_unit_test(finds_among_many_members),
	};
	return cmocka_run_group_tests(tests, read_vectors, forget_vectors);
}
