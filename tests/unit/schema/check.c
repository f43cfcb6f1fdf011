/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *text; /* within "module m { … }" */
	const char *said;
} errors[] = {
	{"data String {}", "1:17: String: the name \"String\" has a meaning already\n    hint: choose another\n"},
	{"verb export(Unit) Unit",
	 "1:17: export: the name \"export\" has a meaning already\n    hint: choose another\n"},
	{"data D {} verb D(D) D", "1:27: D: declared twice, first as a data\n"},
	{"data D { a Int  a Int }", "1:28: D.a: a second field \"a\"\n"},
	{"data D<T, T> { a T }", "1:22: D: a second type parameter \"T\"\n"},
	{"data D<E> { a E } data E {}",
	 "1:19: D: the type parameter \"E\" is also a declaration of the module\n    hint: choose another\n"},
	{"data D<Int> { a Int }", "1:19: D: the name \"Int\" has a meaning already\n    hint: choose another\n"},
	{"data D<T> { a T<Int> }", "1:26: D.a: the type parameter \"T\" takes no arguments\n"},
	{"data D { a Strng }", "1:23: D.a: there is no type \"Strng\"\n    hint: did you mean \"String\"?\n"},
	{"data D { a integer }", "1:23: D.a: there is no type \"integer\"\n    hint: did you mean \"Int\"?\n"},
	{"data D { a boolean }", "1:23: D.a: there is no type \"boolean\"\n    hint: did you mean \"Bool\"?\n"},
	{"data D { a [m.Itme] } data Item {}",
	 "1:24: D.a: there is no type \"Itme\"\n    hint: did you mean \"Item\"?\n"},
	{"data D { a List<Int> }",
	 "1:23: D.a: there is no type \"List\"\n    hint: an array is written [String]\n"},
	{"data D { a Map<String, Int> }",
	 "1:23: D.a: there is no type \"Map\"\n    hint: a map is written {String: Int}\n"},
	{"data D { a Optional<Int> }",
	 "1:23: D.a: there is no type \"Optional\"\n    hint: an optional is written String?\n"},
	{"data D { a Float64 }",
	 "1:23: D.a: there is no type \"Float64\"\n    hint: did you mean \"Float\"?\n"},
	{"data D { String name }",
	 "1:28: D.String: there is no type \"name\"\n    hint: a field is written: name String\n"},
	{"verb list(Unit) Unit +calls other",
	 "1:40: list: there is no verb \"other\"\n    hint: one of another module is written: module.verb\n"},
	{"data D { a Unknown }", "1:23: D.a: there is no type \"Unknown\"\n"},
	{"data D { a v } verb v(D) D", "1:23: D.a: \"v\" is a verb and not a type\n"},
	{"data D { a E<Int> } data E {}", "1:23: D.a: \"E\" takes 0 type arguments, not 1\n"},
	{"data D { a E } data E<T> { a T }", "1:23: D.a: \"E\" takes 1 type argument, not 0\n"},
	{"data D { a {Float: Int} }",
	 "1:24: D.a: a map with keys of this type\n    hint: a key is String, Int or an enum of values\n"},
	{"data D { a {F: Int} } typealias F G typealias G Bool",
	 "1:24: D.a: a map with keys of this type\n    hint: a key is String, Int or an enum of values\n"},
	{"data D<T> { a {T: Int} }",
	 "1:27: D.a: a map with keys of this type\n    hint: a key is String, Int or an enum of values\n"},
	{"data D { a {S: Int} } enum S { A Int }",
	 "1:24: D.a: a map with keys of this type\n    hint: a key is String, Int or an enum of values\n"},
	{"data D { a O? } typealias O Int?", "1:23: D.a: an optional of an optional\n    hint: one '?' is enough\n"},
	{"data D { a verb tmie } verb time(D) D",
	 "1:28: D.a: there is no verb \"tmie\"\n    hint: did you mean \"time\"?\n"},
	{"enum E: Int {}", "1:17: E: an enum without variants\n"},
	{"enum E {}", "1:17: E: an enum without variants\n"},
	{"enum E: Int { A = 1  A = 2 }", "1:33: E.A: a second variant \"A\"\n"},
	{"enum E: Int { A = 1  B = 1 }", "1:33: E.B: a second variant with the value \"1\"\n"},
	{"enum E: String { A = \"x\"  B = \"x\" }", "1:38: E.B: a second variant with the value \"x\"\n"},
	{"enum E { A Int  A Float }", "1:28: E.A: a second variant \"A\"\n"},
	{"enum E { A X }", "1:23: E.A: there is no type \"X\"\n"},
	{"typealias A B", "1:24: A: there is no type \"B\"\n"},
	{"verb v(X) Y", "1:19: v.request: there is no type \"X\"\n"
			"1:22: v.response: there is no type \"Y\"\n"},
	{"verb list(Unit) Unit +calls m.lst",
	 "1:40: list: there is no verb \"lst\"\n    hint: did you mean \"list\"?\n"},
	{"data D {} +calls time.time", "1:22: D: +calls is for a verb\n"},
	{"data D { a Int +calls time.time\n }", "1:27: D.a: +calls is for a verb\n"},
	{"typealias A [A]", "1:22: A: a type alias made of itself\n    hint: put a data in between\n"},
	{"typealias A B  typealias B {String: A}",
	 "1:22: A: a type alias made of itself\n    hint: put a data in between\n"},
	{"data A { b B }  data B { a A }",
	 "1:17: A: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"
	 "1:33: B: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"},
	{"data A { b B }  typealias B A",
	 "1:17: A: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"},
	{"data A { b Box<A> }  data Box<T> { t Inner<T> }  data Inner<T> { t T }",
	 "1:17: A: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"},
	{"enum S { A S  B D }  data D { s S }",
	 "1:17: S: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"
	 "1:38: D: a value would have to contain another of the same type without end\n"
	 "    hint: make a field on the way back to it optional or an array\n"},
	{"data A<T> { t T  next A<[T]>? }", "1:34: A.next: A contains itself with ever larger type arguments\n"
					    "    hint: hand type parameters on as they are\n"},
	{"data A<T> { b B<T?>? }  data B<T> { all {String: A<T>} }",
	 "1:26: A.b: A contains itself with ever larger type arguments\n"
	 "    hint: hand type parameters on as they are\n"},
};

