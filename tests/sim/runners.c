/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners: the real state machines of src/runner (agent.h) with simulated effects. Streams, reports and hosted programs
 * are messages and events of the simulator.
 *
 * A Runner that hangs handles its due events when it wakes up. A Runner that is cut off neither receives nor sends
 * anything, and its peers only notice the silence.
 */
#include "sim.h"

#include <stdio.h>

enum {
	/* A silent connection breaks after two pings of the Runner. */
	KEEPALIVE_MS = 2 * RUNNER_KEEPALIVE_MS,
	ORPHAN_MS = 30000,
	/* Attempts to register: the first delays of a back-off, and then one for half of the last delay each. */
	OPENINGS_A_SECOND_MAX = 5 + 1000 / (REGISTRAR_RETRY_LAST_MS / 2),
};

_Static_assert((int)OPENINGS_A_SECOND_MAX <= (int)OPENINGS_KEPT, "the openings of a second are kept");

bool runner_is_cut(const struct sim *sim, const struct sim_runner *runner) {
	return sim->now_ms < runner->cut_until_ms;
}

bool runner_is_silent(const struct sim *sim, const struct sim_runner *runner) {
	return runner->running && (runner_is_cut(sim, runner) || sim->now_ms < runner->hung_until_ms);
}

struct sim_runner *runner_running(struct sim *sim, const char *key) {
	for (unsigned i = sim->runner_count; i-- > 0;)
		if (sim->runners[i]->running && strcmp(sim->runners[i]->key, key) == 0)
			return sim->runners[i];
	return NULL;
}

const char *runner_hosts(const struct sim_runner *runner) {
	return runner->running && runner->agent.hosting.state == HOSTING_ALIVE ? runner->agent.hosting.key : NULL;
}

/* Postpones the event in steps of 100 ms, as the Runner may recover before until_ms. */
static void put_off(struct sim *sim, struct event *event, uint64_t until_ms) {
	struct event *later = sim_at(sim, MIN(until_ms - sim->now_ms, (uint64_t)100), event->run, event->subject);
	uint64_t due_ms = later->due_ms, sequence = later->sequence;
	*later = *event;
	later->due_ms = due_ms;
	later->sequence = sequence;
}

bool runner_is_up_for(struct sim *sim, struct event *event, const struct sim_runner *runner) {
	if (!runner->running)
		return false;
	if (sim->now_ms >= runner->hung_until_ms)
		return true;
	put_off(sim, event, runner->hung_until_ms);
	return false;
}

/* --- events of the agent ------------------------------------------------------------------------------------------ */

static void on_agent_tick(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (event->number != runner->tick_sequence || !runner_is_up_for(sim, event, runner))
		return;
	sim_runner_begin(sim, runner);
	sim_runner_end(sim, runner);
}

struct agent *sim_runner_begin(struct sim *sim, struct sim_runner *runner) {
	agent_advance(&runner->agent, sim->now_ms);
	return &runner->agent;
}

void sim_runner_end(struct sim *sim, struct sim_runner *runner) {
	uint64_t due_ms = runner->running ? agent_tick(&runner->agent) : UINT64_MAX;
	runner->tick_sequence++;
	if (due_ms == UINT64_MAX || !runner->running)
		return;
	uint64_t delay_ms = due_ms > sim->now_ms ? due_ms - sim->now_ms : 0;
	sim_at(sim, delay_ms, on_agent_tick, runner)->number = runner->tick_sequence;
}

static struct sim_runner *runner_of(struct agent_effects *effects) {
	return CONTAINER_OF(effects, struct sim_runner, effects);
}

static uint64_t out_random(struct agent_effects *effects) {
	return sim_random(runner_of(effects)->sim);
}

static void out_log(struct agent_effects *effects, enum log_level level, const char *text) {
	(void)level;
	sim_trace(runner_of(effects)->sim, "%s: %s", runner_of(effects)->key, text);
}

/* --- the registration's stream ------------------------------------------------------------------------------------ */

