/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/map.h"
#include "base/memory.h"
#include "schema/json_check.h"

/* json_cases.json: a type within the module m, a text, and what is said of it; null: it is one. The SDK for Python says
 * the same, and its tests read the same file. */
static json_t *cases;
static char *module_text, *other_text;

static const char *text_of(const json_t *owner, size_t index) {
	return json_string_value(json_array_get(owner, index));
}

static int read_cases(void **state UNUSED) {
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/json_cases.json", getenv("TEST_FOLDER"));
	json_error_t problem;
	cases = json_load_file(path, 0, &problem);
	if (cases == NULL)
		fail_msg("%s:%d: %s", path, problem.line, problem.text);
	struct buf text = BUF_INIT(MIB(1));
	json_t *lines = json_object_get(cases, "m");
	for (size_t i = 0; i < json_array_size(lines); i++)
		assert_int_equal(buf_printf(&text, "%s\n", text_of(lines, i)), 0);
	module_text = mem_strndup(buf_view(&text).ptr, buf_view(&text).len);
	other_text = mem_strndup(json_string_value(json_object_get(cases, "other")),
				 json_string_length(json_object_get(cases, "other")));
	buf_deinit(&text);
	return 0;
}

static int forget_cases(void **state UNUSED) {
	json_decref(cases);
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

static void checks_by_the_type(void **state UNUSED) {
	struct world *world = world_new();
	struct map others;
	run_others(world, &others);
	json_t *table = json_object_get(cases, "cases");
	assert_true(json_array_size(table) > 150);
	for (size_t i = 0; i < json_array_size(table); i++) {
		const json_t *row = json_array_get(table, i);
		const char *type = text_of(row, 0), *text = text_of(row, 1), *said = text_of(row, 2);
		const struct schema_module *module = module_with(world, type);
		bool response = json_array_size(row) > 3;
		const struct schema_json json = {.module = module,
						 .modules = &others,
						 .root = response ? "response" : "request",
						 .skip_unknown = response};
		struct error err = {.msg = ""};
		int result =
			schema_check_json(&json, &schema_find_verb(module, "v")->verb.request, str_from(text), &err);
		if (result != (said ? -1 : 0) || strcmp(err.msg, said ? said : "") != 0)
			fail_msg("%s %s\n%s\n%s", type, text, err.msg, said ? said : "");
		assert_int_equal(err.code, result == 0 ? CODE_OK : CODE_INVALID_ARGUMENT);
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
	assert_string_equal(err.msg, "request[\"k17\"]: the key is there twice");
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
		{",\"f50\":null,\"f3\":\"v1\"}", "request.f3: the field is there twice"},
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
		cmocka_unit_test(checks_by_the_type),
		cmocka_unit_test(refuses_bytes_that_are_no_text),
		cmocka_unit_test(skips_unknown_fields_where_asked),
		cmocka_unit_test(takes_any_json_for_a_module_that_is_not_there),
		cmocka_unit_test(shortens_long_paths_from_the_front),
		cmocka_unit_test(finds_a_key_twice_among_many),
		cmocka_unit_test(bears_modules_that_do_not_fit),
		cmocka_unit_test(bears_long_rows_of_aliases),
		cmocka_unit_test(finds_among_many_members),
	};
	return cmocka_run_group_tests(tests, read_cases, forget_cases);
}
