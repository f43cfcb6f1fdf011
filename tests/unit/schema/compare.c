/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include "schema/compare.h"

/* Both within "module m { … }". said: all changes as printed, without the padding. */
static const struct {
	const char *before, *after;
	const char *said;
} cases[] = {
	{"data D { a Int }", "data D { a Int }", ""},
	{"data D { a Int b Int }", "// moved\n data D { b Int a m.E } typealias E Int",
	 "safe: D.a was Int, is now m.E\nsafe: E is new\n"},

	/* Fields: of nothing exported only stored data counts. */
	{"data D {}", "data D { a Int? }", "safe: D.a is new and optional\n"},
	{"data D {}", "data D { a O } typealias O Int?", "safe: D.a is new and optional\nsafe: O is new\n"},
	{"data D {}", "data D { a Int }", "unsafe for stored data: D.a is new and required\n"},
	{"data D { a Int? }", "data D {}", "unsafe for stored data: D.a is gone\n"},
	{"data D { a Int }", "data D { a Int? }", "safe: D.a was Int, is now Int?\n"},
	{"data D { a Int? }", "data D { a Int }", "unsafe for stored data: D.a was Int?, is now Int\n"},
	{"data D { a Int }", "data D { a Float }", "unsafe for stored data: D.a was Int, is now Float\n"},
	{"data D { a [Int] }", "data D { a [String] }", "unsafe for stored data: D.a was [Int], is now [String]\n"},
	{"data D { a [Int] }", "data D { a [Int?] }", "safe: D.a was [Int], is now [Int?]\n"},
	{"data D { a {String: Int} }", "data D { a {String: Any} }",
	 "safe: D.a was {String: Int}, is now {String: Any}\n"},
	{"data D { a Any }", "data D { a Int? }", "unsafe for stored data: D.a was Any, is now Int?\n"},
	{"data D { a Time  b Bytes  c verb x.y }", "data D { a String  b String  c String }",
	 "safe: D.a was Time, is now String\nsafe: D.b was Bytes, is now String\nsafe: D.c was verb x.y, is now String\n"},
	{"data D { a String }", "data D { a Time }", "unsafe for stored data: D.a was String, is now Time\n"},
	{"data D { a verb x.y }", "data D { a verb x.z }", "safe: D.a was verb x.y, is now verb x.z\n"},
	{"data D { a x.T }", "data D { a x.Gone }", "unsafe for stored data: D.a was x.T, is now x.Gone\n"},
	{"data D { a gone.T }", "data D { a x.T }", "unsafe for stored data: D.a was gone.T, is now x.T\n"},
	{"data D { a Int +x\n }", "data D { a Int +y\n }", "safe: D.a has other metadata\n"},

	/* The same for an exported verb: what it takes may widen, what it answers may narrow. */
	{"data D {} export verb v(D) Unit", "data D { a Int? } export verb v(D) Unit",
	 "safe: D.a is new and optional\n"},
	{"data D {} export verb v(D) Unit", "data D { a Int } export verb v(D) Unit",
	 "unsafe for callers, stored data: D.a is new and required\n"},
	{"data D { a Int? } export verb v(D) Unit", "data D {} export verb v(D) Unit",
	 "unsafe for callers, stored data: D.a is gone\n"},
	{"data D { a Int } export verb v(D) Unit", "data D { a Int? } export verb v(D) Unit",
	 "safe: D.a was Int, is now Int?\n"},
	{"data D {} export verb v(Unit) D", "data D { a Int } export verb v(Unit) D",
	 "unsafe for stored data: D.a is new and required\n"},
	{"data D { a Int? } export verb v(Unit) D", "data D {} export verb v(Unit) D",
	 "unsafe for stored data: D.a is gone\n"},
	{"data D { a Int } export verb v(Unit) D", "data D {} export verb v(Unit) D",
	 "unsafe for callers, stored data: D.a is gone\n"},
	{"data D { a Int } export verb v(Unit) D", "data D { a Int? } export verb v(Unit) D",
	 "unsafe for callers: D.a was Int, is now Int?\n"},
	{"data D { a Int? } export verb v(Unit) D", "data D { a Int } export verb v(Unit) D",
	 "unsafe for stored data: D.a was Int?, is now Int\n"},
	{"data D { a Int } verb v(D) D", "data D { a Int? } verb v(D) D", "safe: D.a was Int, is now Int?\n"},
	/* Through other types. */
	{"data D {} data P<T> { t [T] } typealias A P<D> export verb v(A) Unit",
	 "data D { a Int } data P<T> { t [T] } typealias A P<D> export verb v(A) Unit",
	 "unsafe for callers, stored data: D.a is new and required\n"},
	{"data D {} enum S { X D } export verb v({String: S}) Unit",
	 "data D { a Int } enum S { X D } export verb v({String: S}) Unit",
	 "unsafe for callers, stored data: D.a is new and required\n"},

	/* Enums. */
	{"enum E: Int { A = 1 }", "enum E: Int { A = 1 B = 2 }", "safe: E.B is new\n"},
	{"enum E: Int { A = 1 B = 2 }", "enum E: Int { A = 1 }",
	 "unsafe for stored data: E.B is gone, or has another value\n"},
	{"enum E: Int { A = 1 }", "enum E: Int { C = 1 }", "safe: E.C was called A\n"},
	{"enum E: String { A = \"1\" } export verb v(E) E", "enum E: String { A = \"1\" B = \"2\" } export verb v(E) E",
	 "unsafe for callers: E.B is new\n"},
	{"enum E: String { A = \"1\" B = \"2\" } export verb v(E) Unit",
	 "enum E: String { A = \"1\" } export verb v(E) Unit",
	 "unsafe for callers, stored data: E.B is gone, or has another value\n"},
	{"enum E: String { A = \"1\" }", "enum E: Int { A = 1 }",
	 "unsafe for stored data: E was an enum of String, is now an enum of Int\n"},
	{"enum E: Int { A = 1 } data D { e E }", "enum E: Int { A = 1 } data D { e Int }",
	 "safe: D.e was m.E, is now Int\n"},
	{"enum E: String { A = \"\" } data D { e String }", "enum E: String { A = \"\" } data D { e E }",
	 "unsafe for stored data: D.e was String, is now m.E\n"},
	/* Sum types. */
	{"enum S { A Int }", "enum S { A Int B Int }", "safe: S.B is new\n"},
	{"enum S { A Int B Int }", "enum S { A Int }", "unsafe for stored data: S.B is gone\n"},
	{"enum S { A Int }", "enum S { A Int? }", "safe: S.A was Int, is now Int?\n"},
	{"enum S { A Int } export verb v(Unit) S", "enum S { A Int? } export verb v(Unit) S",
	 "unsafe for callers: S.A was Int, is now Int?\n"},
	{"enum S { A Int }", "data S { A Int }", "unsafe for stored data: S was a sum type, is now a data\n"},
	/* Aliases: looked through. */
	{"typealias A Int  data D { a A }", "typealias A String  data D { a A }",
	 "unsafe for stored data: A was Int, is now String\n"},
	{"typealias A Int  data D { a A }", "data D { a Int }", "safe: A is gone\nsafe: D.a was m.A, is now Int\n"},
	{"export typealias A Int", "", "unsafe for callers: A is gone\n"},

	/* Another name for the same: compared in depth, around circles too. */
	{"data A { x Int } export verb v(A) A", "data B { x Int } export verb v(B) B",
	 "unsafe for stored data: A is gone\nsafe: v request was m.A, is now m.B\nsafe: v response was m.A, is now m.B\n"
	 "safe: B is new\n"},
	{"data A { x Int } export verb v(A) A", "data A { x Int } data B { x Int? } export verb v(B) B",
	 "unsafe for callers: v response was m.A, is now m.B\nsafe: v request was m.A, is now m.B\nsafe: B is new\n"},
	{"data A { x A2? } data A2 { y A? } export verb v(A) Unit",
	 "data B { x B2? } data B2 { y B? } export verb v(B) Unit",
	 "unsafe for stored data: A is gone\nunsafe for stored data: A2 is gone\nsafe: v request was m.A, is now m.B\n"
	 "safe: B is new\nsafe: B2 is new\n"},
	{"data A { x A2? } data A2 { y A? } export verb v(A) Unit",
	 "data A { x A2? } data A2 { y A? } data B { x B2? } data B2 { y B? z Int } export verb v(B) Unit",
	 "unsafe for callers: v request was m.A, is now m.B\nsafe: B is new\nsafe: B2 is new\n"},
	{"enum A: Int { X = 1 } export verb v(A) A",
	 "enum B: Int { X = 1 Y = 2 } enum A: Int { X = 1 } export verb v(B) A",
	 "safe: v request was m.A, is now m.B\nsafe: B is new\n"},
	{"data A {} export verb v(A) Unit", "data A {} export verb v(Int) Unit",
	 "unsafe for callers: v request was m.A, is now Int\n"},

	/* Also in another module, which needs not have the declaration by the same name, or at all. */
	{"data T { a Int  b x.T? } export verb v(T) T", "export verb v(x.T) x.T",
	 "unsafe for stored data: T is gone\nsafe: v request was m.T, is now x.T\nsafe: v response was m.T, is now x.T\n"},
	{"export verb v(x.T) x.T", "data S { b S?  a Int } export verb v(S) S",
	 "safe: v request was x.T, is now m.S\nsafe: v response was x.T, is now m.S\nsafe: S is new\n"},
	{"data D { a x.T } export verb v(D) D", "data D { a y.T } export verb v(D) D",
	 "safe: D.a was x.T, is now y.T\n"},
	{"data D { a x.T } export verb v(D) D", "data D { a y.U } export verb v(D) D",
	 "unsafe for callers: D.a was x.T, is now y.U\n"},
	{"data D { a y.U } export verb v(D) D", "data D { a x.T } export verb v(D) D",
	 "unsafe for callers, stored data: D.a was y.U, is now x.T\n"},
	{"export verb v(x.Mood) Unit", "export verb v(String) Unit", "safe: v request was x.Mood, is now String\n"},
	{"export verb v(Unit) x.Mood", "export verb v(Unit) String",
	 "unsafe for callers: v response was x.Mood, is now String\n"},
	{"export verb v(x.Id) [x.Ids]", "export verb v(String) [[String]]",
	 "safe: v request was x.Id, is now String\nsafe: v response was [x.Ids], is now [[String]]\n"},
	{"data D {} export verb v(D) Unit", "data D { a x.Perhaps } export verb v(D) Unit",
	 "safe: D.a is new and optional\n"},
	{"data D { a x.Perhaps } export verb v(Unit) D", "data D {} export verb v(Unit) D",
	 "unsafe for stored data: D.a is gone\n"},

	/* Generics. */
	{"data P<T> { t [T]  n Int? } data D { p P<Int> }", "data Q<A, B> { t [B]  n A } data D { p Q<Int?, Int> }",
	 "unsafe for stored data: P is gone\nsafe: D.p was m.P<Int>, is now m.Q<Int?, Int>\nsafe: Q is new\n"},
	{"data P<T> { t T } data D { p P<[Int]> }", "data I { t [Int] } data D { p I }",
	 "unsafe for stored data: P is gone\nsafe: D.p was m.P<[Int]>, is now m.I\nsafe: I is new\n"},
	{"data D { p x.Page<Int> } export verb v(D) D", "data D { p y.List<Int> } export verb v(D) D",
	 "safe: D.p was x.Page<Int>, is now y.List<Int>\n"},
	{"data D { p x.Page<Int> } export verb v(D) D", "data D { p y.List<Int?> } export verb v(D) D",
	 "unsafe for callers: D.p was x.Page<Int>, is now y.List<Int?>\n"},
	{"data D<T> { p x.Page<T> }", "data D<U> { p y.List<U> }", "safe: D.p was x.Page<T>, is now y.List<U>\n"},
	{"data D<T, U> { p x.Page<T> }", "data D<T, U> { p y.List<U> }",
	 "unsafe for stored data: D.p was x.Page<T>, is now y.List<U>\n"},
	{"data P<T> { t T? } data D { p P<Int> }", "data Q<T> {} data D { p Q<Int> }",
	 "unsafe for stored data: P is gone\nunsafe for stored data: D.p was m.P<Int>, is now m.Q<Int>\nsafe: Q is new\n"},
	{"data D { p x.Page<Int> }", "data D { p y.List }",
	 "unsafe for stored data: D.p was x.Page<Int>, is now y.List\n"},
	{"data P<T> { t T }", "data P<U> { t U }", "safe: P.t was T, is now U\n"},
	{"data P<T, U> { t T  u U }", "data P<T, U> { t U  u T }",
	 "unsafe for stored data: P.t was T, is now U\nunsafe for stored data: P.u was U, is now T\n"},
	{"data P<T> {} data D { p P<Int> }", "data P<T> {} data D { p P<Int?> }",
	 "safe: D.p was m.P<Int>, is now m.P<Int?>\n"},
	{"data P<T> {}", "data P<T, U> {}", "unsafe for stored data: P had 1 type parameters, has 2 now\n"},

	/* Verbs. */
	{"export verb v(Unit) Unit", "", "unsafe for callers: v is gone\n"},
	{"verb v(Unit) Unit", "", "safe: v is gone\n"},
	{"", "export verb v(Unit) Unit", "safe: v is new\n"},
	{"export verb v(Unit) Unit", "verb v(Unit) Unit", "unsafe for callers: v is no longer exported\n"},
	{"verb v(Unit) Unit", "export verb v(Unit) Unit", "safe: v is exported now\n"},
	{"export data D {}", "data D {}", "unsafe for callers: D is no longer exported\n"},
	{"data D {}", "", "unsafe for stored data: D is gone\n"},
	{"export verb v(Int) Int", "export verb v(Int?) Int?",
	 "unsafe for callers: v response was Int, is now Int?\nsafe: v request was Int, is now Int?\n"},
	{"export verb v(Int?) Int?", "export verb v(Int) Int",
	 "unsafe for callers: v request was Int?, is now Int\nsafe: v response was Int?, is now Int\n"},
	{"verb v(Int?) Int", "verb v(Int) String",
	 "safe: v request was Int?, is now Int\nsafe: v response was Int, is now String\n"},
	{"export verb v(Unit) Unit", "export verb v(Unit) Unit +calls x.y, z.z", "safe: v has other metadata\n"},
	{"export verb v(Unit) Unit", "data v {}", "unsafe for callers: v is gone\nsafe: v is new\n"},
};

