/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route.h"

#include "cmocka_test.h"

#include "base/memory.h"

static struct route_module *make_module(const char *name, const char *const *verbs) {
	struct str names[8];
	size_t count = 0;
	for (; verbs[count] != NULL; count++)
		names[count] = str_from(verbs[count]);
	return route_module_new(str_from(name), names, count, NULL, 0, "it is starting");
}

static void declare(struct route_module *module, const char *const *calls) {
	struct str *texts = mem_alloc(8 * sizeof *texts);
	size_t count = 0;
	for (; calls[count] != NULL; count++)
		texts[count] = str_from(mem_strdup(calls[count]));
	route_module_set_calls(module, texts, count);
}

static bool may_call(const struct route_module *module, const char *verb, const char *called) {
	return route_module_may_call(module, str_from(verb), str_from(called));
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_verb_may_call_what_it_declares(void **state UNUSED) {
	struct route_module *module = make_module("cart", NAMES("total", "add", "to"));
	declare(module, NAMES("total catalog.find", "total catalog.list", "add stock.take"));
	assert_true(may_call(module, "total", "catalog.find"));
	assert_true(may_call(module, "total", "catalog.list"));
	assert_true(may_call(module, "add", "stock.take"));
	assert_false(may_call(module, "add", "catalog.find"));
	assert_false(may_call(module, "total", "stock.take"));
	assert_false(may_call(module, "total", "catalog.fin"));
	assert_false(may_call(module, "total", "catalog.finds"));
	assert_false(may_call(module, "to", "tal catalog.find"));
	assert_false(may_call(module, "", "total catalog.find"));
	route_module_unref(module);
}

static void test_a_verb_that_declares_nothing_may_call_nothing(void **state UNUSED) {
	struct route_module *module = make_module("cart", NAMES("total"));
	route_module_set_calls(module, NULL, 0);
	assert_false(may_call(module, "total", "catalog.find"));
	route_module_unref(module);
}

static void test_a_module_that_declares_no_calls_may_call_anything(void **state UNUSED) {
	struct route_module *module = make_module("cart", NAMES("total"));
	assert_true(may_call(module, "total", "catalog.find"));
	route_module_unref(module);
}

static void test_long_names_are_not_found(void **state UNUSED) {
	char name[5000];
	struct route_module *module = make_module("cart", NAMES("total"));
	declare(module, NAMES("total catalog.find"));
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_false(may_call(module, name, "catalog.find"));
	assert_false(may_call(module, "total", name));
	assert_false(route_module_has(module, str_from(name)));
	route_module_unref(module);
}

static void test_a_new_table_shares_modules_that_did_not_change(void **state UNUSED) {
	struct route_table *before = route_table_new();
	struct route_module *cart = make_module("cart", NAMES("total")),
			    *catalog = make_module("catalog", NAMES("find"));
	struct route_table *both = route_table_with(before, (struct route_module *const[]){cart, catalog}, 2);
	struct route_module *other = make_module("cart", NAMES("total", "add"));
	struct route_table *after = route_table_with(both, &other, 1);
	assert_null(route_table_find(before, STR("cart")));
	assert_ptr_equal(route_table_find(both, STR("cart")), cart);
	assert_ptr_equal(route_table_find(after, STR("cart")), other);
	assert_ptr_equal(route_table_find(after, STR("catalog")), catalog);
	route_table_unref(before);
	route_table_unref(both);
	assert_true(route_module_has(route_table_find(after, STR("catalog")), STR("find")));
	assert_false(route_module_has(route_table_find(after, STR("catalog")), STR("fin")));
	assert_string_equal(route_module_nearest(other, STR("totl")), "total");
	struct error err;
	assert_int_equal(route_table_no_module(after, STR("catalg"), &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_string_equal(err.msg, "there is no module catalg; did you mean catalog?");
	route_table_no_module(after, STR("elsewhere"), &err);
	assert_string_equal(err.msg, "there is no module elsewhere");
	route_table_unref(after);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_verb_may_call_what_it_declares),
		cmocka_unit_test(test_a_verb_that_declares_nothing_may_call_nothing),
		cmocka_unit_test(test_a_module_that_declares_no_calls_may_call_anything),
		cmocka_unit_test(test_long_names_are_not_found),
		cmocka_unit_test(test_a_new_table_shares_modules_that_did_not_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
