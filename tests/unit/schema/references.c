/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

#include "base/map.h"
#include "schema/callers.h"
#include "schema/references.h"

static const char *const running[] = {
	"module echo { export data Req { name String? } export data Box<T> { t T } data Hidden {}"
	" export enum Kind: Int { A = 1 } export enum Sum { A Int } export typealias Key String"
	" export verb echo(Req) Req  verb hidden(Req) Req  export verb list(Unit) [Out]  data Out { at Time } }",
	"module time { export data Now { at echo.Req } export verb time(Unit) Time }",
	"module shop { export verb order(Unit) Unit +calls echo.echo, time.time\n"
	" verb audit(Unit) Unit +calls echo.hidden, echo.list\n"
	" data Cart { items [echo.Box<Int>] } }",
	"module users { verb get(echo.Req) Unit }",
};

static void run_all(struct world *world, struct map *modules) {
	map_init(modules);
	for (size_t i = 0; i < ARRAY_LEN(running); i++) {
		struct schema_module *module = check_good(world, running[i]);
		assert_null(map_put(modules, str_from(module->name), module));
	}
}

/* Within "module m { … }". */
static const struct {
	const char *text;
	const char *said;
} errors[] = {
	{"data D { a echo.Req  b echo.Box<echo.Req>  c {echo.Kind: Int}  d {echo.Key: Int}  e verb time.time }", ""},
	{"verb v(echo.Req) [echo.Box<Int>] +calls echo.echo, m.v", ""},
	{"data D { a ehco.Req }", "D.a: there is no module \"ehco\"\n    hint: did you mean \"echo\"?\n"},
	{"data D { a other.Req }", "D.a: there is no module \"other\"\n    hint: deploy it first\n"},
	{"data D { a [echo.Rek] }", "D.a: module \"echo\" has no type \"Rek\"\n    hint: did you mean \"Req\"?\n"},
	{"data D { a echo.Hidden }",
	 "D.a: module \"echo\" does not export \"Hidden\"\n    hint: declare it as: export data Hidden\n"},
	{"data D { a echo.echo }", "D.a: module \"echo\" has no type \"echo\"\n"},
	{"data D { a verb echo.Req }", "D.a: module \"echo\" has no verb \"Req\"\n"},
	{"data D { a echo.Box }", "D.a: \"echo.Box\" takes 1 type argument, not 0\n"},
	{"data D { a echo.Req<Int> }", "D.a: \"echo.Req\" takes 0 type arguments, not 1\n"},
	{"data D { a {echo.Sum: Int} }",
	 "D.a: a map with keys of this type\n    hint: a key is String, Int or an enum of values\n"},
	{"enum S { A echo.X }", "S.A: module \"echo\" has no type \"X\"\n"},
	{"typealias A echo.X", "A: module \"echo\" has no type \"X\"\n"},
	{"verb v(echo.X) echo.Y",
	 "v.request: module \"echo\" has no type \"X\"\nv.response: module \"echo\" has no type \"Y\"\n"},
	{"verb v(Unit) Unit +calls echo.eco",
	 "v: module \"echo\" has no verb \"eco\"\n    hint: did you mean \"echo\"?\n"},
	{"verb v(Unit) Unit +calls echo.hidden",
	 "v: module \"echo\" does not export \"hidden\"\n    hint: declare it as: export verb hidden\n"},
	{"verb v(Unit) Unit +calls tmie.time", "v: there is no module \"tmie\"\n    hint: did you mean \"time\"?\n"},
};

static void finds_bad_references(void **state UNUSED) {
	struct world *world = world_new();
	struct map modules;
	run_all(world, &modules);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const struct schema_module *module =
			check_good(world, arena_printf(&world->arena, "module m { %s }", errors[i].text));
		world->diagnostics.count = 0;
		int result = schema_check_references(module, &modules, &world->diagnostics);
		assert_int_equal(result, errors[i].said[0] == '\0' ? 0 : -1);
		for (size_t j = 0; j < world->diagnostics.count; j++) {
			assert_int_equal(world->diagnostics.items[j].pos.line, 1);
			world->diagnostics.items[j].pos.line = 0;
			world->diagnostics.items[j].excerpt = "";
		}
		assert_string_equal(diagnostics_text(world), errors[i].said);
		world->diagnostics.count = 0;
	}
	map_deinit(&modules);
	world_free(world);
}

