/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of a transport.
 */
#include "../states.h"

#include "net/transport.h"

MOVE_OF_ENUM(move_transport, transport_state, transport_state_move)

static void a_transport(void **state UNUSED) {
	static const struct transition allowed[] = {
		{TRANSPORT_CONNECTING, TRANSPORT_HANDSHAKING}, {TRANSPORT_CONNECTING, TRANSPORT_OPEN},
		{TRANSPORT_CONNECTING, TRANSPORT_ENDED},       {TRANSPORT_CONNECTING, TRANSPORT_CLOSING},
		{TRANSPORT_HANDSHAKING, TRANSPORT_OPEN},       {TRANSPORT_HANDSHAKING, TRANSPORT_ENDED},
		{TRANSPORT_HANDSHAKING, TRANSPORT_LINGERING},  {TRANSPORT_HANDSHAKING, TRANSPORT_CLOSING},
		{TRANSPORT_OPEN, TRANSPORT_HANDSHAKING},       {TRANSPORT_OPEN, TRANSPORT_ENDED},
		{TRANSPORT_OPEN, TRANSPORT_LINGERING},         {TRANSPORT_OPEN, TRANSPORT_CLOSING},
		{TRANSPORT_ENDED, TRANSPORT_LINGERING},        {TRANSPORT_ENDED, TRANSPORT_CLOSING},
		{TRANSPORT_LINGERING, TRANSPORT_CLOSING},
	};
	check_machine(move_transport, TRANSPORT_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_transport)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
