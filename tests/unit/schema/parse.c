/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

static void reads_the_whole_language(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(
		world,
		"// Greets people.\n"
		"module echo {\n"
		"  +language c\n"
		"  +entry bin/main\n"
		"  +bind unix\n"
		"  +created 2026-01-02T03:04:05.5+01:00\n"
		"  // Who to greet.\n"
		"  export data EchoRequest { name String? }\n"
		"  data EchoResponse { message String  at Time  tags [String]  counts {String: Int} }\n"
		"  enum Mood: String { Happy = \"happy\"  Sad = \"sad\" }\n"
		"  enum Level: Int { Low = -1  High = 9223372036854775807 }\n"
		"  enum Shape { Circle Float  Named echo.Mood }\n"
		"  typealias Id String\n"
		"  data Page<T, U> { items [T]  extra {Mood: U?}  raw Bytes  any Any  ok Bool  next verb time.time }\n"
		"  export verb echo(echo.EchoRequest) echo.EchoResponse\n"
		"      +calls time.time, echo.list\n"
		"  verb list(Unit) Page<Id, [Int]>\n"
		"}\n");
	assert_string_equal(module->name, "echo");
	assert_string_equal(module->comments.lines[0], "Greets people.");
	assert_string_equal(module->language, "c");
	assert_string_equal(module->entry, "bin/main");
	assert_string_equal(module->bind, "unix");
	assert_int_equal(module->create_time.seconds, 1767319445);
	assert_int_equal(module->create_time.nanos, 500000000);
	assert_int_equal(module->decl_count, 9);

	const struct schema_decl *request = schema_find_decl(module, "EchoRequest");
	assert_true(request->exported);
	assert_int_equal(request->pos.line, 8);
	assert_int_equal(request->pos.column, 15);
	assert_string_equal(request->comments.lines[0], "Who to greet.");
	assert_int_equal(request->data.fields[0].type.kind, SCHEMA_OPTIONAL);
	assert_int_equal(request->data.fields[0].type.element->kind, SCHEMA_STRING);

	const struct schema_decl *response = schema_find_decl(module, "EchoResponse");
	assert_false(response->exported);
	assert_int_equal(response->data.field_count, 4);
	assert_int_equal(schema_find_field(response, STR("at"))->type.kind, SCHEMA_TIME);
	assert_int_equal(schema_find_field(response, STR("tags"))->type.kind, SCHEMA_ARRAY);
	assert_int_equal(schema_find_field(response, STR("counts"))->type.key->kind, SCHEMA_STRING);
	assert_int_equal(schema_find_field(response, STR("counts"))->type.element->kind, SCHEMA_INT);

	const struct schema_decl *mood = schema_find_decl(module, "Mood");
	assert_int_equal(mood->kind, SCHEMA_ENUM);
	assert_string_equal(mood->enumeration.variants[1].text, "sad");
	const struct schema_decl *level = schema_find_decl(module, "Level");
	assert_true(level->enumeration.of_int);
	assert_true(level->enumeration.variants[0].number == -1);
	assert_true(level->enumeration.variants[1].number == INT64_MAX);
	const struct schema_decl *shape = schema_find_decl(module, "Shape");
	assert_int_equal(shape->kind, SCHEMA_SUM);
	assert_int_equal(shape->enumeration.variants[0].type->kind, SCHEMA_FLOAT);

	const struct schema_decl *page = schema_find_decl(module, "Page");
	assert_int_equal(page->data.param_count, 2);
	const struct schema_type *items = &page->data.fields[0].type;
	assert_string_equal(items->element->ref.module, "");
	assert_string_equal(items->element->ref.name, "T");
	assert_string_equal(page->data.fields[1].type.key->ref.module, "echo");
	assert_int_equal(page->data.fields[5].type.kind, SCHEMA_VERB_REF);
	assert_string_equal(page->data.fields[5].type.ref.module, "time");

	const struct schema_decl *verb = schema_next_verb(module, NULL);
	assert_string_equal(verb->name, "echo");
	assert_true(schema_verb_calls(verb, "time", "time"));
	assert_true(schema_verb_calls(verb, "echo", "list"));
	assert_false(schema_verb_calls(verb, "time", "list"));
	verb = schema_next_verb(module, verb);
	assert_string_equal(verb->name, "list");
	assert_int_equal(verb->verb.request.kind, SCHEMA_UNIT);
	assert_int_equal(verb->verb.response.arg_count, 2);
	assert_null(schema_next_verb(module, verb));
	assert_string_equal(schema_nearest_verb(module, "ehco"), "echo");
	assert_null(schema_nearest_verb(module, "something"));
	world_free(world);
}

