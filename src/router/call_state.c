/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_state.h"

#include "base/macros.h"

#define TO(state) (1u << CALL_##state)

static const unsigned allowed[] = {
	[CALL_READING] = TO(SENT) | TO(HELD) | TO(ANSWERED) | TO(ENDED),
	[CALL_SENT] = TO(SENT) | TO(HELD) | TO(PASSED_ON) | TO(ANSWERED) | TO(ENDED),
	[CALL_HELD] = TO(SENT) | TO(PASSED_ON) | TO(ANSWERED) | TO(ENDED),
	[CALL_PASSED_ON] = TO(PASSED_ON) | TO(HELD) | TO(ANSWERED) | TO(ENDED),
	[CALL_ANSWERED] = TO(ENDED),
	[CALL_ENDED] = 0,
};

void call_state_set(enum call_state *state, enum call_state next) {
	ASSERT(allowed[*state] & 1u << next);
	*state = next;
}