static struct schema_module *parse_body(struct world *world, const char *body) {
	return parse_good(world, arena_printf(&world->arena, "module m { %s }", body));
}

static void says_what_is_wrong(void **state UNUSED) {
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct world *world = world_new();
		assert_int_equal(schema_check(parse_body(world, errors[i].text), &world->diagnostics), -1);
		for (size_t j = 0; j < world->diagnostics.count; j++) {
			world->diagnostics.items[j].excerpt = "";
			world->diagnostics.items[j].pos.file = "";
		}
		const char *said = diagnostics_text(world);
		char *plain = arena_strdup(&world->arena, str_from(said)), *out = plain;
		for (const char *c = plain; *c != '\0'; c++) /* without the ':' behind the empty file */
			if (*c != ':' || (c != plain && c[-1] != '\n'))
				*out++ = *c;
		*out = '\0';
		assert_string_equal(plain, errors[i].said);
		world_free(world);
	}
}

static void accepts(void **state UNUSED) {
	static const char *const texts[] = {
		"",
		"data D { next D? }",
		"data D { all [D]  by {String: D} }",
		"data A { b B }  data B { a [A] }",
		"data Tree { children List<Tree> }  data List<T> { items [T] }",
		"data A<T> { t T  next A<T>?  ints A<[Int]>? }",
		"data A<T> { b B<[T]> }  data B<T> { t T }",
		"data A<T, U> { swapped A<U, T>? }",
		"enum S { End Int  More D }  data D { s S }",
		"typealias A D  data D { a A? }",
		"data D { a {K: Int}  b {L: Int}  c {x.Key: Int} }  enum K: Int { A = 1 }  typealias L String",
		"data D { a other.Thing  b other.Box<Int> }",
		"verb v(other.A) other.B +calls other.v, m.v",
		"verb v([Int]) {String: Time}?",
		"enum E: Int { Int = 1  data = 2 }",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct world *world = world_new();
		if (schema_check(parse_body(world, texts[i]), &world->diagnostics) != 0)
			fail_msg("%s\n%s", texts[i], diagnostics_text(world));
		world_free(world);
	}
}

