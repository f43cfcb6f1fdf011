/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_test.h"

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
				  "  export data Page<T> { items [T]  next Int?  at Time }\n"
				  "  export enum Mood: String { Happy = \"happy\"  None = \"\" }\n"
				  "  typealias Id String\n"
				  "  data Empty {}\n"
				  "  // Lists them.\n"
				  "  export verb all(Id) m.Page<other.Thing>\n"
				  "  export verb mood(Unit) m.Mood?\n"
				  "  export verb set({String: m.Mood}) Unit\n"
				  "  export verb same(Any) Any\n"
				  "  export verb empty(m.Empty) [Bytes]\n"
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
	"from typing import Any, cast\n"
	"\n"
	"import ftl\n"
	"\n"
	"FTL_MODULE = \"m\"\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class other_Thing:\n"
	"    of: str\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class Page_of_other_Thing:\n"
	"    \"\"\"A \\\"thing\\\" \\\\ of some kind.\"\"\"\n"
	"\n"
	"    items: list[other_Thing]\n"
	"    next: int | None = None\n"
	"    at: datetime\n"
	"\n"
	"\n"
	"class Mood(enum.Enum):\n"
	"    Happy = \"happy\"\n"
	"    None_ = \"\"\n"
	"\n"
	"\n"
	"@dataclass(kw_only=True)\n"
	"class Empty:\n"
	"    pass\n"
	"\n"
	"\n"
	"def all(request: str, /, *, timeout: float | None = None) -> Page_of_other_Thing:\n"
	"    \"\"\"Lists them.\"\"\"\n"
	"\n"
	"    return ftl.call(\"m.all\", request, Page_of_other_Thing, timeout=timeout)\n"
	"\n"
	"\n"
	"def mood(*, timeout: float | None = None) -> Mood | None:\n"
	"    return ftl.call(\"m.mood\", {}, cast(\"type[Mood | None]\", Mood | None), timeout=timeout)\n"
	"\n"
	"\n"
	"def set(request: dict[str, Mood], /, *, timeout: float | None = None) -> None:\n"
	"    ftl.call(\"m.set\", request, timeout=timeout)\n"
	"\n"
	"\n"
	"def same(request: Any, /, *, timeout: float | None = None) -> Any:\n"
	"    return ftl.call(\"m.same\", request, timeout=timeout)\n"
	"\n"
	"\n"
	"def empty(request: Empty, /, *, timeout: float | None = None) -> list[bytes]:\n"
	"    return ftl.call(\"m.empty\", request, list[bytes], timeout=timeout)\n";

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

static void says_what_python_has_no_form_for(void **state UNUSED) {
	static const struct {
		const char *text, *said;
	} wrong[] = {
		{"module m { export verb list(Unit) Unit }",
		 "list of m cannot be called so in Python: call it by ftl.call"},
		{"module m { export data D { class Int } export verb v(m.D) Unit }",
		 "class of m.D cannot be called so in Python: call it by ftl.call"},
		{"module m { export enum S { A Int  B String } export verb v(m.S) Unit }",
		 "m.S is an enum of types, which Python's SDK has no form for: call its verbs by ftl.call"},
		{"module m { export verb v({Int: Int}) Unit }",
		 "{Int: Int} has keys that are no String, which Python's SDK has no form for: call its verbs by ftl.call"},
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
		cmocka_unit_test(says_what_python_has_no_form_for),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
