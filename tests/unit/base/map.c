/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdio.h>

#include "cmocka_test.h"

enum { MANY = 1000 };

static void holds_many_and_forgets_them(void **state UNUSED) {
	static int values[MANY];
	struct map map;
	map_init(&map);
	char key[16];
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_null(map_put(&map, str_from(key), &values[i]));
	}
	for (int i = 0; i < MANY; i += 2) {
		snprintf(key, sizeof key, "key%d", i);
		assert_ptr_equal(map_remove(&map, str_from(key)), &values[i]);
		assert_null(map_remove(&map, str_from(key)));
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_ptr_equal(map_get(&map, str_from(key)), i % 2 ? &values[i] : NULL);
	}
	size_t seen = 0;
	for (size_t cursor = 0; map_next(&map, &cursor) != NULL;)
		seen++;
	assert_int_equal(seen, MANY / 2);
	assert_int_equal(map.len, MANY / 2);
	map_deinit(&map);
}

static void put_returns_what_was_there(void **state UNUSED) {
	int one, two;
	struct map map;
	map_init(&map);
	assert_null(map_put(&map, STR("a"), &one));
	assert_ptr_equal(map_put(&map, STR("a"), &two), &one);
	assert_ptr_equal(map_get(&map, STR("a")), &two);
	assert_null(map_get(&map, STR("")));
	assert_int_equal(map.len, 1);
	map_deinit(&map);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_many_and_forgets_them),
		cmocka_unit_test(put_returns_what_was_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
