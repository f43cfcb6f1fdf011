/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_test.h"

static const char whole[] = "// Greets people.\n"
			    "//\n"
			    "//   and more\n"
			    "module echo {\n"
			    "  +language c\n"
			    "  +entry \"my main\"\n"
			    "  +bind unix\n"
			    "  +created 2026-01-02T03:04:05.5Z\n"
			    "  +owner team-a\n"
			    "\n"
			    "  // Who to greet.\n"
			    "  export data EchoRequest {\n"
			    "    // Nobody when absent.\n"
			    "    name String? +alias json rqn +secret\n"
			    "  }\n"
			    "\n"
			    "  data Empty {}\n"
			    "\n"
			    "  data Page<T, U> {\n"
			    "    items [T?]\n"
			    "    extra {echo.Mood: {Int: echo.Page<U, [echo.Empty]>?}}\n"
			    "    all [Any]\n"
			    "    next verb time.time\n"
			    "  }\n"
			    "      +sensitive\n"
			    "\n"
			    "  // How one feels.\n"
			    "  export enum Mood: String {\n"
			    "    Happy = \"ha\\\"p\\\\py\\n\\u0001\\u007f\xC3\xBC\"\n"
			    "    // Not happy.\n"
			    "    Sad = \"\"\n"
			    "  }\n"
			    "\n"
			    "  enum Level: Int {\n"
			    "    Low = -9223372036854775808\n"
			    "    High = 0\n"
			    "  }\n"
			    "\n"
			    "  enum Shape {\n"
			    "    Circle Float\n"
			    "    Other other.Thing<Bytes, Bool, Time>\n"
			    "  }\n"
			    "\n"
			    "  // An alias.\n"
			    "  export typealias Id String\n"
			    "      +x\n"
			    "\n"
			    "  export verb echo(echo.EchoRequest) echo.Empty\n"
			    "      +calls time.time, echo.list\n"
			    "      +ingress GET /users/{id} \"a b\" \"\" \"+\" \"//c\" \"{}}\"\n"
			    "\n"
			    "  verb list(Unit) [Int]?\n"
			    "}\n";

static void parse_and_print_give_the_same_text(void **state UNUSED) {
	static const char *const texts[] = {
		whole,
		"module a {\n}\n",
		"module a {\n  +x\n}\n",
		"module a {\n  data B {}\n}\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct world *world = world_new();
		assert_string_equal(print(world, check_good(world, texts[i])), texts[i]);
		world_free(world);
	}
}

/* Each comment is where it was, or above what it stood in. */
static void keeps_every_comment(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(world, "//1\n"
							       "module // 2\n"
							       "a { // 3\n"
							       "  +language c // 4\n"
							       "  // 5\n"
							       "  data D { // 6\n"
							       "    // 7\n"
							       "    f [ // 8\n"
							       "      Int ] // 9\n"
							       "    // 10\n"
							       "  } // 11\n"
							       "  // 12\n"
							       "  export // 13\n"
							       "  verb v(a.D) // 14\n"
							       "    a.D\n"
							       "    // 15\n"
							       "    +calls // 16\n"
							       "      a.v\n"
							       "  enum E: Int { // 17\n"
							       "    A = 1 // 18\n"
							       "    // 19\n"
							       "  }\n"
							       "  // 20\n"
							       "} // 21\n"
							       "// 22");
	assert_string_equal(print(world, module), "// 1\n// 2\n// 3\n// 4\n// 20\n// 21\n// 22\n"
						  "module a {\n"
						  "  +language c\n"
						  "\n"
						  "  // 5\n"
						  "  // 6\n"
						  "  // 10\n"
						  "  // 11\n"
						  "  data D {\n"
						  "    // 7\n"
						  "    // 8\n"
						  "    // 9\n"
						  "    f [Int]\n"
						  "  }\n"
						  "\n"
						  "  // 12\n"
						  "  // 13\n"
						  "  // 14\n"
						  "  // 15\n"
						  "  // 16\n"
						  "  export verb v(a.D) a.D\n"
						  "      +calls a.v\n"
						  "\n"
						  "  // 17\n"
						  "  // 19\n"
						  "  enum E: Int {\n"
						  "    // 18\n"
						  "    A = 1\n"
						  "  }\n"
						  "}\n");
	world_free(world);
}

static void says_when_the_buffer_is_full(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(world, whole);
	struct buf buf = BUF_INIT(sizeof whole - 2);
	assert_int_equal(schema_print(module, &buf), -1);
	buf_deinit(&buf);
	buf_init(&buf, sizeof whole - 1);
	assert_int_equal(schema_print(module, &buf), 0);
	buf_deinit(&buf);
	world_free(world);
}

static void prints_types_for_messages(void **state UNUSED) {
	struct world *world = world_new();
	const struct schema_module *module = check_good(world, whole);
	char text[SCHEMA_TYPE_TEXT_MAX];
	const struct schema_decl *page = schema_find_decl(module, "Page");
	assert_string_equal(schema_type_text(&page->data.fields[0].type, text), "[T?]");
	struct schema_type type = page->data.fields[1].type;
	struct schema_type args[20];
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		args[i] = type;
	struct schema_type many = {
		.kind = SCHEMA_REF, .ref = {.module = "echo", .name = "Page"}, .args = args, .arg_count = 20};
	schema_type_text(&many, text);
	assert_true(strlen(text) < SCHEMA_TYPE_TEXT_MAX);
	assert_string_equal(text + strlen(text) - 3, "…");
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_and_print_give_the_same_text),
		cmocka_unit_test(keeps_every_comment),
		cmocka_unit_test(says_when_the_buffer_is_full),
		cmocka_unit_test(prints_types_for_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
