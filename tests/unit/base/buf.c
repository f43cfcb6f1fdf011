/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "cmocka_test.h"

static void keeps_order_and_maximum(void **state UNUSED) {
	struct buf buf = BUF_INIT(10);
	assert_int_equal(buf_append(&buf, STR("hello")), 0);
	assert_int_equal(buf_append(&buf, STR("world")), 0);
	assert_int_equal(buf_append(&buf, STR("!")), -1);
	assert_true(str_eq(buf_view(&buf), STR("helloworld")));
	buf_consume(&buf, 6);
	assert_int_equal(buf_room(&buf), 6);
	assert_int_equal(buf_append(&buf, STR("123456")), 0);
	assert_true(str_eq(buf_view(&buf), STR("orld123456")));
	buf_deinit(&buf);
}

static void reserve_then_commit(void **state UNUSED) {
	struct buf buf = BUF_INIT(4096);
	char *room = buf_reserve(&buf, 3000);
	assert_non_null(room);
	memset(room, 'x', 3000);
	buf_commit(&buf, 3000);
	assert_null(buf_reserve(&buf, 1097));
	assert_int_equal(buf_len(&buf), 3000);
	buf_consume(&buf, 3000);
	buf_trim(&buf);
	assert_int_equal(buf.capacity, 0);
	buf_deinit(&buf);
}

static void formats(void **state UNUSED) {
	struct buf buf = BUF_INIT(8);
	assert_int_equal(buf_printf(&buf, "%d-%s", 42, "ab"), 0);
	assert_int_equal(buf_printf(&buf, "%s", "too long"), -1);
	assert_true(str_eq(buf_view(&buf), STR("42-ab")));
	buf_deinit(&buf);
}

static void counts_what_buffers_hold_together(void **state UNUSED) {
	struct buf_budget budget = {.max = 100};
	struct buf first, second;
	buf_init_counted(&first, 4096, &budget);
	buf_init_counted(&second, 4096, &budget);
	assert_non_null(buf_reserve(&first, 1000));
	assert_int_equal(budget.used, first.capacity);
	assert_non_null(buf_reserve(&second, 2000));
	assert_non_null(buf_reserve(&first, 3000));
	assert_int_equal(budget.used, first.capacity + second.capacity);
	assert_true(budget.used >= 5000); /* who fills them looks at the maximum, not they */
	struct buf moved = first;
	buf_init_counted(&first, 4096, &budget);
	buf_deinit(&moved);
	assert_int_equal(budget.used, second.capacity);
	buf_trim(&second);
	assert_int_equal(budget.used, 0);
	assert_non_null(buf_reserve(&second, 1));
	assert_int_equal(budget.used, second.capacity);
	buf_deinit(&second);
	assert_int_equal(budget.used, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_maximum),
		cmocka_unit_test(reserve_then_commit),
		cmocka_unit_test(formats),
		cmocka_unit_test(counts_what_buffers_hold_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
