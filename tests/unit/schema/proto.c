/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include "schema.pb-c.h"

static const char whole[] = "// Greets people.\n"
			    "module echo {\n"
			    "  +language c\n"
			    "  +entry main.so\n"
			    "  +bind unix\n"
			    "  +created 2026-01-02T03:04:05.5Z\n"
			    "  +owner team-a\n"
			    "\n"
			    "  // Who to greet.\n"
			    "  export data EchoRequest {\n"
			    "    // Nobody when absent.\n"
			    "    name String? +alias json rqn +secret\n"
			    "    a Int\n"
			    "    b Float\n"
			    "    c Bytes\n"
			    "    d Bool\n"
			    "    e Time\n"
			    "    f Any\n"
			    "    g Unit\n"
			    "    h [Int]\n"
			    "    i {String: echo.Level}\n"
			    "    j verb time.time\n"
			    "  }\n"
			    "\n"
			    "  data Page<T, U> {\n"
			    "    items [T]\n"
			    "    more {Int: echo.Page<U, other.Thing>?}\n"
			    "  }\n"
			    "      +sensitive\n"
			    "\n"
			    "  enum Mood: String {\n"
			    "    // Not sad.\n"
			    "    Happy = \"happy\"\n"
			    "    Sad = \"\"\n"
			    "  }\n"
			    "\n"
			    "  export enum Level: Int {\n"
			    "    Low = -1\n"
			    "    Zero = 0\n"
			    "  }\n"
			    "      +x\n"
			    "\n"
			    "  enum Shape {\n"
			    "    Circle Float\n"
			    "    Named echo.Mood\n"
			    "  }\n"
			    "\n"
			    "  export typealias Id String\n"
			    "\n"
			    "  export verb echo(echo.EchoRequest) echo.Page<Int, [Int]>\n"
			    "      +calls time.time, echo.list\n"
			    "      +cron 5m\n"
			    "\n"
			    "  verb list(Unit) [echo.Id]\n"
			    "}\n";

/* protobuf-c's strings are not const. */
static char *text(const char *literal) {
	return (char *)literal;
}

static struct schema_module *over_the_wire(struct world *world, const struct schema_module *module) {
	Schema__Module *message = schema_to_proto(module, &world->arena);
	size_t size = schema__module__get_packed_size(message);
	uint8_t *bytes = test_malloc(size);
	schema__module__pack(message, bytes);
	Schema__Module *received = schema__module__unpack(NULL, size, bytes);
	test_free(bytes);
	assert_non_null(received);
	struct schema_module *copy;
	if (schema_from_proto(received, &world->arena, &copy, &world->diagnostics) != 0)
		fail_msg("%s", diagnostics_text(world));
	schema__module__free_unpacked(received, NULL);
	return copy;
}

static void survives_the_wire(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *copy = over_the_wire(world, check_good(world, whole));
	assert_int_equal(schema_check(copy, &world->diagnostics), 0);
	assert_string_equal(print(world, copy), whole);
	assert_int_equal(copy->decls[1].pos.line, 25);
	assert_int_equal(copy->decls[1].pos.column, 8);
	assert_string_equal(copy->decls[1].pos.file, "t.ftl");
	assert_int_equal(copy->decls[0].data.fields[0].pos.line, 12);
	world_free(world);
}

/* The message that clients of 2023 send and read; only an ingress of two words has it. */
static void an_ingress_has_a_message_of_its_own(void **state UNUSED) {
	static const char told[] = "module a {\n"
				   "  verb v(Int) Int\n"
				   "      +ingress GET /x/{y}\n"
				   "      +ingress POST /x twice\n"
				   "}\n";
	struct world *world = world_new();
	const struct schema_module *module = check_good(world, told);
	const Schema__Module *message = schema_to_proto(module, &world->arena);
	Schema__Metadata **metadata = message->decls[0]->verb->metadata;
	assert_int_equal(metadata[0]->value_case, SCHEMA__METADATA__VALUE_INGRESS);
	assert_string_equal(metadata[0]->ingress->method, "GET");
	assert_string_equal(metadata[0]->ingress->path, "/x/{y}");
	assert_int_equal(metadata[1]->value_case, SCHEMA__METADATA__VALUE_OTHER);
	assert_string_equal(print(world, over_the_wire(world, module)), told);
	world_free(world);
}

