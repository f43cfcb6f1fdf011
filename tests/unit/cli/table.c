/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_test.h"

#include "cli/table.h"

static const struct table_column columns[] = {
	{"NAME", 0, 4}, {"KEY", 2, 0}, {"STATE", 0, 0}, {"AGE", 1, 0}, {"WHY", 0, 6},
};
enum { COUNT = 5 };

/* Fits texts of 10, 12, 5, 4 and 30 characters, with gaps 69 wide, and writes the widths: "10 - 5 - 20". */
static void fit(size_t limit, char text[64]) {
	static const size_t widths[] = {10, 12, 5, 4, 30};
	struct table_fit fit = {0};
	for (size_t i = 0; i < COUNT; i++) {
		fit.shown[i] = true;
		fit.widths[i] = widths[i];
	}
	table_fit(columns, COUNT, limit, &fit);
	int used = 0;
	for (size_t i = 0; i < COUNT; i++)
		used += fit.shown[i] ? snprintf(text + used, 64 - (size_t)used, "%zu ", fit.widths[i])
				     : snprintf(text + used, 64 - (size_t)used, "- ");
}

static void drops_by_rank_and_then_shortens(void **state UNUSED) {
	static const struct {
		size_t limit;
		const char *widths;
	} cases[] = {
		{SIZE_MAX, "10 12 5 4 30 "}, {69, "10 12 5 4 30 "},
		{68, "10 12 5 4 29 "}, /* the widest that may be shortened */
		{49, "10 12 5 4 10 "},       {48, "9 12 5 4 10 "}, /* those that are as wide in turn */
		{39, "4 12 5 4 6 "}, /* all as short as may be */
		{38, "10 - 5 4 13 "}, /* so one is dropped, and the others have room again */
		{25, "4 - 5 4 6 "},          {24, "7 - 5 - 8 "},
		{19, "4 - 5 - 6 "},          {3, "4 - 5 - 6 "}, /* no more can be done */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		fit(cases[i].limit, text);
		if (strcmp(text, cases[i].widths) != 0)
			fail_msg("%zu gives \"%s\" and not \"%s\"", cases[i].limit, text, cases[i].widths);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_by_rank_and_then_shortens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
