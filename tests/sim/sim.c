/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* --- randomness ----------------------------------------------------------------------------------------------------- */

uint64_t sim_random(struct sim *sim) {
	return random_next(&sim->random);
}

uint64_t sim_below(struct sim *sim, uint64_t limit) {
	return sim_random(sim) % limit;
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high) {
	return low + sim_below(sim, high - low + 1);
}

bool sim_chance(struct sim *sim, unsigned percent) {
	return sim_below(sim, 100) < percent;
}

uint64_t sim_latency(struct sim *sim) {
	if (!sim->calm && !sim->healed && sim_chance(sim, 3))
		return sim_between(sim, 100, 3000);
	return sim_between(sim, 0, sim_chance(sim, 20) ? 60 : 3);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static bool is_before(const struct event *a, const struct event *b) {
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->sequence < b->sequence;
}

static void push(struct sim *sim, struct event *event) {
	if (sim->event_count == sim->event_capacity) {
		sim->event_capacity = MAX(sim->event_capacity * 2, (size_t)256);
		sim->events = mem_realloc(sim->events, sim->event_capacity * sizeof(struct event *));
	}
	size_t at = sim->event_count++;
	for (; at > 0 && is_before(event, sim->events[(at - 1) / 2]); at = (at - 1) / 2)
		sim->events[at] = sim->events[(at - 1) / 2];
	sim->events[at] = event;
}

static struct event *pop(struct sim *sim) {
	struct event *first = sim->events[0], *last = sim->events[--sim->event_count];
	size_t at = 0;
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= sim->event_count)
			break;
		if (child + 1 < sim->event_count && is_before(sim->events[child + 1], sim->events[child]))
			child++;
		if (!is_before(sim->events[child], last))
			break;
		sim->events[at] = sim->events[child];
		at = child;
	}
	sim->events[at] = last;
	return first;
}

struct event *sim_at(struct sim *sim, uint64_t delay_ms, event_function *run, void *subject) {
	struct event *event = mem_zalloc(sizeof *event);
	event->due_ms = sim->now_ms + delay_ms;
	event->sequence = ++sim->sequence;
	event->run = run;
	event->subject = subject;
	push(sim, event);
	return event;
}

/* --- reporting ---------------------------------------------------------------------------------------------------- */

void sim_trace(struct sim *sim, const char *format, ...) {
	if (!sim->options.trace)
		return;
	va_list args;
	va_start(args, format);
	printf("%8.3f  ", (double)sim->now_ms / 1000);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void sim_violate(struct sim *sim, const char *invariant, const char *format, ...) {
	if (sim->violated != NULL)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(sim->violation, sizeof sim->violation, format, args);
	va_end(args);
	sim->violated = invariant;
	sim_trace(sim, "VIOLATED %s: %s", invariant, sim->violation);
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

static void on_heal(struct sim *sim, struct event *event) {
	(void)event;
	faults_heal(sim);
}

static void on_copies(struct sim *sim, struct event *event) {
	(void)event;
	check_copies(sim);
}

static void init(struct sim *sim, const struct sim_options *options) {
	*sim = (struct sim){.options = *options, .random = options->seed * 0x2545F4914F6CDD1Du + 1, .now_ms = START_MS};
	sim->arena = ARENA_INIT(MIB(64));
	list_init(&sim->calls);
	list_init(&sim->silent);
	bool may_be_calm = options->plant == PLANT_NONE || options->plant >= PLANT_DROP_CALL;
	sim->calm = options->seed % 4 == 0 && may_be_calm;
	for (unsigned i = 0; i < MODULES * VERSIONS; i++) {
		unsigned dice = (unsigned)sim_below(sim, 10);
		sim->quality[i / VERSIONS][i % VERSIONS] = sim->calm || dice < 7 ? GOOD : dice < 9 ? BAD : CRASHY;
	}
}

bool sim_is_stopped(const struct sim *sim) {
	return sim->up && sim->now_ms < sim->stopped_until_ms;
}

/* Events for a stalled Backplane are postponed to the end of the stall and keep the order in which they were created.
 * Its own timeouts therefore fire before the answers, as they were set first. */
static bool is_put_off(struct sim *sim, struct event *event) {
	if (event->epoch == 0 || event->epoch != sim->epoch || !sim_is_stopped(sim))
		return false;
	event->due_ms = sim->stopped_until_ms;
	push(sim, event);
	return true;
}

bool sim_run(struct sim *sim, const struct sim_options *options) {
	init(sim, options);
	backplane_start(sim);
	clients_start(sim);
	faults_start(sim);
	sim_at(sim, CHAOS_MS, on_heal, NULL);
	sim_at(sim, CHAOS_MS + COPIES_MS, on_copies, NULL);
	uint64_t end_ms = sim->now_ms + CHAOS_MS + SETTLE_MS;
	while (sim->violated == NULL && sim->event_count > 0 && sim->events[0]->due_ms <= end_ms) {
		struct event *event = pop(sim);
		sim->now_ms = event->due_ms;
		if (is_put_off(sim, event))
			continue;
		if (event->epoch == 0 || (event->epoch == sim->epoch && sim->up))
			event->run(sim, event);
		free(event);
		if (sim->violated == NULL)
			check_step(sim);
	}
	if (sim->violated == NULL)
		check_end(sim);
	return sim->violated == NULL;
}

void sim_deinit(struct sim *sim) {
	runners_deinit(sim);
	while (sim->event_count > 0)
		free(pop(sim));
	free(sim->events);
	if (sim->up) {
		check_events_deinit(sim);
		control_deinit(&sim->control);
	}
	store_deinit(sim);
	arena_deinit(&sim->arena);
}
