/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_test.h"

#include "base/last_lines.h"

static void keeps_the_last(void **state UNUSED) {
	struct last_lines last = {0};
	char text[8];
	for (int i = 0; i < 47; i++) {
		snprintf(text, sizeof text, "%d", i);
		last_lines_add(&last, str_from(text));
	}
	assert_int_equal(last.count, LAST_LINES_MAX);
	assert_string_equal(last_lines_get(&last, 0), "27");
	assert_string_equal(last_lines_get(&last, 19), "46");
	last_lines_deinit(&last);
	assert_int_equal(last.count, 0);
}

static void cuts_between_characters(void **state UNUSED) {
	char text[LAST_LINE_SIZE_MAX + 1];
	memset(text, 'x', sizeof text);
	memcpy(text + LAST_LINE_SIZE_MAX - 1, "\xC3\xA9", 2);
	struct last_lines last = {0};
	last_lines_add(&last, str_new(text, sizeof text));
	assert_int_equal(strlen(last_lines_get(&last, 0)), LAST_LINE_SIZE_MAX - 1);
	last_lines_deinit(&last);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_last),
		cmocka_unit_test(cuts_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