static void refuses_types_that_need_each_other(void **state UNUSED) {
	struct world *world = world_new();
	struct map modules;
	run_all(world, &modules);
	const struct schema_module *module = check_good(world, "module echo { export data Req { n time.Now? } }");
	assert_int_equal(schema_check_references(module, &modules, &world->diagnostics), -1);
	assert_string_equal(world->diagnostics.items[0].message,
			    "Req.n: the types of \"echo\" and those of \"time\" need each other");
	world->diagnostics.count = 0;
	module = check_good(world, "module echo { export data Req {} verb v(time.Now) Unit }");
	assert_int_equal(schema_check_references(module, &modules, &world->diagnostics), 0);
	map_deinit(&modules);
	world_free(world);
}

/* What became of module echo. */
static const struct {
	const char *text;
	const char *said;
} changes[] = {
	{"export data Req { name String? more Int? } export data Box<T> { t T } export verb echo(Req) Req"
	 " verb hidden(Req) Req  export verb list(Unit) [Out]  data Out { at Time more Int }",
	 ""},
	{"export data Req { name String } export data Box<T> { t T } export verb echo(Req) Req"
	 " export verb list(Unit) [Out]  data Out { at Time? }",
	 "shop.order calls echo.echo: Req.name was String?, is now String\n"
	 "shop.audit calls echo.hidden: hidden is gone\n"
	 "shop.audit calls echo.list: Out.at was Time, is now Time?\n"
	 "users.get uses echo.Req: Req.name was String?, is now String\n"},
	{"export data Req { name String? } export data Box { t Int } verb echo(Req) Req  verb hidden(Req) Req"
	 " export verb list(Int) [Out]  data Out { at Time }",
	 "shop.order calls echo.echo: echo is no longer exported\n"
	 "shop.audit calls echo.list: list request was Unit, is now Int\n"
	 "shop.Cart uses echo.Box: it has other type parameters\n"},
	{"data Req { name String? } verb hidden(Req) Req  export verb list(Unit) [Time]  verb echo(Req) Any",
	 "shop.order calls echo.echo: echo is no longer exported\n"
	 "shop.order calls echo.echo: echo response was echo.Req, is now Any\n"
	 "shop.audit calls echo.list: list response was [echo.Out], is now [Time]\n"
	 "shop.Cart uses echo.Box: it is gone\n"
	 "time.Now uses echo.Req: it is no longer exported\n"
	 "users.get uses echo.Req: it is no longer exported\n"},
};

static void names_who_is_hurt(void **state UNUSED) {
	struct world *world = world_new();
	struct map modules;
	run_all(world, &modules);
	const struct schema_module *before = map_get(&modules, STR("echo"));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct schema_comparison comparison;
		const struct schema_module *after =
			check_good(world, arena_printf(&world->arena, "module echo { %s }", changes[i].text));
		schema_compare(before, after, NULL, &world->arena, &comparison);
		world->diagnostics.count = 0;
		int result = schema_check_callers(&comparison, &modules, &world->diagnostics);
		assert_int_equal(result, changes[i].said[0] == '\0' ? 0 : -1);
		buf_clear(&world->buf);
		for (size_t j = 0; j < world->diagnostics.count; j++)
			assert_int_equal(buf_printf(&world->buf, "%s\n", world->diagnostics.items[j].message), 0);
		assert_string_equal(buf_text(&world->buf), changes[i].said);
		world->diagnostics.count = 0;
	}
	map_deinit(&modules);
	world_free(world);
}