/* As version 0.43 of 2023 prints it; the metadata of a declaration may share a line. */
static void reads_metadata_without_a_plus(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(world, "module todo {\n"
							       "  data Item {\n"
							       "    calls Int\n"
							       "    ingress String\n"
							       "  }\n"
							       "\n"
							       "  verb create(Item) Item  \n"
							       "      calls destroy, time.time,\n"
							       "            echo.echo\n"
							       "      \n"
							       "\n"
							       "  verb destroy(Item) Item  \n"
							       "      ingress GET /todo/destroy  calls echo.echo\n"
							       "}\n");
	assert_int_equal(schema_find_decl(module, "Item")->data.field_count, 2);
	assert_string_equal(print(world, module), "module todo {\n"
						  "  data Item {\n"
						  "    calls Int\n"
						  "    ingress String\n"
						  "  }\n"
						  "\n"
						  "  verb create(todo.Item) todo.Item\n"
						  "      +calls todo.destroy, time.time, echo.echo\n"
						  "\n"
						  "  verb destroy(todo.Item) todo.Item\n"
						  "      +ingress GET /todo/destroy\n"
						  "      +calls echo.echo\n"
						  "}\n");
	world_free(world);
}

static void keeps_metadata_of_other_names(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module =
		check_good(world, "module a {\n"
				  "  +owner team-a \"two words\"\n"
				  "  data D { f String +alias json \"rqn\" +secret\n g Int +x y } +sensitive\n"
				  "  verb v(D) D +ingress GET /users/{id} +x +calls a.v, b.w // end\n"
				  "  verb w(D) D\n"
				  "    +cron 5m\n"
				  "    +quoted \"\" \"+\" \"//\" \"}\" \"\\\"\"\n"
				  "}");
	assert_string_equal(module->metadata.items[0].args[1], "two words");
	const struct schema_decl *data = schema_find_decl(module, "D");
	assert_int_equal(data->data.field_count, 2);
	assert_int_equal(data->data.fields[0].metadata.count, 2);
	assert_string_equal(data->data.fields[0].metadata.items[0].args[1], "rqn");
	assert_string_equal(data->data.fields[1].metadata.items[0].args[0], "y");
	assert_string_equal(data->metadata.items[0].name, "sensitive");
	const struct schema_decl *verb = schema_find_verb(module, "v");
	assert_int_equal(verb->metadata.count, 3);
	assert_string_equal(verb->metadata.items[0].args[1], "/users/{id}");
	assert_true(schema_verb_calls(verb, "b", "w"));
	assert_string_equal(verb->comments.lines[0], "end");
	const struct schema_metadata *quoted = &schema_find_verb(module, "w")->metadata.items[1];
	assert_int_equal(quoted->arg_count, 5);
	assert_string_equal(quoted->args[0], "");
	assert_string_equal(quoted->args[4], "\"");
	world_free(world);
}

static void reads_strings(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(
		world,
		"module a { enum E: String { A = \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\u20AC\"  B = \"\xC3\xBC\"  C = \"\" } }");
	const struct schema_variant *variants = module->decls[0].enumeration.variants;
	assert_string_equal(variants[0].text, "\"\\/\b\f\n\r\t\xC3\xBC\xE2\x82\xAC");
	assert_string_equal(variants[1].text, "\xC3\xBC");
	assert_string_equal(variants[2].text, "");
	world_free(world);
}