static bool reaches_backplane(const struct sim *sim, const struct sim_runner *runner) {
	return sim->up && runner->epoch == sim->epoch && !runner_is_cut(sim, runner);
}

static void on_stream_broke(struct sim *sim, struct event *event) {
	backplane_begin(sim);
	control_registration_ended(&sim->control, event->number, event->flag);
	backplane_end(sim);
}

static void tell_stream_broke(struct sim *sim, const struct sim_runner *runner, bool half_closed) {
	struct event *event = sim_to_backplane(sim, sim_latency(sim), on_stream_broke, NULL);
	event->number = runner->registration;
	event->flag = half_closed;
}

static void on_stream_closed(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	struct error why;
	bool is_open = event->number != 0 && event->number == runner->registration;
	if (!is_open || !runner_is_up_for(sim, event, runner))
		return;
	runner->registration = 0;
	if (event->code != CODE_OK)
		error_set(&why, event->code, "%s", code_name(event->code));
	agent_stream_closed(sim_runner_begin(sim, runner), event->code != CODE_OK ? &why : NULL);
	if (runner->orphan_since_ms == 0)
		runner->orphan_since_ms = sim->now_ms;
	if (sim->options.plant == PLANT_LINGER)
		runner->agent.registrar.orphan_due_ms = UINT64_MAX;
	if (sim->options.plant == PLANT_NO_BACKOFF)
		runner->agent.registrar.due_ms = sim->now_ms;
	sim_runner_end(sim, runner);
}

void runner_stream_closed(struct sim *sim, struct sim_runner *runner, uint64_t registration, enum code code,
			  uint64_t delay_ms) {
	if (runner->cut_until_ms > sim->now_ms)
		delay_ms += KEEPALIVE_MS;
	struct event *event = sim_at(sim, delay_ms, on_stream_closed, runner);
	event->number = registration;
	event->code = code;
}

static void on_forgotten(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner_is_cut(sim, runner))
		put_off(sim, event, runner->cut_until_ms);
	else
		on_stream_closed(sim, event);
}

void runner_forgotten(struct sim *sim, struct sim_runner *runner) {
	struct event *event = sim_at(sim, sim_latency(sim), on_forgotten, runner);
	event->number = runner->registration;
	event->code = CODE_UNAVAILABLE;
}

/* At times a proxy on the way ends, in order, each registration that was accepted within some seconds. */
static void end_at_once(struct sim *sim, struct sim_runner *runner) {
	enum { PERCENT = 2, WINDOW_MS = 3000 };
	if (sim->calm || sim->healed || runner->registration == 0)
		return;
	if (sim->now_ms >= runner->proxy_until_ms && sim_chance(sim, PERCENT))
		runner->proxy_until_ms = sim->now_ms + WINDOW_MS;
	if (sim->now_ms >= runner->proxy_until_ms)
		return;
	if (reaches_backplane(sim, runner))
		tell_stream_broke(sim, runner, false);
	runner_stream_closed(sim, runner, runner->registration, CODE_OK, sim_latency(sim));
}

static void on_accepted(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner_is_cut(sim, runner)) {
		put_off(sim, event, runner->cut_until_ms);
		return;
	}
	if (!runner_is_up_for(sim, event, runner) || runner->registration != event->number)
		return;
	agent_accepted(sim_runner_begin(sim, runner), str_from(runner->key));
	if (runner->agent.registrar.state == REGISTRAR_ACCEPTED)
		runner->orphan_since_ms = 0;
	sim_runner_end(sim, runner);
	end_at_once(sim, runner);
}

void runner_accepted(struct sim *sim, struct sim_runner *runner, uint64_t registration) {
	sim_at(sim, sim_latency(sim), on_accepted, runner)->number = registration;
}

static void on_registration(struct sim *sim, struct event *event) {
	const struct sim_runner *runner = event->subject;
	if (!runner->running || runner->registration != event->number)
		return;
	const struct registration registration = {
		.id = event->number,
		.language = str_from(runner->language),
		.endpoint = str_from(runner->endpoint),
		.runner_key = str_from(runner->key),
		.deployment_key = str_from(runner->claimed),
	};
	backplane_begin(sim);
	control_register(&sim->control, &registration);
	backplane_end(sim);
}

