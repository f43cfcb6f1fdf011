/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_test.h"

#include "base/arena.h"
#include "cli/project/order.h"
#include "schema/parse.h"

enum { ITEMS_MAX = 8 };

/* Makes items of "a:b,c b: c:b", in the order given; "fail" is the module that fails. Returns how they went: "b c a",
 * with "!" behind one that failed, "?" behind one that went first in a circle, and "(a-b)" for a left for want of b. */
static const char *go(struct arena *arena, const char *text, const char *fail) {
	struct order_item items[ITEMS_MAX] = {0};
	size_t count = 0;
	for (struct str rest = str_from(text); rest.len > 0; count++) {
		struct str needs, item = str_cut(rest, ' ', &rest);
		items[count].module = arena_strdup(arena, str_cut(item, ':', &needs));
		const char **list = arena_alloc(arena, ITEMS_MAX * sizeof *list);
		for (; needs.len > 0; items[count].need_count++)
			list[items[count].need_count] = arena_strdup(arena, str_cut(needs, ',', &needs));
		items[count].needs = list;
	}
	const char *went = "";
	for (int next; (next = order_next(items, count)) >= 0;) {
		bool fails = strcmp(items[next].module, fail) == 0;
		went = arena_printf(arena, "%s%s%s%s ", went, items[next].module, items[next].needed ? "?" : "",
				    fails ? "!" : "");
		order_state_move(&items[next].state, fails ? ORDER_FAILED : ORDER_DONE);
	}
	for (size_t i = 0; i < count; i++)
		if (items[i].state == ORDER_LEFT)
			went = arena_printf(arena, "%s(%s-%s) ", went, items[i].module, items[i].needed);
	return went;
}

static void each_goes_after_those_that_it_needs(void **state UNUSED) {
	static const struct {
		const char *items, *fail, *went;
	} cases[] = {
		{"a: b: c:", "", "a b c "}, /* as given */
		{"a:b,c b:c c:", "", "c b a "},
		{"a:a,z b:", "", "a b "}, /* itself, and one that is not of this run */
		{"a:b b: b:", "", "b a b "}, /* a folder that is given twice */
		{"a:b b: c:a d:", "b",
		 "b! d (a-b) (c-a) "}, /* those that need a failed one are left, also by way of another */
		{"a:b b:a c:", "", "c a? b "}, /* a circle: the first that was given */
		{"d:b a:b b:c c:a", "", "a? c b d "}, /* d is not in it */
		{"a:b b:a c:a", "a", "a?! (b-a) (c-a) "},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = ARENA_INIT(KIB(64));
		const char *went = go(&arena, cases[i].items, cases[i].fail);
		if (strcmp(went, cases[i].went) != 0)
			fail_msg("%s gives \"%s\" and not \"%s\"", cases[i].items, went, cases[i].went);
		arena_deinit(&arena);
	}
}

static void a_schema_needs_what_its_types_and_calls_name(void **state UNUSED) {
	static const char text[] = "module shop {\n"
				   "  data Order {\n    of cart.Item\n    lines [bill.Line]\n    own shop.Own\n  }\n"
				   "  data Own {\n  }\n"
				   "  verb buy(shop.Order) cart.Item\n    +calls mail.send, cart.add\n"
				   "}\n";
	struct arena arena = ARENA_INIT(2 * (size_t)SCHEMA_ARENA_MAX);
	struct schema_diagnostics diagnostics;
	struct schema_module *module;
	struct order_item item = {0};
	schema_diagnostics_init(&diagnostics);
	assert_int_equal(schema_parse(str_from(text), "shop.ftl", &arena, &module, &diagnostics), 0);
	order_needs(module, &arena, &item);
	assert_int_equal(item.need_count, 3);
	assert_string_equal(item.needs[0], "cart");
	assert_string_equal(item.needs[1], "bill");
	assert_string_equal(item.needs[2], "mail");
	schema_diagnostics_deinit(&diagnostics);
	arena_deinit(&arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_goes_after_those_that_it_needs),
		cmocka_unit_test(a_schema_needs_what_its_types_and_calls_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
