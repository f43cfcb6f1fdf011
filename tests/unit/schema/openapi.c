/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include <jansson.h>

#include "base/map.h"
#include "schema/openapi.h"

static const char shop_text[] =
	"// Sells.\n"
	"module shop {\n"
	"  data Item {\n"
	"    // What it is called.\n"
	"    name String\n"
	"    count Int?\n"
	"    parts [Item]\n"
	"  }\n"
	"  data Page<T> { items [T]  more Page<T>? }\n"
	"  enum Kind: String { A = \"a\"  B = \"b\" }\n"
	"  enum Level: Int { Low = 1  High = 2 }\n"
	"  // One of two.\n"
	"  enum Sum {\n"
	"    // A circle.\n"
	"    Circle Float\n"
	"    Item Item\n"
	"  }\n"
	"  typealias Maybe Bytes?\n"
	"  data All { a Bool  b Time  c Bytes  d Any  e Unit  f {Int: Kind}  g {Level: Int}  h Maybe\n"
	"    i verb time.time  j time.Zone  k gone.Thing  l Sum }\n"
	"  // Orders.\n"
	"  export verb order(Item) Page<[Item]>\n"
	"  export verb all(All) Unit\n"
	"  verb hidden(Kind) Kind\n"
	"}\n";

static const char time_text[] =
	"module time { export enum Zone: String { Utc = \"UTC\" }  export verb time(Unit) Time }";

struct described {
	struct map modules;
	const struct schema_module *shop, *time;
};

static void describe(struct world *world, struct described *described) {
	map_init(&described->modules);
	described->shop = check_good(world, shop_text);
	described->time = check_good(world, time_text);
	(void)map_put(&described->modules, STR("shop"), (void *)described->shop);
	(void)map_put(&described->modules, STR("time"), (void *)described->time);
}

/* The member at a path of keys, as compact JSON. */
static void assert_member(const json_t *document, const char *path, const char *expected) {
	struct str rest = str_from(path);
	while (rest.ptr != NULL) {
		struct str key = str_cut(rest, '|', &rest);
		document = json_object_getn(document, key.ptr, key.len);
	}
	char *text = document ? json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	if (text == NULL || strcmp(text, expected) != 0)
		fail_msg("%s: %s", path, text ? text : "missing");
	free(text);
}

