/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/child_ping.h"

#include "base/macros.h"

#define TO(state) (1u << (state))

void child_ping_move(enum child_state *state, enum child_state next) {
	static const unsigned allowed[] = {
		[CHILD_ANSWERING] = TO(CHILD_BUSY) | TO(CHILD_HUNG),
		[CHILD_BUSY] = TO(CHILD_ANSWERING) | TO(CHILD_HUNG),
		[CHILD_HUNG] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

void child_ping_sent(struct child_ping *ping, uint64_t now_ms) {
	ping->sent_ms = now_ms;
}

bool child_ping_answered(struct child_ping *ping) {
	bool was_busy = ping->state == CHILD_BUSY;
	ping->missed = 0;
	ping->abandoned_ms = 0;
	if (was_busy)
		child_ping_move(&ping->state, CHILD_ANSWERING);
	return was_busy;
}

static bool may_be_busy(const struct child_ping *ping, uint64_t now_ms, const struct child_activity *activity) {
	bool was_left = ping->abandoned_ms != 0 && now_ms - ping->abandoned_ms < CHILD_ABANDONED_MS;
	bool works = activity->has_worked && ping->missed < CHILD_PINGS_MISSED_WORKING;
	return activity->calls > 0 || was_left || works;
}

enum child_state child_ping_missed(struct child_ping *ping, uint64_t now_ms, const struct child_activity *activity) {
	ping->missed++;
	if (ping->missed < CHILD_PINGS_MISSED_MAX)
		return ping->state;
	if (activity->is_stopped || !may_be_busy(ping, now_ms, activity))
		child_ping_move(&ping->state, CHILD_HUNG);
	else if (ping->state == CHILD_ANSWERING)
		child_ping_move(&ping->state, CHILD_BUSY);
	return ping->state;
}

bool child_ping_is_late(const struct child_ping *ping, uint64_t now_ms) {
	return now_ms - ping->sent_ms > ping->every_ms + CHILD_PING_LATE_MS;
}

void child_ping_abandoned(struct child_ping *ping, uint64_t now_ms) {
	ping->abandoned_ms = now_ms;
}

uint64_t child_ping_due_ms(const struct child_ping *ping) {
	return ping->sent_ms + ping->every_ms;
}
