/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "generate/generate.h"
#include "schema/check.h"
#include "schema/parse.h"

static struct arena arena;

static const struct schema_module *parse(const char *text) {
	struct schema_diagnostics diagnostics;
	struct schema_module *module = NULL;
	schema_diagnostics_init(&diagnostics);
	if (schema_parse(str_from(text), "m.ftl", &arena, &module, &diagnostics) < 0 ||
	    schema_check(module, &diagnostics) < 0)
		fail_msg("%s", diagnostics.items[0].message);
	schema_diagnostics_deinit(&diagnostics);
	return module;
}

static const struct schema_module *find(void *owner, const char *name UNUSED, struct error *err UNUSED) {
	return owner;
}

static int generate(const char *text, struct buf *out, struct error *err) {
	const struct schema_module *other = parse("module other { export data Thing { of String } }");
	return generate_python(
		&(struct generate_options){
			.module = parse(text), .file = "schemas/m.ftl", .find = find, .owner = (void *)other},
		out, err);
}

static const char schema_text[] = "module m {\n"
				  "  // A \"thing\" \\ of some kind.\n"
				  "  export data Page<T> {\n"
				  "    items [T]\n"
				  "    // Where it goes on.\n"
				  "    next Int?\n"
				  "    at Time\n"
				  "  }\n"
				  "  export enum Mood: String { Happy = \"happy\"  None = \"\" }\n"
				  "  // Drawn.\n"
				  "  export enum Shape {\n"
				  "    Circle Float\n"
				  "    // Of them.\n"
				  "    Group [m.Shape]\n"
				  "    Thing other.Thing\n"
				  "    Empty m.Empty\n"
				  "    Nothing Unit\n"
				  "  }\n"
				  "  enum One { Empty m.Empty }\n"
				  "  typealias Ids [Id]?\n"
				  "  typealias Id String\n"
				  "  data Empty {}\n"
				  "  data Odd { class Int  list [One]  Mood m.Mood?  __a verb time.time  a_ Unit? }\n"
				  "  // Lists them.\n"
				  "  export verb all(Ids) m.Page<other.Thing>\n"
				  "  export verb mood(Unit) m.Mood?\n"
				  "  export verb set({m.Mood: m.Odd}) Unit\n"
				  "  export verb list(Any) Any\n"
				  "  export verb draw(m.Shape) {Int: Bytes}\n"
				  "  verb hidden(Unit) Unit\n"
				  "}\n";

