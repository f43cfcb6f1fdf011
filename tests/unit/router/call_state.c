/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_state.h"

#include "cmocka_test.h"

#include "base/macros.h"
#include "dies.h"

enum { STATES = CALL_ENDED + 1 };

/* Row: from; column: to, as the diagram has it. */
static const char *const diagram[STATES] = {
	[CALL_READING] = ".SH.AE",   [CALL_SENT] = ".SHPAE",     [CALL_HELD] = ".S.PAE",
	[CALL_PASSED_ON] = "..HPAE", [CALL_ANSWERED] = ".....E", [CALL_ENDED] = "......",
};

static void move(void *states) {
	const enum call_state *pair = states;
	enum call_state state = pair[0];
	call_state_set(&state, pair[1]);
}

static void the_table_is_the_diagram(void **unused UNUSED) {
	for (size_t from = 0; from < STATES; from++) {
		for (size_t to = 0; to < STATES; to++) {
			enum call_state pair[2] = {(enum call_state)from, (enum call_state)to};
			if (diagram[from][to] == '.') {
				assert_dies(move, pair);
				continue;
			}
			call_state_set(&pair[0], pair[1]);
			assert_int_equal(pair[0], to);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_the_diagram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