/* What is said of a text, without the excerpt. */
static const struct {
	const char *text;
	const char *said;
} errors[] = {
	{"",
	 "t.ftl:1:1: expected module, found the end of the file\n    hint: a schema is written: module name { … }\n"},
	{"module", "t.ftl:1:7: expected the name of the module, found the end of the file\n"},
	{"module a", "t.ftl:1:9: expected '{', found the end of the file\n"},
	{"module a {", "t.ftl:1:8: module \"a\" is not closed by a '}'\n"},
	{"module a {} x", "t.ftl:1:13: expected the end of the file, found \"x\"\n    hint: a file holds one module\n"},
	{"module a { dta X {} }",
	 "t.ftl:1:12: expected data, verb, enum or typealias, found \"dta\"\n    hint: did you mean \"data\"?\n"},
	{"module a { data {} }", "t.ftl:1:17: expected the name of the data, found '{'\n"},
	{"module a { data X { f: Int } }",
	 "t.ftl:1:22: expected a type, found ':'\n    hint: a field is written: name String\n"},
	{"module a { data X { f } }",
	 "t.ftl:1:21: field \"f\" has no type\n    hint: a field is written: name String\n"},
	{"module a { data X { f Int, g Int } }",
	 "t.ftl:1:26: expected the name of a field or '}', found ','\n"
	 "    hint: nothing stands between two of them but a blank or a new line\n"},
	{"module a { data X { f {String Int} } }",
	 "t.ftl:1:31: expected ':', found \"Int\"\n    hint: a map is written {String: Int}\n"},
	{"module a { data X { f [Int } }",
	 "t.ftl:1:28: expected ']', found '}'\n    hint: an array is written [String]\n"},
	{"module a { data X { f Int?? } }", "t.ftl:1:27: a type is optional or not: one '?' is enough\n"},
	{"module a { data X { f b. } }", "t.ftl:1:26: expected a name after the '.', found '}'\n"},
	{"module a { data X { f Int\n}", "t.ftl:1:8: module \"a\" is not closed by a '}'\n"},
	{"module a { data X { f Int\n", "t.ftl:1:17: data \"X\" is not closed by a '}'\n"},
	{"module a { verb v() Int }",
	 "t.ftl:1:19: verb \"v\" has no request\n    hint: write Unit when it takes nothing\n"},
	{"module a { verb v(Int) }",
	 "t.ftl:1:24: verb \"v\" has no response\n    hint: write Unit when it answers nothing\n"},
	{"module a { verb v Int }",
	 "t.ftl:1:19: expected '(', found \"Int\"\n    hint: a verb is written: verb name(Request) Response\n"},
	{"module a { verb v(Int) Int +calls }", "t.ftl:1:35: expected the verb that is called, found '}'\n"},
	{"module a { verb v(Int) Int + }", "t.ftl:1:30: expected a name after '+', for example +calls, found '}'\n"},
	{"module a { enum E: Float { A = 1 } }",
	 "t.ftl:1:20: expected Int or String, the type of the enum's values, found \"Float\"\n"},
	{"module a { enum E: Int { A = \"x\" } }", "t.ftl:1:30: expected a whole number, found a string\n"},
	{"module a { enum E: Int { A } }",
	 "t.ftl:1:26: variant \"A\" has no value\n    hint: a variant is written: Name = 1\n"},
	{"module a { enum E: Int { A = 9223372036854775808 } }",
	 "t.ftl:1:30: \"9223372036854775808\" is not a whole number of 64 bits\n"},
	{"module a { enum E: Int { A = 1x } }", "t.ftl:1:30: \"1x\" is not a whole number of 64 bits\n"},
	{"module a { enum E: String { A = 1 } }", "t.ftl:1:33: expected a string, found \"1\"\n"},
	{"module a { enum E { A = 1 } }",
	 "t.ftl:1:21: variant \"A\" has no type\n    hint: a variant is written: Name Type; one of values needs ': "
	 "String' or ': Int' after the enum's name\n"},
	{"module a { enum E: String { A = \"x\n } }",
	 "t.ftl:1:33: a string without its closing \"\n    hint: a string ends in the line that it begins in\n"},
	{"module a { enum E: String { A = \"\\q\" } }",
	 "t.ftl:1:34: unknown escape in a string\n    hint: there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX\n"},
	{"module a { enum E: String { A = \"\\u0000\" } }",
	 "t.ftl:1:34: unknown escape in a string\n    hint: there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX\n"},
	{"module a { enum E: String { A = \"\x01\" } }",
	 "t.ftl:1:34: a string has a control character in it\n    hint: write it as \\uXXXX\n"},
	{"// \x1B[2J\nmodule a {}", "t.ftl:1:4: a comment has a control character in it\n"},
	{"// a\rb\r\nmodule a {} // c\r", "t.ftl:1:5: a comment has a control character in it\n"},
	{"module a { ; }", "t.ftl:1:12: ';' has no meaning here\n    hint: a declaration ends without a mark\n"},
	{"module a { \xC3\xBC }", "t.ftl:1:12: '\xC3\xBC' has no meaning here\n"},
	{"module a { \x02 }", "t.ftl:1:12: a control character (0x02)\n"},
	{"module a {\n\xFF }", "t.ftl:2:1: the line is not UTF-8\n"},
	{"module a { +language c d\n }", "t.ftl:1:12: +language takes one word\n"},
	{"module a { +bind unix\n +bind http\n }", "t.ftl:2:2: +bind is said twice\n"},
	{"module a { +created yesterday\n }",
	 "t.ftl:1:12: +created takes a time\n    hint: for example 2026-01-02T03:04:05Z\n"},
	{"module a { data X { f Int\n verb v(Int) Int\n }",
	 "t.ftl:2:8: expected the name of a field or '}', found '('\n    hint: is a '}' missing before this line?\n"},
	{"module a { data X { f Int\n data Y { g Int }\n }",
	 "t.ftl:2:9: expected the name of a field or '}', found '{'\n    hint: is a '}' missing before this line?\n"},
	{"module a { data X { f Int[] } }",
	 "t.ftl:1:26: expected the name of a field or '}', found '['\n    hint: an array is written [String]\n"},
	{"module a { data X { f? Int } }",
	 "t.ftl:1:22: expected a type, found '?'\n    hint: an optional field is written: name String?\n"},
	{"module a { verb v(Int): Int }",
	 "t.ftl:1:23: expected a type, found ':'\n    hint: a verb is written: verb name(Request) Response\n"},
	{"module a { verb v(Int, Int) Int }",
	 "t.ftl:1:22: expected ')', found ','\n    hint: a verb takes one type: make a data of several\n"},
	{"module a { import b }",
	 "t.ftl:1:12: expected data, verb, enum or typealias, found \"import\"\n    hint: nothing is imported: a type of another module is written module.Type\n"},
	{"module a { verb v(Int) Int calls }", "t.ftl:1:34: expected the verb that is called, found '}'\n"},
	{"module a { verb v(Int) Int ingress GET }",
	 "t.ftl:1:28: ingress takes a method and a path\n    hint: it is written: +ingress GET /path\n"},
	{"module a { enum E { A Int } calls b.c }",
	 "t.ftl:1:29: expected data, verb, enum or typealias, found \"calls\"\n    hint: it stands after the verb that calls: +calls module.verb\n"},
	{"module a { ingress GET }",
	 "t.ftl:1:12: expected data, verb, enum or typealias, found \"ingress\"\n    hint: it stands after the verb that answers: +ingress GET /path\n"},
	{"module a { message X {} }",
	 "t.ftl:1:12: expected data, verb, enum or typealias, found \"message\"\n    hint: did you mean \"data\"?\n"},
	{"module a { } # b", "t.ftl:1:14: '#' has no meaning here\n    hint: a comment begins with //\n"},
	{"module a { data a-b {} }",
	 "t.ftl:1:18: '-' has no meaning here\n    hint: a name has letters, digits and underscores\nt.ftl:1:19: expected '{', found \"b\"\n"},
	{"module a { enum E: String { A = \xE2\x80\x9C"
	 "} }",
	 "t.ftl:1:33: '\xE2\x80\x9C' has no meaning here\n    hint: a string stands in \"\nt.ftl:1:34: expected a string, found '}'\n"},
	{"module a { enum E: Int { A = \"x\"  B = 1.5  C } }",
	 "t.ftl:1:30: expected a whole number, found a string\nt.ftl:1:40: the value of an enum of Int has no fraction\n"},
	{"module a23456789012345678901234567890123456789012345678901234567890123456 {}",
	 "t.ftl:1:8: a name of 66 bytes; at most 64 are allowed\n"},
};