static char *canonical(struct world *world, const struct schema_module *module, size_t *ret_size) {
	buf_clear(&world->buf);
	assert_int_equal(schema_canonical(module, &world->buf), 0);
	*ret_size = buf_len(&world->buf);
	return arena_strdup(&world->arena, buf_view(&world->buf));
}

static bool same_identity(struct world *world, const char *left, const char *right) {
	size_t left_size, right_size;
	const char *left_bytes = canonical(world, check_good(world, left), &left_size);
	const char *right_bytes = canonical(world, check_good(world, right), &right_size);
	return left_size == right_size && memcmp(left_bytes, right_bytes, left_size) == 0;
}

static void canonical_bytes_stand_for_the_schema(void **state UNUSED) {
	struct world *world = world_new();
	static const char plain[] =
		"module a { +language c\n +created 2026-01-02T03:04:05Z\n data D { f a.E } data E {} }";
	assert_true(same_identity(world, plain, "module a {\n+language c\n\n data\nD { f E } data E {} }"));
	assert_true(same_identity(world, "module a {}", "module a { +created 2026-01-02T03:04:05Z\n }"));
	static const char *const others[] = {
		"module b { +language c\n data D { f b.E } data E {} }",
		"module a { +language go\n data D { f a.E } data E {} }",
		"module a { +language c\n +entry x\n data D { f a.E } data E {} }",
		"module a { +language c\n +bind unix\n data D { f a.E } data E {} }",
		"module a { +language c\n data D { g a.E } data E {} }",
		"module a { +language c\n data D { f a.E? } data E {} }",
		"module a { +language c\n export data D { f a.E } data E {} }",
		"module a { +language c\n data E {} data D { f a.E } }",
		"module a { +language c\n data D { f a.E } data E {} +x\n }",
		"module a { +language c\n // comment\n data D { f a.E } data E {} }",
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (same_identity(world, plain, others[i]))
			fail_msg("taken for the same: %s", others[i]);
	size_t size, again;
	const struct schema_module *module = check_good(world, whole);
	const char *bytes = canonical(world, module, &size);
	assert_memory_equal(bytes, canonical(world, over_the_wire(world, module), &again), size);
	assert_int_equal(size, again);
	world_free(world);
}

static const char *said_of(struct world *world, const Schema__Module *message) {
	struct schema_module *module = NULL;
	world->diagnostics.count = 0;
	int result = schema_from_proto(message, &world->arena, &module, &world->diagnostics);
	assert_int_equal(result, world->diagnostics.count > 0 ? -1 : 0);
	assert_true((module != NULL) == (result == 0));
	return diagnostics_text(world);
}

static Schema__Module module_of(Schema__Decl **decls, size_t count) {
	Schema__Module module = SCHEMA__MODULE__INIT;
	module.name = text("m");
	module.n_decls = count;
	module.decls = decls;
	return module;
}

static const char *said_of_data(struct world *world, Schema__Data *data) {
	Schema__Decl decl = SCHEMA__DECL__INIT, *decls[] = {&decl};
	decl.value_case = SCHEMA__DECL__VALUE_DATA;
	decl.data = data;
	Schema__Module module = module_of(decls, 1);
	return said_of(world, &module);
}

static const char *said_of_type(struct world *world, Schema__Type *type) {
	Schema__Field field = SCHEMA__FIELD__INIT, *fields[] = {&field};
	field.name = text("f");
	field.type = type;
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = text("D");
	data.n_fields = 1;
	data.fields = fields;
	return said_of_data(world, &data);
}

static const char *said_of_verb(struct world *world, Schema__Verb *verb) {
	Schema__Decl decl = SCHEMA__DECL__INIT, *decls[] = {&decl};
	decl.value_case = SCHEMA__DECL__VALUE_VERB;
	decl.verb = verb;
	Schema__Module module = module_of(decls, 1);
	return said_of(world, &module);
}

static const char *said_of_enum(struct world *world, Schema__Enum *enumeration) {
	Schema__Decl decl = SCHEMA__DECL__INIT, *decls[] = {&decl};
	decl.value_case = SCHEMA__DECL__VALUE_ENUM;
	decl.enum_ = enumeration;
	Schema__Module module = module_of(decls, 1);
	return said_of(world, &module);
}

static void refuses_a_module_that_names_nothing(void **state UNUSED) {
	struct world *world = world_new();
	Schema__Module module = SCHEMA__MODULE__INIT;
	assert_string_equal(said_of(world, &module), "the schema: the module has no name\n");
	module.name = text("a-b");
	assert_string_equal(said_of(world, &module), "the schema: the name of the module is not a name\n"
						     "    hint: letters, digits and underscores, at most 64\n");
	Schema__Decl nothing = SCHEMA__DECL__INIT, *decls[] = {&nothing, &nothing};
	module = module_of(decls, 2);
	assert_string_equal(said_of(world, &module),
			    "declaration 1: a declaration of no kind, or of one that this version does not know\n"
			    "declaration 2: a declaration of no kind, or of one that this version does not know\n");
	Schema__Data data = SCHEMA__DATA__INIT;
	assert_string_equal(said_of_data(world, &data), "declaration 1: the data has no name\n");
	data.name = text("D\x1B");
	assert_string_equal(said_of_data(world, &data), "declaration 1: the name of the data is not a name\n"
							"    hint: letters, digits and underscores, at most 64\n");
	Schema__Field field = SCHEMA__FIELD__INIT, *fields[] = {&field};
	data.name = text("D");
	data.n_fields = 1;
	data.fields = fields;
	assert_string_equal(said_of_data(world, &data), "D, field 1: a type is missing\n"
							"D, field 1: the field has no name\n");
	world_free(world);
}

static void refuses_a_verb_without_types(void **state UNUSED) {
	struct world *world = world_new();
	Schema__Verb verb = SCHEMA__VERB__INIT;
	assert_string_equal(said_of_verb(world, &verb), "declaration 1: the verb has no name\n"
							"declaration 1: the verb has no request\n"
							"    hint: Unit is nothing\n"
							"declaration 1: the verb has no response\n"
							"    hint: Unit is nothing\n");
	Schema__DataRef ref = SCHEMA__DATA_REF__INIT;
	Schema__Unit unit = SCHEMA__UNIT__INIT;
	Schema__Type type = SCHEMA__TYPE__INIT;
	type.value_case = SCHEMA__TYPE__VALUE_UNIT;
	type.unit = &unit;
	verb.name = text("v");
	verb.request = &ref;
	verb.response_type = &type;
	assert_string_equal(said_of_verb(world, &verb), "v: a reference has no name\n");
	ref.name = text("D");
	assert_string_equal(said_of_verb(world, &verb), "");
	verb.request_type = &type;
	assert_string_equal(said_of_verb(world, &verb), "v: the verb has two types for its request\n");
	world_free(world);
}

static void refuses_broken_types(void **state UNUSED) {
	struct world *world = world_new();
	Schema__Type nothing = SCHEMA__TYPE__INIT, type = SCHEMA__TYPE__INIT;
	assert_string_equal(said_of_type(world, NULL), "D.f: a type is missing\n");
	assert_string_equal(said_of_type(world, &nothing),
			    "D.f: a type of no kind, or of one that this version does not know\n");
	Schema__Map map = SCHEMA__MAP__INIT;
	type.value_case = SCHEMA__TYPE__VALUE_MAP;
	type.map = &map;
	assert_string_equal(said_of_type(world, &type), "D.f: a type is missing\n");
	Schema__Array arrays[SCHEMA_DEPTH_MAX];
	Schema__Type types[SCHEMA_DEPTH_MAX + 1];
	for (size_t i = 0; i < SCHEMA_DEPTH_MAX; i++) {
		schema__array__init(&arrays[i]);
		schema__type__init(&types[i]);
		types[i].value_case = SCHEMA__TYPE__VALUE_ARRAY;
		types[i].array = &arrays[i];
		arrays[i].element = &types[i + 1];
	}
	types[SCHEMA_DEPTH_MAX] = type;
	assert_string_equal(said_of_type(world, &types[0]), "D.f: types nested deeper than 24\n"
							    "    hint: give a part of it a name\n");
	world_free(world);
}

static void refuses_broken_enums(void **state UNUSED) {
	struct world *world = world_new();
	Schema__EnumVariant variant = SCHEMA__ENUM_VARIANT__INIT, *variants[] = {&variant};
	Schema__Enum enumeration = SCHEMA__ENUM__INIT;
	enumeration.name = text("E");
	enumeration.n_variants = 1;
	enumeration.variants = variants;
	assert_string_equal(said_of_enum(world, &enumeration), "E, variant 1: the variant has no name\n"
							       "E, variant 1: the variant has no type\n");
	variant.name = text("A");
	variant.value_case = SCHEMA__ENUM_VARIANT__VALUE_INT;
	assert_string_equal(said_of_enum(world, &enumeration), "E.A: the variant has no type\n");
	Schema__String string = SCHEMA__STRING__INIT;
	Schema__Type type = SCHEMA__TYPE__INIT;
	enumeration.type = &type;
	type.value_case = SCHEMA__TYPE__VALUE_STRING;
	type.string = &string;
	assert_string_equal(said_of_enum(world, &enumeration), "E.A: the variant has no value that is a String\n");
	variant.value_case = SCHEMA__ENUM_VARIANT__VALUE_STRING;
	variant.string = text("\xFF");
	assert_string_equal(said_of_enum(world, &enumeration), "E.A: the value is not UTF-8\n");
	variant.string = text("x");
	assert_string_equal(said_of_enum(world, &enumeration), "");
	type.value_case = SCHEMA__TYPE__VALUE_TIME;
	assert_string_equal(said_of_enum(world, &enumeration), "E: the values of an enum are Int or String\n");
	world_free(world);
}

static void refuses_broken_texts_and_metadata(void **state UNUSED) {
	struct world *world = world_new();
	char *comments[] = {text("good\nlines \r\n"), text("\x1B[2J")};
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = text("D");
	data.n_comments = 2;
	data.comments = comments;
	assert_string_equal(said_of_data(world, &data), "D: a comment has a control character in it\n");
	data.n_comments = 0;

	Schema__Metadata nothing = SCHEMA__METADATA__INIT, calls = nothing, other = nothing;
	Schema__MetadataCalls no_calls = SCHEMA__METADATA_CALLS__INIT;
	Schema__MetadataOther named_calls = SCHEMA__METADATA_OTHER__INIT;
	calls.value_case = SCHEMA__METADATA__VALUE_CALLS;
	calls.calls = &no_calls;
	other.value_case = SCHEMA__METADATA__VALUE_OTHER;
	other.other = &named_calls;
	named_calls.name = text("calls");
	Schema__Metadata *metadata[] = {&nothing, &calls, &other};
	data.n_metadata = 3;
	data.metadata = metadata;
	assert_string_equal(said_of_data(world, &data),
			    "D: +calls has a message of its own\n"
			    "D: +calls names no verb\n"
			    "D: metadata of no kind, or of one that this version does not know\n");

	Schema__ModuleRuntime runtime = SCHEMA__MODULE_RUNTIME__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Schema__Module module = module_of(NULL, 0);
	module.runtime = &runtime;
	runtime.entry = text("a\nb");
	runtime.create_time = &time;
	time.seconds = INT64_MAX;
	named_calls.name = text("bind");
	module.n_metadata = 1;
	module.metadata = metadata + 2;
	assert_string_equal(said_of(world, &module), "module m: +bind of a module belongs into its runtime\n"
						     "module m: the create time is out of range\n"
						     "module m: the entry has a control character in it\n");
	world_free(world);
}

static void refuses_what_is_over_a_limit(void **state UNUSED) {
	struct world *world = world_new();
	enum { MANY = SCHEMA_NODES_MAX };
	char **lines = test_malloc(MANY * sizeof *lines);
	for (size_t i = 0; i < MANY; i++)
		lines[i] = text("01234567890123456789012345678901234567890123456789");
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = text("D");
	data.n_comments = MANY;
	data.comments = lines;
	data.n_comments = MANY / 2;
	assert_string_equal(said_of_data(world, &data), "D: the module has more than 1048576 bytes of text\n"
							"    hint: split the module\n");
	data.n_comments = MANY;
	for (size_t i = 0; i < MANY; i++)
		lines[i] = text("");
	assert_string_equal(said_of_data(world, &data), "D: the module is too large: more than 50000 parts\n"
							"    hint: split the module\n");
	test_free(lines);
	world_free(world);
}

/* Far more than the arena has room for, which is the one of CreateDeployment. */
static void refuses_too_many_calls(void **state UNUSED) {
	struct world *world = world_new();
	enum { MANY = 4000000 };
	Schema__VerbRef ref = SCHEMA__VERB_REF__INIT;
	Schema__VerbRef **refs = test_malloc(MANY * sizeof(Schema__VerbRef *));
	for (size_t i = 0; i < MANY; i++)
		refs[i] = &ref;
	Schema__MetadataCalls calls = SCHEMA__METADATA_CALLS__INIT;
	calls.n_calls = MANY;
	calls.calls = refs;
	Schema__Metadata metadata = SCHEMA__METADATA__INIT, *list[] = {&metadata};
	metadata.value_case = SCHEMA__METADATA__VALUE_CALLS;
	metadata.calls = &calls;
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = text("D");
	data.n_metadata = 1;
	data.metadata = list;
	world->arena.max = SCHEMA_ARENA_MAX + MIB(16);
	ref.module = text("o");
	ref.name = text("v");
	assert_string_equal(said_of_data(world, &data), "D: the module is too large: more than 50000 parts\n"
							"    hint: split the module\n");
	test_free((void *)refs);
	world_free(world);
}

static void refuses_too_many_of_a_kind(void **state UNUSED) {
	struct world *world = world_new();
	enum { MANY = SCHEMA_DECLS_MAX + 1 };
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = text("D");
	Schema__Decl decl = SCHEMA__DECL__INIT, *decls[MANY];
	decl.value_case = SCHEMA__DECL__VALUE_DATA;
	decl.data = &data;
	Schema__Field field = SCHEMA__FIELD__INIT, *fields[MANY];
	Schema__TypeParameter param = SCHEMA__TYPE_PARAMETER__INIT, *params[SCHEMA_PARAMS_MAX + 1];
	param.name = text("T");
	for (size_t i = 0; i < MANY; i++) {
		decls[i] = &decl;
		fields[i] = &field;
		params[i % ARRAY_LEN(params)] = &param;
	}
	Schema__Module module = module_of(decls, MANY);
	assert_string_equal(said_of(world, &module), "module m: more than 4000 declarations\n"
						     "    hint: split the module\n");
	data.n_fields = MANY;
	data.fields = fields;
	assert_string_equal(said_of_data(world, &data), "D: more than 4000 fields\n"
							"    hint: split it\n");
	data.n_fields = 0;
	data.n_type_parameters = ARRAY_LEN(params);
	data.type_parameters = params;
	assert_string_equal(said_of_data(world, &data), "D: more than 16 type parameters\n");
	world_free(world);
}

static void fills_in_its_own_name(void **state UNUSED) {
	struct world *world = world_new();
	Schema__DataRef bare = SCHEMA__DATA_REF__INIT;
	bare.name = text("D");
	Schema__Verb verb = SCHEMA__VERB__INIT;
	verb.name = text("v");
	verb.request = verb.response = &bare;
	Schema__Decl decl = SCHEMA__DECL__INIT, *decls[] = {&decl};
	decl.value_case = SCHEMA__DECL__VALUE_VERB;
	decl.verb = &verb;
	Schema__Module message = module_of(decls, 1);
	struct schema_module *module;
	assert_int_equal(schema_from_proto(&message, &world->arena, &module, &world->diagnostics), 0);
	assert_string_equal(module->decls[0].verb.request.ref.module, "m");
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_the_wire),
		cmocka_unit_test(an_ingress_has_a_message_of_its_own),
		cmocka_unit_test(canonical_bytes_stand_for_the_schema),
		cmocka_unit_test(refuses_a_module_that_names_nothing),
		cmocka_unit_test(refuses_a_verb_without_types),
		cmocka_unit_test(refuses_broken_types),
		cmocka_unit_test(refuses_broken_enums),
		cmocka_unit_test(refuses_broken_texts_and_metadata),
		cmocka_unit_test(refuses_what_is_over_a_limit),
		cmocka_unit_test(refuses_too_many_calls),
		cmocka_unit_test(refuses_too_many_of_a_kind),
		cmocka_unit_test(fills_in_its_own_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