static void field_names_may_be_any_word(void **state UNUSED) {
	struct world *world = world_new();
	check_good(world, "module m { data D { data Int  verb Int  module Int  export Int  Int Int  enum [D] } }");
	world_free(world);
}

/* The longest ways that fit into a schema, so that no walk runs out of stack or time. */
static void bears_long_chains(void **state UNUSED) {
	static const char *const pieces[] = {
		"data D%zu { next D%zu }\n",
		"data D%zu { next [[[[[[[[[[D%zu?]]]]]]]]]] }\n",
		"data D%zu<T> { next [[[[[[[D%zu<T>]]]]]]] }\n",
		"data D%zu<T> { next D%zu<T> }\n",
		"typealias D%zu [[[[[[[[[[D%zu]]]]]]]]]]\n",
		"enum D%zu { A Int B D%zu }\n",
		"enum D%zu { A D%zu }\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct world *world = world_new();
		bool generic = strchr(pieces[i], '<') != NULL;
		struct buf text = BUF_INIT(SCHEMA_TEXT_MAX);
		assert_int_equal(buf_append(&text, STR("module m {\n")), 0);
		enum { COUNT = 3000 };
		for (size_t j = 0; j < COUNT; j++) {
			char *piece = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			assert_true(asprintf(&piece, pieces[i], j, j + 1) > 0);
#pragma GCC diagnostic pop
			assert_int_equal(buf_append(&text, str_from(piece)), 0);
			free(piece);
		}
		assert_int_equal(buf_printf(&text, "data D%d%s {}\n}", COUNT, generic ? "<T>" : ""), 0);
		check_good(world, buf_text(&text));
		buf_deinit(&text);
		world_free(world);
	}
}

/* A hint for each of them would take a minute, and nobody reads more than the first hundred. */
static void bears_many_mistakes(void **state UNUSED) {
	struct world *world = world_new();
	struct buf text = BUF_INIT(SCHEMA_TEXT_MAX);
	assert_int_equal(buf_append(&text, STR("module m { verb v(Unit) Unit\n+calls m.v")), 0);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&text, ", m.abcdefghijklmnopqrstuvwxyz%zu", i), 0);
	for (size_t i = 0; i < 3900; i++)
		assert_int_equal(buf_printf(&text, "\nverb abcdefghijklmnopqrstuvwxy%zu(Unit) Nope", i), 0);
	assert_int_equal(buf_append(&text, STR("}")), 0);
	assert_int_equal(schema_check(parse_good(world, buf_text(&text)), &world->diagnostics), -1);
	assert_int_equal(world->diagnostics.count, SCHEMA_DIAGNOSTICS_MAX);
	assert_int_equal(world->diagnostics.left_out, 13900 - SCHEMA_DIAGNOSTICS_MAX);
	assert_string_equal(world->diagnostics.items[0].hint, "did you mean \"abcdefghijklmnopqrstuvwxy0\"?");
	buf_deinit(&text);
	world_free(world);
}

/* What an error quotes may be long, and may be meant for a terminal. */
static void errors_are_plain_text(void **state UNUSED) {
	struct world *world = world_new();
	char value[2000] = "\\u001b[2J";
	for (size_t i = strlen(value); i + 3 < sizeof value - 1; i += 3)
		memcpy(value + i, "\xE2\x82\xAC", 3);
	const char *text = arena_printf(&world->arena, "enum E: String { A = \"%s\" B = \"%s\" }", value, value);
	assert_int_equal(schema_check(parse_body(world, text), &world->diagnostics), -1);
	const char *message = world->diagnostics.items[0].message;
	assert_non_null(strstr(message, "value \"?[2J\xE2\x82\xAC"));
	assert_true(str_is_text(str_from(message)));
	assert_null(strchr(diagnostics_text(world), '\x1B'));
	world_free(world);
}