static struct schema_module *body(struct world *world, const char *text) {
	return check_good(world, arena_printf(&world->arena, "module m { %s }", text));
}

/* Other modules, which the cases name. */
static const char x_text[] =
	"module x { export data T { a Int  b T? }  export enum Mood: String { Happy = \"happy\" }  "
	"export typealias Id y.Word  export typealias Ids [Id]  export typealias Perhaps y.Perhaps  "
	"export data Page<V> { items [V]  more Page<V>? } }";
static const char y_text[] = "module y { export data T { b U2?  a Int }  export data U2 { a Int  b T? }  "
			     "export data U { a Int?  b U? }  export typealias Word String  "
			     "export typealias Perhaps Int?  export data List<X> { more List<X>?  items [X] } }";

static const struct schema_module *find_other(void *owner, const char *name) {
	const struct schema_module *const *others = owner;
	for (size_t i = 0; others[i] != NULL; i++)
		if (strcmp(others[i]->name, name) == 0)
			return others[i];
	return NULL;
}

static void sorts_changes(void **state UNUSED) {
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *world = world_new();
		struct schema_comparison comparison;
		const struct schema_module *modules[] = {check_good(world, x_text), check_good(world, y_text), NULL};
		const struct schema_others others = {.find = find_other, .owner = (void *)modules};
		schema_compare(body(world, cases[i].before), body(world, cases[i].after), &others, &world->arena,
			       &comparison);
		bool breaks_callers = false, breaks_data = false;
		buf_clear(&world->buf);
		for (size_t j = 0; j < comparison.count; j++) {
			const struct schema_change *change = &comparison.changes[j];
			breaks_callers |= change->breaks_callers;
			breaks_data |= change->breaks_data;
			assert_int_equal(buf_printf(&world->buf, "%s: %s %s\n", schema_change_effect(change),
						    change->path, change->text),
					 0);
		}
		if (strcmp(buf_text(&world->buf), cases[i].said) != 0)
			fail_msg("%s\n%s\n%s", cases[i].before, cases[i].after, buf_text(&world->buf));
		assert_int_equal(breaks_callers, comparison.breaks_callers);
		assert_int_equal(breaks_data, comparison.breaks_data);
		world_free(world);
	}
}

