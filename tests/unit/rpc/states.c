/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machines of calls, relays and a channel's connections: every transition of their tables passes, every other
 * one aborts.
 */
#include "../states.h"

#include "rpc/relay.h"

MOVE_OF_ENUM(move_stream, rpc_state, rpc_state_move)
MOVE_OF_ENUM(move_relay, relay_state, relay_state_move)
MOVE_OF_ENUM(move_connection, rpc_connection_state, rpc_connection_state_move)

static void streams(void **state UNUSED) {
	static const struct transition allowed[] = {
		{RPC_OPEN, RPC_RESPONDING},  {RPC_OPEN, RPC_HALF_CLOSED},  {RPC_OPEN, RPC_ENDED},
		{RPC_RESPONDING, RPC_ENDED}, {RPC_HALF_CLOSED, RPC_ENDED},
	};
	check_machine(move_stream, RPC_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

static void relays(void **state UNUSED) {
	static const struct transition allowed[] = {
		{RELAY_WAITING, RELAY_SENDING},   {RELAY_WAITING, RELAY_ANSWERED}, {RELAY_SENDING, RELAY_WAITING},
		{RELAY_SENDING, RELAY_ANSWERING}, {RELAY_SENDING, RELAY_ANSWERED}, {RELAY_ANSWERING, RELAY_ANSWERED},
	};
	check_machine(move_relay, RELAY_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

static void connections(void **state UNUSED) {
	static const struct transition allowed[] = {{RPC_CONNECTION_CONNECTING, RPC_CONNECTION_READY},
						    {RPC_CONNECTION_READY, RPC_CONNECTION_PROVEN}};
	check_machine(move_connection, RPC_CONNECTION_STATE_COUNT, allowed, ARRAY_LEN(allowed));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
		cmocka_unit_test(relays),
		cmocka_unit_test(connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
