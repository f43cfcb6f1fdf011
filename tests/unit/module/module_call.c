/* SPDX-License-Identifier: Apache-2.0 */
#include "module/module_call.h"

#include "dies.h"

static void move_forbidden(void *argument) {
	const enum module_call_state *states = argument;
	struct module_call call = {.loop.state = states[0]};
	module_call_move(&call, states[1]);
}

static void moves_as_the_diagram_says(void **state UNUSED) {
	struct module_call call = {.loop.state = MODULE_CALL_COLLECTING};
	static const enum module_call_state way[] = {MODULE_CALL_RUNNING, MODULE_CALL_WAITING, MODULE_CALL_RUNNING};
	for (size_t i = 0; i < ARRAY_LEN(way); i++) {
		module_call_move(&call, way[i]);
		assert_int_equal(call.loop.state, way[i]);
	}
}

static void other_moves_abort(void **state UNUSED) {
	static enum module_call_state forbidden[][2] = {
		{MODULE_CALL_COLLECTING, MODULE_CALL_WAITING}, {MODULE_CALL_RUNNING, MODULE_CALL_COLLECTING},
		{MODULE_CALL_RUNNING, MODULE_CALL_RUNNING},    {MODULE_CALL_WAITING, MODULE_CALL_WAITING},
		{MODULE_CALL_WAITING, MODULE_CALL_COLLECTING},
	};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		assert_dies(move_forbidden, forbidden[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_as_the_diagram_says),
		cmocka_unit_test(other_moves_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