static void prints_a_line_for_each(void **state UNUSED) {
	struct world *world = world_new();
	struct schema_comparison comparison;
	schema_compare(body(world, "data D { a Int } export verb v(D) Unit"),
		       body(world, "data D { a String } export verb v(D) Unit verb w(D) D"), NULL, &world->arena,
		       &comparison);
	buf_clear(&world->buf);
	assert_int_equal(schema_comparison_print(&comparison, &world->buf), 0);
	assert_string_equal(buf_text(&world->buf), "unsafe for callers, stored data  D.a was Int, is now String\n"
						   "safe                             w is new\n");
	assert_int_equal(comparison.changes[0].pos.line, 1);
	assert_int_equal(comparison.changes[0].pos.column, 21);
	world_free(world);
}

static void keeps_to_the_maximum_of_changes(void **state UNUSED) {
	struct world *world = world_new();
	struct schema_comparison comparison;
	buf_clear(&world->buf);
	assert_int_equal(buf_append(&world->buf, STR("module m {")), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(buf_printf(&world->buf, "data D%zu {", i), 0);
		for (size_t j = 0; j < 3000; j++)
			assert_int_equal(buf_printf(&world->buf, "f%zu Int\n", j), 0);
		assert_int_equal(buf_append(&world->buf, STR("}")), 0);
	}
	assert_int_equal(buf_append(&world->buf, STR("}")), 0);
	const struct schema_module *before = check_good(world, buf_text(&world->buf));
	schema_compare(before, body(world, "data D0 {} data D1 {} data D2 {} data D3 {}"), NULL, &world->arena,
		       &comparison);
	assert_int_equal(comparison.count, SCHEMA_CHANGES_MAX);
	assert_int_equal(comparison.left_out, 12000 - SCHEMA_CHANGES_MAX);
	assert_true(comparison.breaks_data);
	world_free(world);
}

