/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a value of a type, which the first byte chooses. jansson must agree on whether the text is JSON.
 */
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "schema/check.h"
#include "schema/json_check.h"
#include "schema/json_scan.h"
#include "schema/parse.h"

static const char schema_text[] =
	"module m {\n"
	"  data Item { name String  price Float?  next Item?  at Time  raw Bytes  ok Bool }\n"
	"  data Page<T> { items [T]  more Page<T>? }\n"
	"  enum Mood: String { Happy = \"happy\"  Sad = \"sad\" }\n"
	"  enum Level: Int { Low = -1  High = 5 }\n"
	"  enum Shape { Circle Float  Named [Mood]  Both Shape  None Unit }\n"
	"  verb a(Item) Unit  verb b(Page<Item>) Unit  verb c(Shape) Unit  verb d({Mood: {Level: {Int: Any}}}) Unit\n"
	"  verb e([Int?]) Unit  verb f({String: Mood}) Unit  verb g(verb m.a) Unit  verb h(Any) Unit\n"
	"}\n";

static struct schema_module *module;

static void read_schema(void) {
	static struct arena arena; /* never freed, like the module */
	static struct schema_diagnostics diagnostics;
	arena_init(&arena, (size_t)2 * SCHEMA_ARENA_MAX);
	schema_diagnostics_init(&diagnostics);
	ASSERT(schema_parse(str_from(schema_text), "fuzz.ftl", &arena, &module, &diagnostics) == 0);
	ASSERT(schema_check(module, &diagnostics) == 0);
}

static const struct schema_type *choose_type(uint8_t number) {
	const struct schema_decl *verb = NULL;
	for (int i = number % 8; i >= 0; i--)
		verb = schema_next_verb(module, verb);
	return &verb->verb.request;
}

/* Compares with jansson's verdict, except where the limits differ: large numbers, depth, NUL, UTF-8. */
static void compare_with_jansson(struct str text, bool is_json, const char *problem) {
	json_error_t error;
	json_t *tree =
		json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	if (tree == NULL)
		ASSERT(!is_json || json_error_code(&error) == json_error_numeric_overflow);
	else
		ASSERT(is_json || strstr(problem, "nested deeper") || strstr(problem, "NUL") ||
		       strstr(problem, "UTF-8"));
	json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct error err = {.msg = ""};
	if (module == NULL)
		read_schema();
	if (size == 0)
		return 0;
	struct str text = str_new(data + 1, size - 1);
	struct scanner scanner;
	scan_start(&scanner, text);
	bool is_json = scan_skip(&scanner) && scan_finish(&scanner);
	compare_with_jansson(text, is_json, scanner.problem);

	struct schema_json json = {.module = module, .root = "request"};
	int strict = schema_check_json(&json, choose_type(data[0]), text, &err);
	ASSERT(strict == 0 ? is_json : err.code == CODE_INVALID_ARGUMENT && str_is_text(str_from(err.msg)));
	json.skip_unknown = true;
	int lenient = schema_check_json(&json, choose_type(data[0]), text, &err);
	ASSERT(strict != 0 || lenient == 0);
	return 0;
}
