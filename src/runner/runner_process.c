/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/runner_process.h"

static void on_tick(struct timer *timer) {
	struct runner_process *runner = CONTAINER_OF(timer, struct runner_process, tick);
	runner_begin_event(runner);
	runner_end_event(runner);
}

struct agent *runner_begin_event(struct runner_process *runner) {
	agent_advance(&runner->agent, loop_now_ms(&runner->loop));
	return &runner->agent;
}

void runner_end_event(struct runner_process *runner) {
	uint64_t due_ms = agent_tick(&runner->agent), now_ms = loop_now_ms(&runner->loop);
	runner->tick.fire = on_tick;
	if (due_ms == UINT64_MAX)
		timer_stop(&runner->loop, &runner->tick);
	else
		timer_start(&runner->loop, &runner->tick, due_ms > now_ms ? due_ms - now_ms : 0);
}