/* One run is enough, whatever finds an error. */
static void says_all_of_it_at_once(void **state UNUSED) {
	static const struct {
		const char *text, *said;
	} texts[] = {
		/* Circles beside whatever else is wrong. */
		{"module m {\n"
		 "  data A { a A  b Nope  c v }\n"
		 "  typealias B C\n"
		 "  typealias C B\n"
		 "  data D<T> { x D<[T]>?  y v<T, T>  z D<T, T>?  b B }\n"
		 "  verb v(Int) Int\n"
		 "  data D<T> {}\n"
		 "}",
		 "2:8 A: a value would have to contain another of the same type without end\n"
		 "2:19 A.b: there is no type \"Nope\"\n"
		 "2:27 A.c: \"v\" is a verb and not a type\n"
		 "3:13 B: a type alias made of itself\n"
		 "5:17 D.x: D contains itself with ever larger type arguments\n"
		 "5:28 D.y: \"v\" is a verb and not a type\n"
		 "5:39 D.z: \"D\" takes 1 type argument, not 2\n"
		 "7:8 D: declared twice, first as a data\n"},
		/* What is written wrong beside what means nothing. */
		{"module m {\n"
		 "  data A { a: Int\n b Nope }\n"
		 "  enum E { X = 1 }\n"
		 "  enum F: Int { X = \"a\"  Y = 2  Z = 2 }\n"
		 "  verb v(A) -> A\n"
		 "  verb w(E) Nope2\n"
		 "      +calls v, w, x\n"
		 "  data G<T, 5> { t T }\n"
		 "  data H { g G<Int, Int> }\n"
		 "}",
		 "2:13 expected a type, found ':'\n"
		 "3:4 A.b: there is no type \"Nope\"\n"
		 "4:12 variant \"X\" has no type\n"
		 "5:21 expected a whole number, found a string\n"
		 "5:33 F.Z: a second variant with the value \"2\"\n"
		 "6:13 '-' has no meaning here\n"
		 "6:14 expected a type, found '>'\n"
		 "7:13 w.response: there is no type \"Nope2\"\n"
		 "8:20 w: there is no verb \"x\"\n"
		 "9:13 expected the name of a type parameter, found \"5\"\n"},
		/* Where names are lost, nothing is said of them. */
		{"module m {\n  struct A {}\n  data B { a A }\n}",
		 "2:3 expected data, verb, enum or typealias, found \"struct\"\n"},
		{"module m {\n  data A { a Int\n  data B { a C }\n}",
		 "3:10 expected the name of a field or '}', found '{'\n"},
		{"module m { verb v(Int) -> Int data B {} verb w(B) Int }",
		 "1:24 '-' has no meaning here\n1:25 expected a type, found '>'\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct world *world = world_new();
		struct schema_module *module;
		int result =
			schema_parse(str_from(texts[i].text), "t.ftl", &world->arena, &module, &world->diagnostics);
		if (module != NULL)
			(void)!schema_check(module, &world->diagnostics);
		assert_true(i == 0 || result == -1);
		if (module != NULL)
			schema_diagnostics_sort(&world->diagnostics);
		buf_clear(&world->buf);
		for (size_t j = 0; j < world->diagnostics.count; j++)
			assert_int_equal(buf_printf(&world->buf, "%u:%u %s\n", world->diagnostics.items[j].pos.line,
						    world->diagnostics.items[j].pos.column,
						    world->diagnostics.items[j].message), 0);
		assert_string_equal(buf_text(&world->buf), texts[i].said);
		world_free(world);
	}
}

static void marks_the_place(void **state UNUSED) {
	struct world *world = world_new();
	struct schema_module *module = parse_good(world, "module verb {\n  data D {\n    a\tStrng\n  }\n}\n");
	assert_int_equal(schema_check(module, &world->diagnostics), -1);
	assert_string_equal(diagnostics_text(world), "t.ftl:1:8: module verb: the name \"verb\" has a meaning already\n"
						     "    module verb {\n"
						     "           ^~~~\n"
						     "    hint: choose another\n"
						     "t.ftl:3:7: D.a: there is no type \"Strng\"\n"
						     "        a\tStrng\n"
						     "         \t^~~~~\n"
						     "    hint: did you mean \"String\"?\n");
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_wrong),          cmocka_unit_test(accepts),
		cmocka_unit_test(field_names_may_be_any_word), cmocka_unit_test(bears_long_chains),
		cmocka_unit_test(errors_are_plain_text),       cmocka_unit_test(marks_the_place),
		cmocka_unit_test(bears_many_mistakes),         cmocka_unit_test(says_all_of_it_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