/* A type that others take in requests: what was one is refused where it enters, before they see it. */
static void names_who_takes_a_type_that_narrows(void **state UNUSED) {
	static const char before[] = "module money { export data Price { amount Int  of Currency }"
				     " export enum Currency: String { Euro = \"EUR\"  Dollar = \"USD\" } }";
	static const struct {
		const char *user, *after, *said;
	} uses[] = {
		{"verb v(money.Price) Unit", "export data Price { amount String  of Currency }",
		 "u.v uses money.Price: Price.amount was Int, is now String\n"},
		{"verb v([D?]) Unit  data D { e E }  enum E { X {String: money.Price} }",
		 "export data Price { amount Int }", "u.E uses money.Price: Price.of is gone\n"},
		{"verb v(G<money.Price>) Unit  data G<T> { t T }",
		 "export data Price { amount Int  of Currency  x Int }",
		 "u.v uses money.Price: Price.x is new and required\n"},
		/* What is accepted is accepted still. */
		{"verb v(money.Price) Unit", "export data Price { amount Int?  of Currency  x Int? }", ""},
		/* Answers are of code that has not changed. */
		{"verb v(Unit) money.Price  data D { p money.Price }",
		 "export data Price { amount String  of Currency }", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		struct world *world = world_new();
		struct schema_comparison comparison;
		struct map modules;
		map_init(&modules);
		map_put(&modules, STR("u"),
			check_good(world, arena_printf(&world->arena, "module u { %s }", uses[i].user)));
		const struct schema_module *after = check_good(
			world,
			arena_printf(
				&world->arena,
				"module money { %s export enum Currency: String { Euro = \"EUR\"  Dollar = \"USD\" } }",
				uses[i].after));
		schema_compare(check_good(world, before), after, NULL, &world->arena, &comparison);
		int result = schema_check_callers(&comparison, &modules, &world->diagnostics);
		assert_int_equal(result, uses[i].said[0] == '\0' ? 0 : -1);
		buf_clear(&world->buf);
		for (size_t j = 0; j < world->diagnostics.count; j++)
			assert_int_equal(buf_printf(&world->buf, "%s\n", world->diagnostics.items[j].message), 0);
		assert_string_equal(buf_text(&world->buf), uses[i].said);
		map_deinit(&modules);
		world_free(world);
	}
}

/* The changes that hurt a verb are looked for once, and errors past the maximum are only counted. */
static void bears_many_calls(void **state UNUSED) {
	struct world *world = world_new();
	enum { FIELDS = SCHEMA_MEMBERS_MAX, VERBS = 500, CALLS = 20000 };
	const struct schema_module *versions[2];
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&world->buf);
		assert_int_equal(buf_append(&world->buf, STR("module m { export data D {\n")), 0);
		for (size_t j = 0; j < FIELDS; j++)
			assert_int_equal(buf_printf(&world->buf, "f%zu %s\n", j, i ? "String" : "Int"), 0);
		assert_int_equal(buf_append(&world->buf, STR("}\n")), 0);
		for (size_t j = 0; j < VERBS; j++)
			assert_int_equal(buf_printf(&world->buf, "export verb v%zu(m.D) Unit\n", j), 0);
		assert_int_equal(buf_append(&world->buf, STR("}")), 0);
		versions[i] = check_good(world, buf_text(&world->buf));
	}
	buf_clear(&world->buf);
	assert_int_equal(buf_append(&world->buf, STR("module caller { verb c(Unit) Unit +calls m.v0")), 0);
	for (size_t i = 1; i < CALLS; i++)
		assert_int_equal(buf_printf(&world->buf, ", m.v%zu", i % VERBS), 0);
	assert_int_equal(buf_append(&world->buf, STR("}")), 0);
	struct map modules;
	map_init(&modules);
	map_put(&modules, STR("caller"), check_good(world, buf_text(&world->buf)));
	struct schema_comparison comparison;
	schema_compare(versions[0], versions[1], NULL, &world->arena, &comparison);
	assert_int_equal(schema_check_callers(&comparison, &modules, &world->diagnostics), -1);
	assert_string_equal(world->diagnostics.items[0].message,
			    "caller.c calls m.v0: D.f0 was Int, is now String");
	assert_int_equal(world->diagnostics.left_out + world->diagnostics.count, (size_t)FIELDS * CALLS);
	map_deinit(&modules);
	world_free(world);
}

/* Modules whose types need those of the next, and the last one those of the first: no step of the stack for each. */
static void follows_a_long_way_back(void **state UNUSED) {
	struct world *world = world_new();
	enum { MODULES = 3000 };
	struct map modules;
	map_init(&modules);
	world->arena.max = (size_t)16 << 30;
	for (size_t i = 0; i < MODULES; i++) {
		const struct schema_module *module =
			check_good(world, arena_printf(&world->arena, "module m%zu { export data D { x m%zu.D? } }", i,
						       (i + 1) % MODULES));
		map_put(&modules, str_from(module->name), (void *)module);
	}
	const struct schema_module *first = map_get(&modules, STR("m0"));
	assert_int_equal(schema_check_references(first, &modules, &world->diagnostics), -1);
	assert_string_equal(world->diagnostics.items[0].message,
			    "D.x: the types of \"m0\" and those of \"m1\" need each other");
	map_deinit(&modules);
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_bad_references),
		cmocka_unit_test(refuses_types_that_need_each_other),
		cmocka_unit_test(names_who_is_hurt),
		cmocka_unit_test(names_who_takes_a_type_that_narrows),
		cmocka_unit_test(bears_many_calls),
		cmocka_unit_test(follows_a_long_way_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