/* Data that lead from one to the next. */
static const struct schema_module *row(struct world *world, const char *name, size_t length) {
	buf_clear(&world->buf);
	assert_int_equal(buf_append(&world->buf, STR("module m { export verb v(X) X\n")), 0);
	for (size_t i = 0; i + 1 < length; i++)
		assert_int_equal(buf_printf(&world->buf, "data %s%zu { next %s%zu? }\n", name, i, name, i + 1), 0);
	assert_int_equal(buf_printf(&world->buf, "data %s%zu {} data X { x %s0 } }", name, length - 1, name), 0);
	return check_good(world, buf_text(&world->buf));
}

/* A step of the stack for each would be more than there are. */
static void bears_long_rows(void **state UNUSED) {
	struct world *world = world_new();
	struct schema_comparison comparison;
	const struct schema_module *before = row(world, "A", 3900), *after = row(world, "B", 3900);
	schema_compare(before, after, NULL, &world->arena, &comparison);
	assert_string_equal(comparison.changes[comparison.count - 1].path, "B3899");
	for (size_t i = 0; i < comparison.count; i++)
		if (strcmp(comparison.changes[i].path, "X.x") == 0)
			assert_string_equal(schema_change_effect(&comparison.changes[i]), "safe");
	world_free(world);
}