static void says_what_is_wrong(void **state UNUSED) {
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct world *world = world_new();
		assert_null(parse(world, errors[i].text));
		for (size_t j = 0; j < world->diagnostics.count; j++)
			world->diagnostics.items[j].excerpt = "";
		assert_string_equal(diagnostics_text(world), errors[i].said);
		world_free(world);
	}
}

static void finds_all_errors_in_one_run(void **state UNUSED) {
	struct world *world = world_new();
	assert_null(parse(world, "module shop {\n"
				 "\tdata Item {\n"
				 "\t\tname: String\n"
				 "\t\tprice {String Int}\n"
				 "\t\tcount Int\n"
				 "\t}\n"
				 "  verb (Item) Item\n"
				 "  vreb order(Item) Item\n"
				 "  enum Kind: String { A \n B = \"gr\xC3\xBC\xC3\x9F\" C }\n"
				 "  data Last { x [Int }\n"
				 "}\n"));
	assert_string_equal(diagnostics_text(world),
			    "t.ftl:3:7: expected a type, found ':'\n"
			    "    \t\tname: String\n"
			    "    \t\t    ^\n"
			    "    hint: a field is written: name String\n"
			    "t.ftl:4:17: expected ':', found \"Int\"\n"
			    "    \t\tprice {String Int}\n"
			    "    \t\t              ^~~\n"
			    "    hint: a map is written {String: Int}\n"
			    "t.ftl:7:8: expected the name of the verb, found '('\n"
			    "      verb (Item) Item\n"
			    "           ^\n"
			    "t.ftl:8:3: expected data, verb, enum or typealias, found \"vreb\"\n"
			    "      vreb order(Item) Item\n"
			    "      ^~~~\n"
			    "    hint: did you mean \"verb\"?\n"
			    "t.ftl:9:23: variant \"A\" has no value\n"
			    "      enum Kind: String { A\n"
			    "                          ^\n"
			    "    hint: a variant is written: Name = \"value\"\n"
			    "t.ftl:10:13: variant \"C\" has no value\n"
			    "     B = \"gr\xC3\xBC\xC3\x9F\" C }\n"
			    "                ^\n"
			    "    hint: a variant is written: Name = \"value\"\n"
			    "t.ftl:11:22: expected ']', found '}'\n"
			    "      data Last { x [Int }\n"
			    "                         ^\n"
			    "    hint: an array is written [String]\n");
	world_free(world);
}

