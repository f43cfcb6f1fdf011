/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_check.h"

#include "cmocka_test.h"

#include "base/memory.h"
#include "base/reasons.h"
#include "http/http.h"

/* cart.total may call catalog.find; catalog may call anything. */
static struct route_table *make_table(void) {
	static const struct str cart_verbs[] = {STR_INIT("total")}, catalog_verbs[] = {STR_INIT("find")};
	struct route_module *cart = route_module_new(STR("cart"), cart_verbs, 1, NULL, 0, "");
	struct route_module *catalog = route_module_new(STR("catalog"), catalog_verbs, 1, NULL, 0, "");
	struct str *calls = mem_alloc(sizeof *calls);
	calls[0] = str_from(mem_strdup("total catalog.find"));
	route_module_set_calls(cart, calls, 1);
	struct route_table *empty = route_table_new();
	struct route_table *table = route_table_with(empty, (struct route_module *const[]){cart, catalog}, 2);
	route_table_unref(empty);
	return table;
}

static int check(const struct route_table *table, const char *callers[2], const char *verb, struct error *err) {
	struct arena arena = ARENA_INIT(KIB(4));
	struct http_headers headers = {0};
	for (size_t i = 0; i < 2 && callers[i] != NULL; i++)
		http_headers_add(&headers, &arena, STR("ftl-verb"), str_from(callers[i]));
	int failed = call_check_declared(table, &headers, verb, err);
	arena_deinit(&arena);
	return failed;
}

#define CALLERS(...) ((const char *[2]){__VA_ARGS__})

static void a_verb_calls_what_its_schema_declares(void **state UNUSED) {
	struct route_table *table = make_table();
	struct error err;
	assert_int_equal(check(table, CALLERS("cart.total"), "catalog.find", &err), 0);
	assert_int_equal(check(table, CALLERS("cart.total"), "stock.take", &err), -1);
	assert_int_equal(err.code, CODE_PERMISSION_DENIED);
	assert_string_equal(err.reason, REASON_CALL_NOT_DECLARED);
	assert_string_equal(err.msg,
			    "cart.total may not call stock.take, as its schema does not declare the call; add to the "
			    "verb total: +calls stock.take");
	route_table_unref(table);
}

static void the_last_verb_of_the_chain_is_the_caller(void **state UNUSED) {
	struct route_table *table = make_table();
	struct error err;
	assert_int_equal(check(table, CALLERS("cart.total", "catalog.find"), "stock.take", &err), 0);
	assert_int_equal(check(table, CALLERS("catalog.find", "cart.total"), "stock.take", &err), -1);
	route_table_unref(table);
}

static void a_caller_that_the_table_does_not_know_calls_anything(void **state UNUSED) {
	struct route_table *table = make_table();
	struct error err;
	assert_int_equal(check(table, CALLERS(NULL), "stock.take", &err), 0);
	assert_int_equal(check(table, CALLERS("nobody.verb"), "stock.take", &err), 0);
	assert_int_equal(check(table, CALLERS("cart.other"), "stock.take", &err), 0);
	assert_int_equal(check(table, CALLERS("cart"), "stock.take", &err), 0);
	route_table_unref(table);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_calls_what_its_schema_declares),
		cmocka_unit_test(the_last_verb_of_the_chain_is_the_caller),
		cmocka_unit_test(a_caller_that_the_table_does_not_know_calls_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