static const struct schema_module *wide(struct world *world, const char *name, const char *type) {
	buf_clear(&world->buf);
	assert_int_equal(buf_printf(&world->buf, "module m { data %s {\n", name), 0);
	for (size_t i = 0; i < SCHEMA_MEMBERS_MAX; i++)
		assert_int_equal(buf_printf(&world->buf, "f%zu %s\n", i, type), 0);
	assert_int_equal(buf_append(&world->buf, STR("} data X {\n")), 0);
	for (size_t i = 0; i < SCHEMA_MEMBERS_MAX; i++)
		assert_int_equal(buf_printf(&world->buf, "x%zu %s\n", i, name), 0);
	assert_int_equal(buf_append(&world->buf, STR("} }")), 0);
	return check_good(world, buf_text(&world->buf));
}

/* Minutes, if each field that has it were compared in depth. */
static void compares_a_replaced_type_once(void **state UNUSED) {
	static const struct {
		const char *now, *effect;
	} afters[] = {{"Int", "safe"}, {"Int?", "safe"}, {"String", "unsafe for stored data"}};
	for (size_t i = 0; i < ARRAY_LEN(afters); i++) {
		struct world *world = world_new();
		struct schema_comparison comparison;
		const struct schema_module *before = wide(world, "A", "Int"), *after = wide(world, "B", afters[i].now);
		schema_compare(before, after, NULL, &world->arena, &comparison);
		size_t found = 0;
		for (size_t j = 0; j < comparison.count; j++)
			found += strncmp(comparison.changes[j].path, "X.x", 3) == 0 &&
				 strcmp(schema_change_effect(&comparison.changes[j]), afters[i].effect) == 0;
		assert_int_equal(found, SCHEMA_MEMBERS_MAX);
		world_free(world);
	}
}