static void shows_only_a_part_of_a_long_line(void **state UNUSED) {
	struct world *world = world_new();
	char text[2000] = "module a { ";
	memset(text + 11, ' ', 1500);
	strcpy(text + 1500, "wrong more");
	memset(text + 1510, 'x', 400);
	assert_null(parse(world, text));
	const char *excerpt = world->diagnostics.items[0].excerpt;
	assert_non_null(strstr(excerpt, " wrong more"));
	assert_non_null(strstr(excerpt, "\n"
					"                                                      ^~~~~\n"));
	assert_true(strlen(excerpt) < 250);
	world_free(world);
}

/* A text of the same piece over and over. */
static char *repeat(const char *before, const char *piece, size_t count, const char *after) {
	char *text = test_malloc(strlen(before) + count * strlen(piece) + strlen(after) + 1);
	char *end = stpcpy(text, before);
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, piece);
	strcpy(end, after);
	return text;
}

static void refuses_what_is_over_a_limit(void **state UNUSED) {
	static const struct {
		const char *before, *piece;
		size_t count;
		const char *said;
	} cases[] = {
		{"module a { data D { f ", "[", 100, "types nested deeper than 24 (give a part of it a name)"},
		{"module a { data D { f ", "a<", 100, "types nested deeper than 24 (give a part of it a name)"},
		{"module a { data D { f ", "{Int:[", 13, "types nested deeper than 24 (give a part of it a name)"},
		{"module a {", "data D {}\n", 4001, "more than 4000 declarations (split the module)"},
		{"module a { data D {", "f Int ", 4001, "D: more than 4000 fields (split it)"},
		{"module a { enum E: Int {", "A = 1 ", 4001, "E: more than 4000 variants (split it)"},
		{"module a { enum E {", "A Int ", 4001, "E: more than 4000 variants (split it)"},
		{"module a { data D<T", ", T", 16, "more than 16 type parameters"},
		{"module a { verb a(Unit) Unit +x", " y", 60000,
		 "the module is too large: more than 50000 parts (split the module)"},
		{"module a {", "//\n", 60000, "more than 50000 lines of comment"},
		{"module a {", "                ", 70000,
		 "a schema of 1120010 bytes; at most 1048576 are allowed (split the module)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *world = world_new();
		char *text = repeat(cases[i].before, cases[i].piece, cases[i].count, "");
		assert_null(parse(world, text));
		struct error err;
		assert_int_equal(schema_diagnostics_to_error(&world->diagnostics, &err), -1);
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		err.msg[strlen(cases[i].said)] = '\0';
		assert_string_equal(err.msg, cases[i].said);
		test_free(text);
		world_free(world);
	}
}

static void keeps_to_the_maximum_of_errors(void **state UNUSED) {
	struct world *world = world_new();
	char *text = repeat("module a { data D {", "x\n", 1000, "}}");
	assert_null(parse(world, text));
	assert_int_equal(world->diagnostics.count, SCHEMA_DIAGNOSTICS_MAX);
	assert_int_equal(world->diagnostics.left_out, 1000 - SCHEMA_DIAGNOSTICS_MAX);
	assert_non_null(strstr(diagnostics_text(world), "\nand 900 more\n"));
	struct error err;
	schema_diagnostics_to_error(&world->diagnostics, &err);
	assert_int_equal(strncmp(err.msg, "field \"x\" has no type (a field is written: name String); field", 62), 0);
	assert_non_null(strstr(err.msg, " and 9"));
	test_free(text);
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_whole_language),
		cmocka_unit_test(reads_metadata_without_a_plus),
		cmocka_unit_test(keeps_metadata_of_other_names),
		cmocka_unit_test(reads_strings),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(finds_all_errors_in_one_run),
		cmocka_unit_test(shows_only_a_part_of_a_long_line),
		cmocka_unit_test(refuses_what_is_over_a_limit),
		cmocka_unit_test(keeps_to_the_maximum_of_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
