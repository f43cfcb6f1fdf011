/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machines of connections: every transition of their tables passes, every other one aborts.
 */
#include "../states.h"

#include "http/h1_connection.h"
#include "http/h2_connection.h"

MOVE_OF_ENUM(move_h2, h2_state, h2_state_move)
MOVE_OF_ENUM(move_h1_receiving, h1_receiving, h1_receiving_move)
MOVE_OF_ENUM(move_h1_sending, h1_sending, h1_sending_move)
MOVE_OF_ENUM(move_h1_life, h1_life, h1_life_move)

static void an_http2_connection(void **state UNUSED) {
	static const struct transition allowed[] = {
		{H2_CONNECTING, H2_OPEN},           {H2_CONNECTING, H2_CLOSING},       {H2_OPEN, H2_SHUTTING_DOWN},
		{H2_OPEN, H2_GOAWAY_SENT},          {H2_OPEN, H2_TERMINATED},          {H2_OPEN, H2_CLOSING},
		{H2_SHUTTING_DOWN, H2_GOAWAY_SENT}, {H2_SHUTTING_DOWN, H2_TERMINATED}, {H2_SHUTTING_DOWN, H2_CLOSING},
		{H2_GOAWAY_SENT, H2_TERMINATED},    {H2_GOAWAY_SENT, H2_CLOSING},      {H2_TERMINATED, H2_CLOSING},
	};
	check_machine(move_h2, H2_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

static void the_receiving_side_of_http1(void **state UNUSED) {
	static const struct transition allowed[] = {
		{H1_HEAD, H1_BODY},
		{H1_HEAD, H1_CHUNK_SIZE},
		{H1_HEAD, H1_END},
		{H1_BODY, H1_CHUNK_END},
		{H1_BODY, H1_END},
		{H1_CHUNK_SIZE, H1_BODY},
		{H1_CHUNK_SIZE, H1_TRAILERS},
		{H1_CHUNK_END, H1_CHUNK_SIZE},
		{H1_TRAILERS, H1_END},
		{H1_END, H1_HEAD},
	};
	check_machine(move_h1_receiving, H1_RECEIVING_COUNT, allowed, ARRAY_LEN(allowed));
}

static void the_sending_side_of_http1(void **state UNUSED) {
	static const struct transition allowed[] = {
		{H1_NO_HEAD, H1_HEAD_READY}, {H1_HEAD_READY, H1_SENDING_BODY}, {H1_SENDING_BODY, H1_SENDING_TRAILERS},
		{H1_SENDING_BODY, H1_SENT},  {H1_SENDING_TRAILERS, H1_SENT},   {H1_SENT, H1_NO_HEAD},
	};
	check_machine(move_h1_sending, H1_SENDING_COUNT, allowed, ARRAY_LEN(allowed));
}

static void the_life_of_an_http1_connection(void **state UNUSED) {
	static const struct transition allowed[] = {
		{H1_OPEN, H1_SHUTTING_DOWN},      {H1_OPEN, H1_FINISHING},        {H1_OPEN, H1_CLOSING},
		{H1_SHUTTING_DOWN, H1_FINISHING}, {H1_SHUTTING_DOWN, H1_CLOSING}, {H1_FINISHING, H1_CLOSING},
	};
	check_machine(move_h1_life, H1_LIFE_COUNT, allowed, ARRAY_LEN(allowed));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_http2_connection),
		cmocka_unit_test(the_receiving_side_of_http1),
		cmocka_unit_test(the_sending_side_of_http1),
		cmocka_unit_test(the_life_of_an_http1_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