static void check_back_off(struct sim *sim, struct sim_runner *runner) {
	uint64_t *oldest_ms = &runner->opened_ms[runner->openings++ % OPENINGS_A_SECOND_MAX];
	if (*oldest_ms > 0 && sim->now_ms - *oldest_ms < 1000)
		sim_violate(sim, "backs-off", "%s tried to register %d times within %d ms", runner->key,
			    OPENINGS_A_SECOND_MAX + 1, (int)(sim->now_ms - *oldest_ms));
	*oldest_ms = sim->now_ms;
}

static void out_open_stream(struct agent_effects *effects, const struct registrar *registrar) {
	struct sim_runner *runner = runner_of(effects);
	struct sim *sim = runner->sim;
	bool forgets = sim->options.plant == PLANT_FORGETFUL;
	snprintf(runner->claimed, sizeof runner->claimed, "%s", forgets ? "" : registrar->said_hosted);
	runner->registration = ++sim->last_registration + ((uint64_t)sim->epoch << 32);
	runner->epoch = sim->epoch;
	check_back_off(sim, runner);
	if (reaches_backplane(sim, runner))
		sim_to_backplane(sim, sim_latency(sim), on_registration, runner)->number = runner->registration;
	else
		runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, sim_latency(sim));
}

static void out_half_close_stream(struct agent_effects *effects) {
	struct sim_runner *runner = runner_of(effects);
	struct sim *sim = runner->sim;
	if (reaches_backplane(sim, runner))
		tell_stream_broke(sim, runner, true);
	runner_stream_closed(sim, runner, runner->registration, CODE_OK, sim_latency(sim));
}

