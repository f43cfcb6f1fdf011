/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machines of the Backplane's process, of its end of a takeover, and of a registration's stream: every
 * transition of their tables passes, every other one aborts.
 */
#include "../states.h"

#include "backplane/context.h"
#include "backplane/services/runners.h"
#include "backplane/takeover/give.h"

static void move_backplane(void *argument) {
	const struct transition *transition = argument;
	struct context context = {.state = transition->from};
	context_set_state(&context, transition->to);
}

static void move_giver(void *argument) {
	const struct transition *transition = argument;
	struct giver giver = {.state = transition->from};
	giver_set_state(&giver, transition->to);
}

MOVE_OF_ENUM(move_registration, registration_stream_state, registration_stream_move)

static void the_stream_of_a_registration(void **state UNUSED) {
	static const struct transition allowed[] = {
		{REGISTRATION_STREAM_RECEIVING, REGISTRATION_STREAM_CHECKING},
		{REGISTRATION_STREAM_RECEIVING, REGISTRATION_STREAM_REFUSED},
		{REGISTRATION_STREAM_CHECKING, REGISTRATION_STREAM_ACCEPTED},
		{REGISTRATION_STREAM_CHECKING, REGISTRATION_STREAM_REFUSED},
		{REGISTRATION_STREAM_CHECKING, REGISTRATION_STREAM_CLOSED},
		{REGISTRATION_STREAM_ACCEPTED, REGISTRATION_STREAM_REFUSED},
		{REGISTRATION_STREAM_ACCEPTED, REGISTRATION_STREAM_CLOSED},
		{REGISTRATION_STREAM_CLOSED, REGISTRATION_STREAM_REFUSED},
	};
	check_machine(move_registration, REGISTRATION_STREAM_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

static void a_backplane(void **state UNUSED) {
	static const struct transition allowed[] = {
		{BACKPLANE_SERVING, BACKPLANE_DRAINING}, {BACKPLANE_SERVING, BACKPLANE_LEAVING},
		{BACKPLANE_SERVING, BACKPLANE_STOPPED},  {BACKPLANE_DRAINING, BACKPLANE_ENDING},
		{BACKPLANE_ENDING, BACKPLANE_STOPPED},   {BACKPLANE_LEAVING, BACKPLANE_STOPPED},
	};
	check_machine(move_backplane, BACKPLANE_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

static void the_giver_of_a_takeover(void **state UNUSED) {
	static const struct transition allowed[] = {
		{GIVER_IDLE, GIVER_ASKED},         {GIVER_ASKED, GIVER_PAUSING},      {GIVER_ASKED, GIVER_DISMISSING},
		{GIVER_PAUSING, GIVER_CLOSING},    {GIVER_CLOSING, GIVER_PAUSING},    {GIVER_CLOSING, GIVER_HANDING},
		{GIVER_PAUSING, GIVER_DISMISSING}, {GIVER_HANDING, GIVER_GONE},       {GIVER_CLOSING, GIVER_DISMISSING},
		{GIVER_DISMISSING, GIVER_IDLE},    {GIVER_HANDING, GIVER_DISMISSING}, {GIVER_CLOSING, GIVER_GONE},
	};
	check_machine(move_giver, GIVER_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backplane),
		cmocka_unit_test(the_giver_of_a_takeover),
		cmocka_unit_test(the_stream_of_a_registration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