/* Arguments that double with each step, and rows of generic data: too much to follow counts as different, at once. */
static void gives_up_on_endless_instances(void **state UNUSED) {
	enum { ROW = 300 };
	struct world *world = world_new();
	const struct schema_module *versions[2];
	for (size_t version = 0; version < 2; version++) {
		const char *name = version == 0 ? "A" : "B";
		buf_clear(&world->buf);
		assert_int_equal(buf_printf(&world->buf, "module m { data Pair<T> { a T  b T } data X { x %s0<Int> }\n",
					    name),
				 0);
		for (size_t i = 0; i < ROW; i++)
			assert_int_equal(buf_printf(&world->buf, "data %s%zu<T> { x %s%zu<Pair<Pair<T>>>  y T }\n",
						    name, i, name, i + 1),
					 0);
		assert_int_equal(buf_printf(&world->buf, "data %s%d<T> { x T } }", name, ROW), 0);
		versions[version] = check_good(world, buf_text(&world->buf));
	}
	struct schema_comparison comparison;
	schema_compare(versions[0], versions[1], NULL, &world->arena, &comparison);
	bool found = false;
	for (size_t i = 0; i < comparison.count; i++)
		if (strcmp(comparison.changes[i].path, "X.x") == 0)
			found = comparison.changes[i].narrows && comparison.changes[i].widens;
	assert_true(found);
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_changes),
		cmocka_unit_test(prints_a_line_for_each),
		cmocka_unit_test(keeps_to_the_maximum_of_changes),
		cmocka_unit_test(bears_long_rows),
		cmocka_unit_test(compares_a_replaced_type_once),
		cmocka_unit_test(gives_up_on_endless_instances),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