static void out_drop_stream(struct agent_effects *effects, const char *why) {
	struct sim_runner *runner = runner_of(effects);
	(void)why;
	if (reaches_backplane(runner->sim, runner))
		tell_stream_broke(runner->sim, runner, false);
	runner->registration = 0;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

/* One attempt to send a report. It has one answer. */
struct sending {
	struct sim_runner *runner;
	uint64_t id, attempt;
	char key[KEY_MAX];
	bool failed, fault, lost, answered;
};

static void on_report_answered(struct sim *sim, struct event *event) {
	struct sending *sending = event->subject;
	struct error err;
	if (sending->answered || !runner_is_up_for(sim, event, sending->runner))
		return;
	sending->answered = true;
	bool is_failure = event->code != CODE_OK && sim->options.plant != PLANT_LOSE_REPORT;
	if (is_failure)
		error_set(&err, event->code, "%s", code_name(event->code));
	agent_report_answered(sim_runner_begin(sim, sending->runner), sending->id, is_failure ? &err : NULL);
	sim_runner_end(sim, sending->runner);
}

static void answer_report(struct sim *sim, struct sending *sending, enum code code) {
	sim_at(sim, sim_latency(sim), on_report_answered, sending)->code = code;
}

/* The report arrives at the Backplane. */
static void on_report(struct sim *sim, struct event *event) {
	struct sending *sending = event->subject;
	struct sim_runner *runner = sending->runner;
	struct error err;
	if (sending->lost)
		return;
	/* A draining worker refuses the report before it reaches the control side. */
	if (!sim->calm && sim_chance(sim, 5)) {
		answer_report(sim, sending, CODE_UNAVAILABLE);
		return;
	}
	const struct deployed deployed = {.runner_key = runner->key,
					  .deployment_key = sending->key,
					  .attempt = sending->attempt,
					  .runner_fault = sending->fault,
					  .end.why = sending->failed ? "it ended" : ""};
	sim_trace(sim, "report from %s: %s %s", runner->key, sending->key, sending->failed ? "ended" : "is alive");
	backplane_begin(sim);
	bool refused = control_deployed(&sim->control, &deployed, &err) < 0;
	if (refused)
		sim_trace(sim, "report refused: %s", err.msg);
	backplane_end(sim);
	/* The answer may be lost; the Runner then sends the report again. */
	bool lost = !sim->calm && sim_chance(sim, 5);
	answer_report(sim, sending, lost ? CODE_UNAVAILABLE : refused ? err.code : CODE_OK);
}

static void out_send_report(struct agent_effects *effects, struct report *report, uint64_t timeout_ms) {
	struct sim_runner *runner = runner_of(effects);
	struct sim *sim = runner->sim;
	struct sending *sending = arena_alloc(&sim->arena, sizeof *sending);
	*sending = (struct sending){.runner = runner,
				    .id = report->send_id,
				    .attempt = report->attempt,
				    .failed = report->error != NULL,
				    .fault = report->runner_fault};
	snprintf(sending->key, sizeof sending->key, "%s", report->deployment_key);
	report->sending = sending;
	sim_at(sim, timeout_ms, on_report_answered, sending)->code = CODE_DEADLINE_EXCEEDED;
	if (!sim->up)
		answer_report(sim, sending, CODE_UNAVAILABLE);
	else if (!runner_is_cut(sim, runner))
		sim_to_backplane(sim, sim_latency(sim), on_report, sending);
}

static void out_cancel_report(struct agent_effects *effects, struct report *report) {
	struct sending *sending = report->sending;
	(void)effects;
	sending->answered = true;
}

/* The reports in flight fail with their connection, each before or after it reached the Backplane. */
static void lose_reports(struct sim *sim, struct sim_runner *runner) {
	LIST_FOREACH(link, &runner->agent.reports.open) {
		const struct report *report = LIST_ENTRY(link, struct report, link);
		if (report->state != REPORT_SENDING)
			continue;
		struct sending *sending = report->sending;
		sending->lost = sim_chance(sim, 50);
		answer_report(sim, sending, CODE_UNAVAILABLE);
	}
}

/* --- the hosted deployment ---------------------------------------------------------------------------------------- */

/* Starts a step of the hosted deployment. Events of earlier steps are ignored from then on (is_current). */
static struct event *next_step(struct sim_runner *runner, uint64_t delay_ms, event_function *run) {
	struct event *event = sim_at(runner->sim, delay_ms, run, runner);
	event->number = ++runner->step;
	return event;
}

static bool is_current(struct sim *sim, struct event *event) {
	const struct sim_runner *runner = event->subject;
	return event->number == runner->step && runner_is_up_for(sim, event, runner);
}

static void host_ended(struct sim *sim, struct sim_runner *runner) {
	struct error why;
	error_set(&why, CODE_UNAVAILABLE, "it ended");
	runner->generation++;
	runner->calls = 0;
	agent_host_ended(sim_runner_begin(sim, runner), &why, NULL, REMAINS_NOTHING);
	sim_runner_end(sim, runner);
}

static void on_host_ended(struct sim *sim, struct event *event) {
	if (is_current(sim, event))
		host_ended(sim, event->subject);
}

static enum quality quality_of(const struct sim *sim, const char *key) {
	unsigned module, version;
	ASSERT(deployment_key_parse(key, &module, &version));
	return sim->quality[module][version];
}

static void on_fetched(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	struct error why;
	if (!is_current(sim, event))
		return;
	bool is_there = sim->up && sim->epoch == event->other && !runner_is_cut(sim, runner);
	error_set(&why, CODE_UNAVAILABLE, "the Backplane is away");
	if (is_there)
		agent_fetched(sim_runner_begin(sim, runner));
	else
		agent_fetch_failed(sim_runner_begin(sim, runner), &why);
	sim_runner_end(sim, runner);
}

static void out_fetch(struct agent_effects *effects, const struct hosting *hosting) {
	struct sim_runner *runner = runner_of(effects);
	(void)hosting;
	runner->generation++;
	next_step(runner, sim_between(runner->sim, 1, 100), on_fetched)->other = runner->sim->epoch;
}

static void on_checked(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!is_current(sim, event))
		return;
	agent_checked(sim_runner_begin(sim, runner), 0);
	sim_runner_end(sim, runner);
}

