/* SPDX-License-Identifier: Apache-2.0 */
#include "dies.h"
#include "runner/host_library.h"
#include "runner/host_process.h"

static void move_process(void *argument) {
	const enum process_host_state *states = argument;
	enum process_host_state state = states[0];
	process_host_move(&state, states[1]);
}

static void move_library(void *argument) {
	const enum library_host_state *states = argument;
	enum library_host_state state = states[0];
	library_host_move(&state, states[1]);
}

static void a_process_moves_as_its_diagram_says(void **unused UNUSED) {
	enum process_host_state state = PROCESS_PROBING;
	process_host_move(&state, PROCESS_ALIVE);
	process_host_move(&state, PROCESS_STOPPING);
	process_host_move(&state, PROCESS_EXITED);
	assert_int_equal(state, PROCESS_EXITED);
	static enum process_host_state forbidden[][2] = {{PROCESS_ALIVE, PROCESS_PROBING},
							 {PROCESS_STOPPING, PROCESS_STOPPING},
							 {PROCESS_STOPPING, PROCESS_ALIVE},
							 {PROCESS_EXITED, PROCESS_STOPPING},
							 {PROCESS_EXITED, PROCESS_EXITED}};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		assert_dies(move_process, forbidden[i]);
}

static void a_library_moves_as_its_diagram_says(void **unused UNUSED) {
	enum library_host_state state = LIBRARY_LOADING;
	library_host_move(&state, LIBRARY_STARTING);
	library_host_move(&state, LIBRARY_STARTING_TO_END);
	library_host_move(&state, LIBRARY_CANCELLING);
	library_host_move(&state, LIBRARY_STOPPING);
	library_host_move(&state, LIBRARY_ENDED);
	assert_int_equal(state, LIBRARY_ENDED);
	static enum library_host_state forbidden[][2] = {{LIBRARY_LOADING, LIBRARY_ALIVE},
							 {LIBRARY_LOADING_TO_END, LIBRARY_STARTING},
							 {LIBRARY_STARTING_TO_END, LIBRARY_ALIVE},
							 {LIBRARY_ALIVE, LIBRARY_ENDED},
							 {LIBRARY_STOPPING, LIBRARY_CANCELLING},
							 {LIBRARY_ENDED, LIBRARY_ENDED}};
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		assert_dies(move_library, forbidden[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_moves_as_its_diagram_says),
		cmocka_unit_test(a_library_moves_as_its_diagram_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