static void describes_exported_verbs(void **state UNUSED) {
	struct world *world = world_new();
	struct described described;
	describe(world, &described);
	const struct schema_module *both[] = {described.shop, described.time};
	const struct schema_openapi options = {
		.described = both,
		.described_count = 2,
		.modules = &described.modules,
		.title = "Shop",
		.version = "7",
		.server = "http://127.0.0.1:8892",
		.description = "Of a gateway.",
		.path_prefix = "/x/",
	};
	struct error err;
	assert_int_equal(schema_openapi(&options, &world->buf, &err), 0);
	json_t *document = json_loads(buf_text(&world->buf), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(document);
	assert_member(document, "openapi", "\"3.1.0\"");
	assert_member(document, "info", "{\"title\":\"Shop\",\"version\":\"7\",\"description\":\"Of a gateway.\"}");
	assert_member(document, "servers", "[{\"url\":\"http://127.0.0.1:8892\"}]");
	assert_member(document, "tags", "[{\"name\":\"shop\",\"description\":\"Sells.\"},{\"name\":\"time\"}]");
	assert_int_equal(json_object_size(json_object_get(document, "paths")), 3);
	assert_member(document, "paths|/x/shop.order|post|operationId", "\"shop.order\"");
	assert_member(document, "paths|/x/shop.order|post|description", "\"Orders.\"");
	assert_member(document, "paths|/x/shop.order|post|requestBody",
		      "{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/shop.Item\"}}},"
		      "\"required\":true}");
	assert_member(document, "paths|/x/shop.order|post|responses|200|content|application/json|schema",
		      "{\"$ref\":\"#/components/schemas/shop.Page-Array-shop.Item\"}");
	assert_member(document, "paths|/x/time.time|post|responses|200|content|application/json|schema",
		      "{\"type\":\"string\",\"format\":\"date-time\"}");
	assert_member(document, "paths|/x/time.time|post|requestBody|content|application/json|schema",
		      "{\"type\":\"object\",\"additionalProperties\":false}");
	/* In a response, so other fields may come. */
	assert_member(
		document, "components|schemas|shop.Item",
		"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"description\":\"What it is called.\"},"
		"\"count\":{\"anyOf\":[{\"type\":\"integer\",\"format\":\"int64\"},{\"type\":\"null\"}]},"
		"\"parts\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/shop.Item\"}}},"
		"\"required\":[\"name\",\"parts\"]}");
	assert_member(
		document, "components|schemas|shop.Page-Array-shop.Item",
		"{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":"
		"{\"$ref\":\"#/components/schemas/shop.Item\"}}},\"more\":{\"anyOf\":[{\"$ref\":"
		"\"#/components/schemas/shop.Page-Array-shop.Item\"},{\"type\":\"null\"}]}},\"required\":[\"items\"]}");
	assert_member(
		document, "components|schemas|shop.All",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"},\"b\":{\"type\":\"string\",\"format\":"
		"\"date-time\"},\"c\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},\"d\":{},\"e\":{\"type\":"
		"\"object\",\"additionalProperties\":false},\"f\":{\"type\":\"object\",\"propertyNames\":{\"pattern\":"
		"\"^(0|-?[1-9][0-9]*)$\"},\"additionalProperties\":{\"$ref\":\"#/components/schemas/shop.Kind\"}},"
		"\"g\":{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"1\",\"2\"]},\"additionalProperties\":"
		"{\"type\":\"integer\",\"format\":\"int64\"}},\"h\":{\"$ref\":\"#/components/schemas/shop.Maybe\"},"
		"\"i\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][A-Za-z0-9_]*\\\\.[A-Za-z_][A-Za-z0-9_]*$\"},"
		"\"j\":{\"$ref\":\"#/components/schemas/time.Zone\"},\"k\":{},\"l\":{\"$ref\":"
		"\"#/components/schemas/shop.Sum\"}},\"required\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"i\",\"j\","
		"\"l\"],\"additionalProperties\":false}");
	assert_member(document, "components|schemas|shop.Kind", "{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}");
	assert_member(document, "components|schemas|time.Zone", "{\"type\":\"string\",\"enum\":[\"UTC\"]}");
	assert_member(document, "components|schemas|shop.Maybe",
		      "{\"anyOf\":[{\"type\":\"string\",\"contentEncoding\":\"base64\"},{\"type\":\"null\"}]}");
	assert_member(
		document, "components|schemas|shop.Sum",
		"{\"oneOf\":[{\"type\":\"object\",\"description\":\"A circle.\",\"properties\":{\"name\":{\"const\":"
		"\"Circle\"},\"value\":{\"type\":\"number\",\"format\":\"double\"}},\"required\":[\"name\",\"value\"],"
		"\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{\"name\":{\"const\":\"Item\"},"
		"\"value\":{\"$ref\":\"#/components/schemas/shop.Item\"}},\"required\":[\"name\",\"value\"],"
		"\"additionalProperties\":false}],\"description\":\"One of two.\"}");
	json_decref(document);
	map_deinit(&described.modules);
	world_free(world);
}

static void makes_the_schema_of_one_type(void **state UNUSED) {
	struct world *world = world_new();
	struct described described;
	describe(world, &described);
	const struct schema_decl *order = schema_find_verb(described.shop, "order");
	struct error err;
	assert_int_equal(
		schema_json_schema(described.shop, &described.modules, &order->verb.request, false, &world->buf, &err),
		0);
	json_t *document = json_loads(buf_text(&world->buf), JSON_REJECT_DUPLICATES, NULL);
	assert_member(document, "$schema", "\"https://json-schema.org/draft/2020-12/schema\"");
	assert_member(document, "$ref", "\"#/$defs/shop.Item\"");
	assert_member(document, "$defs|shop.Item|additionalProperties", "false");
	assert_member(document, "$defs|shop.Item|properties|parts|items", "{\"$ref\":\"#/$defs/shop.Item\"}");
	json_decref(document);
	buf_clear(&world->buf);
	const struct schema_decl *time = schema_find_verb(described.time, "time");
	assert_int_equal(
		schema_json_schema(described.time, &described.modules, &time->verb.response, true, &world->buf, &err),
		0);
	assert_string_equal(buf_text(&world->buf),
			    "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
			    "  \"type\": \"string\",\n  \"format\": \"date-time\"\n}");
	map_deinit(&described.modules);
	world_free(world);
}

/* Few lines of schema can stand for more types than there is room for. */
static void keeps_to_its_limits(void **state UNUSED) {
	static const struct {
		const char *text;
		size_t max;
		const char *said;
	} cases[] = {
		{"module m { data P<A, B> { a A  b B }  data D0<T> { t T }"
		 " data D1<T> { d D0<P<T, T>> } data D2<T> { d D1<P<T, T>> } data D3<T> { d D2<P<T, T>> }"
		 " data D4<T> { d D3<P<T, T>> } data D5<T> { d D4<P<T, T>> } data D6<T> { d D5<P<T, T>> }"
		 " data D7<T> { d D6<P<T, T>> } data D8<T> { d D7<P<T, T>> } verb v(D8<Int>) Unit }",
		 MIB(1), "a generic type has too many arguments in arguments for a name; the limit is 500"},
		{"module m { data D { a Int } verb v(D) Unit }", 20, "the description is too large; the limit is 20"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *world = world_new();
		struct map modules;
		map_init(&modules);
		struct schema_module *module = check_good(world, cases[i].text);
		(void)map_put(&modules, STR("m"), module);
		struct buf buf = BUF_INIT(cases[i].max);
		struct error err;
		const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
		assert_int_equal(schema_json_schema(module, &modules, type, false, &buf, &err), -1);
		assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
		assert_string_equal(err.msg, cases[i].said);
		buf_deinit(&buf);
		map_deinit(&modules);
		world_free(world);
	}
}

static void writes_no_more_types_than_its_limit(void **state UNUSED) {
	struct world *world = world_new();
	struct map modules;
	map_init(&modules);
	assert_int_equal(buf_append(&world->buf, STR("module m { data D<T> {")), 0);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(buf_printf(&world->buf, " f%zu T\n", i), 0);
	assert_int_equal(buf_append(&world->buf, STR("} data E {")), 0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(buf_printf(&world->buf, " f%zu D<", i), 0);
		for (size_t j = 0; j < 7; j++)
			assert_int_equal(buf_printf(&world->buf, "%s", i >> j & 1 ? "[" : "{Int:"), 0);
		assert_int_equal(buf_append(&world->buf, STR("Int")), 0);
		for (size_t j = 7; j-- > 0;)
			assert_int_equal(buf_printf(&world->buf, "%s", i >> j & 1 ? "]" : "}"), 0);
		assert_int_equal(buf_append(&world->buf, STR(">\n")), 0);
	}
	assert_int_equal(buf_append(&world->buf, STR("} verb v(E) E }")), 0);
	struct schema_module *module = check_good(world, buf_text(&world->buf));
	(void)map_put(&modules, STR("m"), module);
	struct error err;
	const struct schema_type *type = &schema_find_verb(module, "v")->verb.request;
	assert_int_equal(schema_json_schema(module, &modules, type, false, &world->buf, &err), -1);
	assert_string_equal(err.msg, "the types to write out are too many; the limit is 200000");
	map_deinit(&modules);
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describes_exported_verbs),
		cmocka_unit_test(makes_the_schema_of_one_type),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(writes_no_more_types_than_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