static void out_check(struct agent_effects *effects) {
	next_step(runner_of(effects), sim_between(runner_of(effects)->sim, 0, 2), on_checked);
}

static void tell_alive(struct sim *sim, struct sim_runner *runner) {
	agent_alive(sim_runner_begin(sim, runner), 0);
	sim_runner_end(sim, runner);
}

static void on_started(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!is_current(sim, event))
		return;
	enum quality quality = quality_of(sim, runner->agent.hosting.key);
	bool false_alarm = sim->options.plant == PLANT_FALSE_ALARM && sim_chance(sim, 5);
	if (quality == BAD || false_alarm) {
		host_ended(sim, runner);
		return;
	}
	runner->ever_alive[deployment_index(runner->agent.hosting.key)] = true;
	tell_alive(sim, runner);
	if (quality == CRASHY && !sim->healed && runner_hosts(runner) != NULL)
		next_step(runner, sim_between(sim, 500, 20000), on_host_ended);
}

static void on_too_early(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (event->number == runner->step && runner->running)
		tell_alive(sim, runner);
}

static void out_start(struct agent_effects *effects) {
	struct sim_runner *runner = runner_of(effects);
	struct sim *sim = runner->sim;
	next_step(runner, sim_between(sim, 1, sim_chance(sim, 5) ? 4000 : 300), on_started);
	if (sim->options.plant == PLANT_EAGER)
		sim_at(sim, 0, on_too_early, runner)->number = runner->step;
}

static void out_stop(struct agent_effects *effects) {
	struct sim_runner *runner = runner_of(effects);
	struct sim *sim = runner->sim;
	/* A child that ignores SIGTERM is killed after 3 s. */
	next_step(runner, sim_chance(sim, 5) ? 3000 : sim_between(sim, 1, 50), on_host_ended);
}

static void on_removed(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!is_current(sim, event))
		return;
	agent_removed(sim_runner_begin(sim, runner));
	sim_runner_end(sim, runner);
}

static void out_remove(struct agent_effects *effects) {
	next_step(runner_of(effects), sim_between(runner_of(effects)->sim, 0, 5), on_removed);
}

static size_t out_calls(struct agent_effects *effects) {
	return runner_of(effects)->calls;
}

void runner_call_done(struct sim *sim, struct sim_runner *runner) {
	ASSERT(runner->calls > 0);
	if (--runner->calls > 0)
		return;
	agent_idle(sim_runner_begin(sim, runner));
	sim_runner_end(sim, runner);
}

void runner_child_dies(struct sim *sim, struct sim_runner *runner) {
	enum hosting_state state = runner->agent.hosting.state;
	if (runner->running && state >= HOSTING_STARTING && state <= HOSTING_STOPPING)
		host_ended(sim, runner);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static void on_exit_noticed(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner_running(sim, runner->key) != NULL)
		return; /* a person has started it again under its key */
	backplane_begin(sim);
	control_runner_exited(&sim->control, runner->key, &(struct cause){.why = "exited"});
	backplane_end(sim);
}

static void lose_connection(struct sim *sim, struct sim_runner *runner) {
	runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, sim_latency(sim));
	lose_reports(sim, runner);
}

void runner_break_connection(struct sim *sim, struct sim_runner *runner) {
	if (runner->agent.registrar.state != REGISTRAR_ACCEPTED || !sim->up || runner->epoch != sim->epoch)
		return;
	sim_trace(sim, "the connection of %s breaks", runner->key);
	tell_stream_broke(sim, runner, false);
	lose_connection(sim, runner);
}

void runner_backplane_died(struct sim *sim, struct sim_runner *runner) {
	if (runner->running && runner->registration != 0 && runner->epoch == sim->epoch)
		lose_connection(sim, runner);
}

void sim_runner_kill(struct sim *sim, struct sim_runner *runner, const char *why) {
	if (!runner->running)
		return;
	sim_trace(sim, "%s ends: %s", runner->key, why);
	runner->running = false;
	runner->generation++;
	if (runner->registration != 0 && reaches_backplane(sim, runner))
		tell_stream_broke(sim, runner, false);
	if (sim->up && runner->managed)
		sim_to_backplane(sim, sim_latency(sim), on_exit_noticed, runner);
}

