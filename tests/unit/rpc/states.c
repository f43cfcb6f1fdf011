/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machines of calls, relays and a channel's connections: every transition of their tables passes, every other
 * one aborts.
 */
#include "dies.h"

#include "rpc/relay.h"

struct transition {
	unsigned from, to;
};

static void move_stream(void *argument) {
	const struct transition *transition = argument;
	enum rpc_state state = transition->from;
	rpc_state_move(&state, transition->to);
	assert_int_equal(state, transition->to);
}

static void move_relay(void *argument) {
	const struct transition *transition = argument;
	enum relay_state state = transition->from;
	relay_state_move(&state, transition->to);
	assert_int_equal(state, transition->to);
}

static void move_connection(void *argument) {
	const struct transition *transition = argument;
	enum rpc_connection_state state = transition->from;
	rpc_connection_state_move(&state, transition->to);
	assert_int_equal(state, transition->to);
}

static bool is_among(const struct transition *allowed, size_t count, unsigned from, unsigned to) {
	for (size_t i = 0; i < count; i++)
		if (allowed[i].from == from && allowed[i].to == to)
			return true;
	return false;
}

static void check_machine(void (*move)(void *), unsigned states, const struct transition *allowed, size_t count) {
	for (unsigned from = 0; from < states; from++) {
		for (unsigned to = 0; to < states; to++) {
			struct transition transition = {from, to};
			if (is_among(allowed, count, from, to))
				move(&transition);
			else
				assert_dies(move, &transition);
		}
	}
}

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