static const char stubs_text[] =
	"# Made by `ftl generate` from schemas/m.ftl: change nothing here.\n"
	"# ruff: noqa\n"
	"\n"
	"from __future__ import annotations\n"
	"\n"
	"import enum\n"
	"from dataclasses import dataclass\n"
	"from datetime import datetime\n"
	"from typing import Annotated, Any, Generic, TypeAlias, TypeVar\n"
	"\n"
	"import ftl\n"
	"\n"
	"FTL_MODULE = \"m\"\n"
	"T = TypeVar(\"T\")\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class other_Thing:\n"
	"    of: str\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class Page(Generic[T]):\n"
	"    \"\"\"A \\\"thing\\\" \\\\ of some kind.\"\"\"\n"
	"\n"
	"    items: list[T]\n"
	"    next: int | None = None\n"
	"    \"\"\"Where it goes on.\"\"\"\n"
	"    at: datetime\n"
	"\n"
	"\n"
	"class Mood(enum.Enum):\n"
	"    Happy = \"happy\"\n"
	"    None_ = \"\"\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class Odd:\n"
	"    class_: Annotated[int, ftl.Name(\"class\")]\n"
	"    list_: Annotated[list[One], ftl.Name(\"list\")]\n"
	"    Mood_: Annotated[Mood | None, ftl.Name(\"Mood\")] = None\n"
	"    m__a: Annotated[Annotated[str, ftl.VerbName(\"time.time\")], ftl.Name(\"__a\")]\n"
	"    a_: None = None\n"
	"\n"
	"\n"
	"@dataclass\n"
	"class Shape_Circle(ftl.Variant, name=\"Circle\"):\n"
	"    value: float\n"
	"\n"
	"\n"
	"@dataclass\n"
	"class Shape_Group(ftl.Variant, name=\"Group\"):\n"
	"    \"\"\"Of them.\"\"\"\n"
	"\n"
	"    value: list[Shape]\n"
	"\n"
	"\n"
	"@dataclass\n"
	"class Shape_Thing(ftl.Variant, name=\"Thing\"):\n"
	"    value: other_Thing\n"
	"\n"
	"\n"
	"@dataclass\n"
	"class Shape_Nothing(ftl.Variant, name=\"Nothing\"):\n"
	"    value: None = None\n"
	"\n"
	"\n"
	"@dataclass\n"
	"class One_Empty(ftl.Variant, name=\"Empty\"):\n"
	"    value: Empty\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class Empty:\n"
	"    pass\n"
	"\n"
	"Shape: TypeAlias = Shape_Circle | Shape_Group | Shape_Thing | Empty | Shape_Nothing\n"
	"\n"
	"One: TypeAlias = One_Empty\n"
	"\n"
	"Id: TypeAlias = str\n"
	"\n"
	"Ids: TypeAlias = list[Id] | None\n"
	"\n"
	"\n"
	"def all(request: Ids, /, *, timeout: float | None = None) -> Page[other_Thing]:\n"
	"    \"\"\"Lists them.\"\"\"\n"
	"\n"
	"    answer: Page[other_Thing] = ftl.call_typed(\"m.all\", request, Ids, Page[other_Thing], timeout)\n"
	"    return answer\n"
	"\n"
	"\n"
	"def mood(*, timeout: float | None = None) -> Mood | None:\n"
	"    answer: Mood | None = ftl.call_typed(\"m.mood\", None, None, Mood | None, timeout)\n"
	"    return answer\n"
	"\n"
	"\n"
	"def set(request: dict[Mood, Odd], /, *, timeout: float | None = None) -> None:\n"
	"    ftl.call_typed(\"m.set\", request, dict[Mood, Odd], None, timeout)\n"
	"\n"
	"\n"
	"def list_(request: Any, /, *, timeout: float | None = None) -> Any:\n"
	"    answer: Any = ftl.call_typed(\"m.list\", request, Any, Any, timeout)\n"
	"    return answer\n"
	"\n"
	"\n"
	"def draw(request: Shape, /, *, timeout: float | None = None) -> dict[int, bytes]:\n"
	"    answer: dict[int, bytes] = ftl.call_typed(\"m.draw\", request, Shape, dict[int, bytes], timeout)\n"
	"    return answer\n"
	"\n"
	"\n"
	"FTL_TYPES: dict[str, Any] = {\n"
	"    \"other.Thing\": other_Thing,\n"
	"    \"m.Page\": Page,\n"
	"    \"m.Mood\": Mood,\n"
	"    \"m.Shape\": Shape,\n"
	"}\n"
	"FTL_VERBS: dict[str, str] = {\n"
	"    \"all\": \"m.all\",\n"
	"    \"mood\": \"m.mood\",\n"
	"    \"set\": \"m.set\",\n"
	"    \"list_\": \"m.list\",\n"
	"    \"draw\": \"m.draw\",\n"
	"}\n";

static void writes_types_and_functions(void **state UNUSED) {
	struct buf out = BUF_INIT(MIB(1));
	struct error err = {.msg = ""};
	if (generate(schema_text, &out, &err) < 0)
		fail_msg("%s", err.msg);
	char *end = buf_reserve(&out, 1);
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(buf_view(&out).ptr, stubs_text);
	buf_deinit(&out);
}

static void refuses_types_that_are_not_there(void **state UNUSED) {
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{"module m { export verb v(other.None) Unit }", "the module other has no type None, which m names"},
		{"module m { export verb v(other.Thing<Int>) Unit }",
		 "other.Thing takes 0 types now, and m gives it 1"},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf out = BUF_INIT(MIB(1));
		struct error err = {.msg = ""};
		assert_int_equal(generate(wrong[i].text, &out, &err), -1);
		assert_string_equal(err.msg, wrong[i].said);
		buf_deinit(&out);
	}
}

static int setup(void **state UNUSED) {
	arena_init(&arena, (size_t)16 * SCHEMA_ARENA_MAX);
	return 0;
}

static int teardown(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_types_and_functions),
		cmocka_unit_test(refuses_types_that_are_not_there),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