static void out_say_last_words(struct agent_effects *effects) {
	(void)effects;
}

static bool out_has_said_all(struct agent_effects *effects) {
	(void)effects;
	return true;
}

static void out_exit(struct agent_effects *effects) {
	sim_runner_kill(runner_of(effects)->sim, runner_of(effects), "the Backplane told it to");
}

static const struct agent_effects_ops ops = {
	.random = out_random,
	.log = out_log,
	.open_stream = out_open_stream,
	.half_close_stream = out_half_close_stream,
	.drop_stream = out_drop_stream,
	.send_report = out_send_report,
	.cancel_report = out_cancel_report,
	.fetch = out_fetch,
	.check = out_check,
	.start = out_start,
	.stop = out_stop,
	.remove = out_remove,
	.calls = out_calls,
	.say_last_words = out_say_last_words,
	.has_said_all = out_has_said_all,
	.exit = out_exit,
};

static void check_orphan(struct sim *sim, const struct sim_runner *runner) {
	enum { LATE_MS = 1000 };
	uint64_t limit_ms = MAX(runner->orphan_since_ms + ORPHAN_MS, runner->hung_until_ms) + LATE_MS;
	if (runner->running && runner->orphan_since_ms > 0 && runner->agent.state == AGENT_SERVING &&
	    sim->now_ms > limit_ms)
		sim_violate(sim, "orphaned", "%s has had no Backplane for %d ms, and goes on", runner->key,
			    (int)(sim->now_ms - runner->orphan_since_ms));
}

/* Keepalive of the connection: a Runner that is cut off or whose Backplane is stalled finds the connection broken. */
void runner_keep_alive(struct sim *sim) {
	for (unsigned i = 0; i < sim->runner_count; i++) {
		struct sim_runner *runner = sim->runners[i];
		bool is_up = runner->running && sim->now_ms >= runner->hung_until_ms;
		check_orphan(sim, runner);
		if (!is_up || runner->agent.registrar.state != REGISTRAR_ACCEPTED)
			continue;
		if (runner->cut_until_ms > sim->now_ms + KEEPALIVE_MS / 2)
			runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, 0);
		if (sim_is_stopped(sim) && sim->now_ms > sim->stopped_since_ms + KEEPALIVE_MS)
			runner_break_connection(sim, runner);
	}
}

struct sim_runner *runner_new(struct sim *sim, const char *key, const char *language, bool managed) {
	ASSERT(sim->runner_count < RUNNERS_MAX);
	struct sim_runner *runner = arena_alloc(&sim->arena, sizeof *runner);
	*runner = (struct sim_runner){.sim = sim, .index = sim->runner_count, .managed = managed, .running = true};
	snprintf(runner->key, sizeof runner->key, "%s", key);
	snprintf(runner->endpoint, sizeof runner->endpoint, "unix:/%.80s", key);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->effects.ops = &ops;
	agent_init(&runner->agent,
		   &(struct agent_options){
			   .backplane = "the Backplane",
			   .language = runner->language,
			   .endpoint = runner->endpoint,
			   .key = runner->key,
			   .orphan_timeout_ms = ORPHAN_MS,
			   .effects = &runner->effects,
		   },
		   sim->now_ms);
	list_init(&runner->in_silent);
	sim->runners[sim->runner_count++] = runner;
	sim_trace(sim, "%s starts", key);
	return runner;
}

struct sim_runner *runner_start(struct sim *sim, const char *key, const char *language, bool managed) {
	struct sim_runner *runner = runner_new(sim, key, language, managed);
	runner->orphan_since_ms = sim->now_ms;
	agent_begin(sim_runner_begin(sim, runner));
	sim_runner_end(sim, runner);
	return runner;
}

void runners_deinit(struct sim *sim) {
	for (unsigned i = 0; i < sim->runner_count; i++)
		agent_deinit(&sim->runners[i]->agent);
}
