/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as src/runner has them: they register, host, report, drain, and look for a Backplane when theirs is gone. And
 * the Platform, which starts and ends their processes.
 *
 * A Runner that hangs does what is due when it wakes up. One that is cut off neither gets nor sends anything, and its
 * peers learn of it by silence alone.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DEPLOY_TIMEOUT_MS = 5000,
	KEEPALIVE_MS = 4000,
	DELAY_FIRST_MS = 50,
	DELAY_LAST_MS = 1000,
	ORPHAN_MS = 30000,
};

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

/* In small steps, as all may be well before that time. */
static void put_off(struct sim *sim, struct event *event, uint64_t until_ms) {
	struct event *later = sim_at(sim, MIN(until_ms - sim->now_ms, (uint64_t)100), event->run, event->subject);
	uint64_t due_ms = later->due_ms, sequence = later->sequence;
	*later = *event;
	later->due_ms = due_ms;
	later->sequence = sequence;
}

/* Whether an event for the Runner goes on now. One that hangs has it when it wakes up. */
static bool is_up_for(struct sim *sim, struct event *event, struct sim_runner *runner) {
	if (!runner->running)
		return false;
	if (sim->now_ms >= runner->hung_until_ms)
		return true;
	put_off(sim, event, runner->hung_until_ms);
	return false;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static void send_report(struct sim *sim, struct sim_runner *runner, unsigned place, uint64_t delay_ms);

static void on_report_answered(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	(void)sim;
	struct sim_report *report = &runner->reports[event->other];
	if (report->number == event->number)
		report->open = false;
}

static void on_report_retry(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (is_up_for(sim, event, runner) && runner->reports[event->other].open &&
	    runner->reports[event->other].number == event->number)
		send_report(sim, runner, (unsigned)event->other, 0);
}

static void terminate(struct sim *sim, struct sim_runner *runner, const char *key, uint64_t grace_ms);

static void on_unwanted(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (is_up_for(sim, event, runner))
		terminate(sim, runner, event->key, 0);
}

/* At the Backplane. It may be there twice: the answer to the first was lost. */
static void on_report(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	const struct sim_report *report = &runner->reports[event->other];
	if (!report->open || report->number != event->number)
		return;
	struct error err;
	const struct deployed deployed = {.runner_key = runner->key,
					  .deployment_key = report->key,
					  .attempt = report->attempt,
					  .runner_fault = report->fault,
					  .end.why = report->failed ? "it ended" : ""};
	sim_trace(sim, "report from %s: %s %s", runner->key, report->key, report->failed ? "ended" : "is alive");
	backplane_begin(sim);
	bool refused = control_deployed(&sim->control, &deployed, &err) < 0;
	if (refused)
		sim_trace(sim, "report refused: %s", err.msg);
	backplane_end(sim);
	bool lost = !sim->calm && sim_chance(sim, 5);
	if (!runner->running || lost)
		return;
	bool unwanted = refused && err.code == CODE_FAILED_PRECONDITION && !report->failed;
	if (unwanted) {
		struct event *end = sim_at(sim, sim_latency(sim), on_unwanted, runner);
		snprintf(end->key, sizeof end->key, "%s", report->key);
	}
	struct event *answer = sim_at(sim, sim_latency(sim), on_report_answered, runner);
	answer->number = event->number;
	answer->other = event->other;
}

static void send_report(struct sim *sim, struct sim_runner *runner, unsigned place, uint64_t delay_ms) {
	if (!runner_is_cut(sim, runner) && sim->up) {
		struct event *event = sim_to_backplane(sim, delay_ms + sim_latency(sim), on_report, runner);
		event->number = runner->reports[place].number;
		event->other = place;
	}
	struct event *retry =
		sim_at(sim, delay_ms + sim_between(sim, DELAY_FIRST_MS, DELAY_LAST_MS) + 200, on_report_retry, runner);
	retry->number = runner->reports[place].number;
	retry->other = place;
}

static void report(struct sim *sim, struct sim_runner *runner, bool failed, bool fault) {
	unsigned place = 0;
	for (unsigned i = 0; i < ARRAY_LEN(runner->reports); i++)
		if (!runner->reports[i].open || strcmp(runner->reports[i].key, runner->hosted) == 0)
			place = i;
	struct sim_report *slot = &runner->reports[place];
	*slot = (struct sim_report){.open = true,
				    .failed = failed,
				    .fault = fault,
				    .attempt = runner->attempt,
				    .number = ++runner->report_number};
	snprintf(slot->key, sizeof slot->key, "%s", runner->hosted);
	send_report(sim, runner, place, 0);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static void on_exit_noticed(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner_running(sim, runner->key) != NULL)
		return; /* a hand-started one is back */
	backplane_begin(sim);
	control_runner_exited(&sim->control, runner->key, &(struct cause){.why = "exited"});
	backplane_end(sim);
}

static void on_stream_broke(struct sim *sim, struct event *event) {
	backplane_begin(sim);
	control_registration_ended(&sim->control, event->number, event->flag);
	backplane_end(sim);
}

void runner_break_stream(struct sim *sim, struct sim_runner *runner) {
	sim_trace(sim, "the connection of %s breaks", runner->key);
	sim_to_backplane(sim, sim_latency(sim), on_stream_broke, NULL)->number = runner->registration;
	runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, sim_latency(sim));
}

void sim_runner_kill(struct sim *sim, struct sim_runner *runner, const char *why) {
	if (!runner->running)
		return;
	sim_trace(sim, "%s ends: %s", runner->key, why);
	runner->running = false;
	runner->host = HOST_NONE;
	runner->generation++;
	bool open = runner->stream == STREAM_OPENING || runner->stream == STREAM_ACCEPTED;
	if (sim->up && open && runner->epoch == sim->epoch && !runner_is_cut(sim, runner))
		sim_to_backplane(sim, sim_latency(sim), on_stream_broke, NULL)->number = runner->registration;
	if (sim->up && runner->managed)
		sim_to_backplane(sim, sim_latency(sim), on_exit_noticed, runner);
}

static void on_last_words_said(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (is_up_for(sim, event, runner) && runner->stopping)
		sim_runner_kill(sim, runner, "it was told to");
}

static void finish_when_idle(struct sim *sim, struct sim_runner *runner) {
	if (runner->stopping && runner->host == HOST_NONE)
		sim_at(sim, sim_between(sim, 1, 200), on_last_words_said, runner);
}

/* --- what it hosts ------------------------------------------------------------------------------------------------ */

static struct event *host_at(struct sim *sim, struct sim_runner *runner, uint64_t delay_ms, event_function *run) {
	struct event *event = sim_at(sim, delay_ms, run, runner);
	event->number = runner->generation;
	return event;
}

static void host_ended(struct sim *sim, struct sim_runner *runner, bool fault) {
	sim_trace(sim, "%s: %s ended", runner->key, runner->hosted);
	runner->host = HOST_NONE;
	runner->generation++;
	runner->calls = 0;
	report(sim, runner, true, fault);
	runner->hosted[0] = '\0';
	finish_when_idle(sim, runner);
}

static void on_host_ended(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner->generation == event->number && is_up_for(sim, event, runner))
		host_ended(sim, runner, false);
}

static enum quality quality_of(const struct sim *sim, const char *key) {
	unsigned module, version;
	ASSERT(deployment_key_parse(key, &module, &version));
	return sim->quality[module][version];
}

static void on_started(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner->generation != event->number || runner->host != HOST_STARTING || !is_up_for(sim, event, runner))
		return;
	bool false_alarm = sim->options.plant == PLANT_FALSE_ALARM && sim_chance(sim, 5);
	if (quality_of(sim, runner->hosted) == BAD || false_alarm) {
		host_ended(sim, runner, false);
		return;
	}
	sim_trace(sim, "%s: %s is alive", runner->key, runner->hosted);
	runner->host = HOST_ALIVE;
	runner->ever_alive[deployment_index(runner->hosted)] = true;
	report(sim, runner, false, false);
	if (quality_of(sim, runner->hosted) == CRASHY && !sim->healed)
		host_at(sim, runner, sim_between(sim, 500, 20000), on_host_ended);
}

static void on_fetched(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner->generation != event->number || runner->host != HOST_FETCHING || !is_up_for(sim, event, runner))
		return;
	if (!sim->up || sim->epoch != event->other || runner_is_cut(sim, runner)) {
		host_ended(sim, runner, true);
		return;
	}
	runner->host = HOST_STARTING;
	host_at(sim, runner, sim_between(sim, 1, sim_chance(sim, 5) ? 4000 : 300), on_started);
}

static enum code deploy(struct sim *sim, struct sim_runner *runner, const char *key, uint64_t attempt) {
	if (runner->stopping)
		return CODE_FAILED_PRECONDITION;
	bool same = runner->host != HOST_NONE && strcmp(runner->hosted, key) == 0;
	if (same && runner->host < HOST_DRAINING) {
		runner->attempt = MAX(runner->attempt, attempt);
		if (runner->host == HOST_ALIVE)
			report(sim, runner, false, false);
		return CODE_OK;
	}
	if (runner->host != HOST_NONE)
		return CODE_FAILED_PRECONDITION;
	snprintf(runner->hosted, sizeof runner->hosted, "%s", key);
	runner->attempt = attempt;
	runner->host = HOST_FETCHING;
	runner->generation++;
	host_at(sim, runner, sim_between(sim, 1, 100), on_fetched)->other = sim->epoch;
	return CODE_OK;
}

static void stop_host(struct sim *sim, struct sim_runner *runner) {
	runner->host = HOST_STOPPING;
	/* A child that does not heed SIGTERM is killed in the end. */
	host_at(sim, runner, sim_chance(sim, 5) ? 3000 : sim_between(sim, 1, 50), on_host_ended);
}

static void on_grace_over(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner->generation == event->number && runner->host == HOST_DRAINING && is_up_for(sim, event, runner))
		stop_host(sim, runner);
}

void runner_call_done(struct sim *sim, struct sim_runner *runner) {
	ASSERT(runner->calls > 0);
	if (--runner->calls == 0 && runner->host == HOST_DRAINING)
		stop_host(sim, runner);
}

void runner_child_dies(struct sim *sim, struct sim_runner *runner) {
	if (runner->running && runner->host >= HOST_STARTING)
		host_ended(sim, runner, false);
}

static void leave(struct sim *sim, struct sim_runner *runner) {
	if (runner->stream == STREAM_ACCEPTED && sim->up && runner->epoch == sim->epoch &&
	    !runner_is_cut(sim, runner)) {
		struct event *event = sim_to_backplane(sim, sim_latency(sim), on_stream_broke, NULL);
		event->number = runner->registration;
		event->flag = true;
	}
	runner->stream = STREAM_NONE;
}

static void terminate(struct sim *sim, struct sim_runner *runner, const char *key, uint64_t grace_ms) {
	if (sim->options.plant == PLANT_ZOMBIE)
		return;
	if (key[0] == '\0' && !runner->stopping) {
		runner->stopping = true;
		leave(sim, runner);
	} else if (key[0] != '\0' && strcmp(runner->hosted, key) != 0) {
		return;
	}
	if (runner->host == HOST_FETCHING)
		host_ended(sim, runner, false);
	else if (runner->host == HOST_STARTING || (runner->host == HOST_ALIVE && runner->calls == 0))
		stop_host(sim, runner);
	else if (runner->host == HOST_ALIVE) {
		runner->host = HOST_DRAINING;
		host_at(sim, runner, grace_ms, on_grace_over);
	}
	finish_when_idle(sim, runner);
}

/* --- what it is asked --------------------------------------------------------------------------------------------- */

/* A unary call of the Backplane, which is answered once: by the Runner, or by its own limit. */
struct request {
	char runner[KEY_MAX], deployment[KEY_MAX];
	uint64_t serial, attempt, grace_ms;
	bool answered;
	void (*answer)(struct sim *sim, struct request *request, const struct error *err);
	enum code (*handle)(struct sim *sim, struct sim_runner *runner, const struct request *request);
};

static void answer(struct sim *sim, struct request *request, enum code code) {
	if (request->answered)
		return;
	request->answered = true;
	struct error err;
	if (code != CODE_OK)
		error_set(&err, code, "%s", code_name(code));
	backplane_begin(sim);
	request->answer(sim, request, code == CODE_OK ? NULL : &err);
	backplane_end(sim);
}

static void on_answer(struct sim *sim, struct event *event) {
	answer(sim, event->subject, event->code);
}

static enum code handle_ping(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	(void)sim, (void)runner, (void)request;
	return CODE_OK;
}

static void on_request(struct sim *sim, struct event *event) {
	struct request *request = event->subject;
	struct sim_runner *runner = sim->runners[event->other];
	if (!runner->running) {
		if (sim->up)
			sim_to_backplane(sim, sim_latency(sim), on_answer, request)->code = CODE_UNAVAILABLE;
		return;
	}
	bool ghost = sim->options.plant == PLANT_GHOST_PONG && request->handle == handle_ping;
	if (!ghost && (runner_is_cut(sim, runner) || !is_up_for(sim, event, runner)))
		return;
	enum code code = request->handle(sim, runner, request);
	if (sim->up && (ghost || !runner_is_cut(sim, runner))) {
		struct event *back = sim_to_backplane(sim, sim_latency(sim), on_answer, request);
		back->code = code;
		back->epoch = (uint32_t)event->number;
	}
}

static void send_request(struct sim *sim, const struct runner *runner, uint64_t timeout_ms,
			 const struct request *filled) {
	struct request *request = arena_alloc(&sim->arena, sizeof *request);
	*request = *filled;
	snprintf(request->runner, sizeof request->runner, "%s", runner->key);
	request->serial = runner->serial;
	request->attempt = runner->attempt;
	sim_to_backplane(sim, timeout_ms, on_answer, request)->code = CODE_DEADLINE_EXCEEDED;
	struct sim_runner *there = runner_running(sim, runner->key);
	if (there == NULL) {
		sim_to_backplane(sim, sim_latency(sim), on_answer, request)->code = CODE_UNAVAILABLE;
	} else {
		struct event *event = sim_at(sim, sim_latency(sim), on_request, request);
		event->other = there->index;
		event->number = sim->epoch;
	}
}

static void answer_ping(struct sim *sim, struct request *request, const struct error *err) {
	control_pinged(&sim->control, request->runner, request->serial, err);
}

void send_ping(struct sim *sim, const struct runner *runner, uint64_t timeout_ms) {
	send_request(sim, runner, timeout_ms, &(struct request){.handle = handle_ping, .answer = answer_ping});
}

static enum code handle_deploy(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	return deploy(sim, runner, request->deployment, request->attempt);
}

static void answer_deploy(struct sim *sim, struct request *request, const struct error *err) {
	control_deploy_answered(&sim->control, request->runner, request->serial, request->attempt, err);
}

void send_deploy(struct sim *sim, const struct runner *runner, const char *deployment) {
	struct request request = {.handle = handle_deploy, .answer = answer_deploy};
	snprintf(request.deployment, sizeof request.deployment, "%s", deployment);
	send_request(sim, runner, DEPLOY_TIMEOUT_MS, &request);
}

static enum code handle_terminate(struct sim *sim, struct sim_runner *runner, const struct request *request) {
	terminate(sim, runner, request->deployment, request->grace_ms);
	return CODE_OK;
}

static void answer_terminate(struct sim *sim, struct request *request, const struct error *err) {
	(void)sim, (void)request, (void)err;
}

void send_terminate(struct sim *sim, const struct runner *runner, const char *deployment, uint64_t grace_ms) {
	struct request request = {.handle = handle_terminate, .answer = answer_terminate, .grace_ms = grace_ms};
	snprintf(request.deployment, sizeof request.deployment, "%s", deployment);
	send_request(sim, runner, DEPLOY_TIMEOUT_MS, &request);
}

/* --- registration ------------------------------------------------------------------------------------------------- */

static void open_stream(struct sim *sim, struct sim_runner *runner);

static void on_delay_over(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (runner->stream == STREAM_WAITING && event->number == runner->registration && is_up_for(sim, event, runner))
		open_stream(sim, runner);
}

static void wait_to_retry(struct sim *sim, struct sim_runner *runner) {
	runner->stream = STREAM_WAITING;
	if (runner->orphan_since_ms == 0)
		runner->orphan_since_ms = sim->now_ms;
	sim_at(sim, sim_between(sim, DELAY_FIRST_MS / 2, DELAY_LAST_MS), on_delay_over, runner)->number =
		runner->registration;
}

static void on_registration(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!runner->running || runner->stream != STREAM_OPENING || runner->registration != event->number)
		return;
	const struct registration registration = {
		.id = event->number,
		.language = str_from(runner->language),
		.endpoint = str_from(runner->endpoint),
		.runner_key = str_from(runner->key),
		.deployment_key = str_from(runner->said_hosted),
	};
	backplane_begin(sim);
	control_register(&sim->control, &registration);
	backplane_end(sim);
}

static void open_stream(struct sim *sim, struct sim_runner *runner) {
	bool alive = runner->host == HOST_ALIVE;
	snprintf(runner->said_hosted, sizeof runner->said_hosted, "%s", alive ? runner->hosted : "");
	runner->registration = ++sim->last_registration + ((uint64_t)sim->epoch << 32);
	runner->epoch = sim->epoch;
	runner->stream = STREAM_OPENING;
	if (!sim->up || runner_is_cut(sim, runner))
		runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, sim_latency(sim));
	else
		sim_to_backplane(sim, sim_latency(sim), on_registration, runner)->number = runner->registration;
}

static void on_stream_closed(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!is_up_for(sim, event, runner) || runner->registration != event->number || runner->stream == STREAM_NONE)
		return;
	bool was_accepted = runner->stream == STREAM_ACCEPTED;
	bool final = event->code == CODE_FAILED_PRECONDITION || event->code == CODE_INVALID_ARGUMENT ||
		     (event->code == CODE_ALREADY_EXISTS && !runner->was_accepted);
	if (!was_accepted && final) {
		runner->stream = STREAM_NONE;
		terminate(sim, runner, "", 30000);
		return;
	}
	wait_to_retry(sim, runner);
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

static void on_accepted(struct sim *sim, struct event *event) {
	struct sim_runner *runner = event->subject;
	if (!is_up_for(sim, event, runner) || runner->registration != event->number || runner->stream != STREAM_OPENING)
		return;
	const char *hosted = runner->host == HOST_ALIVE ? runner->hosted : "";
	if (runner->said_hosted[0] != '\0' && strcmp(runner->said_hosted, hosted) != 0) {
		if (sim->up && runner->epoch == sim->epoch)
			sim_to_backplane(sim, sim_latency(sim), on_stream_broke, NULL)->number = runner->registration;
		wait_to_retry(sim, runner);
		return;
	}
	runner->stream = STREAM_ACCEPTED;
	runner->was_accepted = true;
	runner->orphan_since_ms = 0;
	if (runner->said_hosted[0] == '\0' && hosted[0] != '\0')
		report(sim, runner, false, false);
}

void runner_accepted(struct sim *sim, struct sim_runner *runner, uint64_t registration) {
	sim_at(sim, sim_latency(sim), on_accepted, runner)->number = registration;
}

/* The Runner's own limits on silence: an answer that does not come, a Backplane that does not come back. */
void runner_look_after_orphans(struct sim *sim) {
	for (unsigned i = 0; i < sim->runner_count; i++) {
		struct sim_runner *runner = sim->runners[i];
		bool up = runner->running && sim->now_ms >= runner->hung_until_ms;
		if (!up)
			continue;
		if (runner->stream == STREAM_ACCEPTED && runner->cut_until_ms > sim->now_ms + KEEPALIVE_MS / 2)
			runner_stream_closed(sim, runner, runner->registration, CODE_UNAVAILABLE, 0);
		if (runner->stream == STREAM_ACCEPTED && sim_is_stopped(sim) && runner->epoch == sim->epoch &&
		    sim->now_ms > sim->stopped_since_ms + KEEPALIVE_MS)
			runner_break_stream(sim, runner);
		if (runner->orphan_since_ms > 0 && sim->now_ms - runner->orphan_since_ms > ORPHAN_MS)
			terminate(sim, runner, "", 1000);
	}
}

/* --- the Platform ------------------------------------------------------------------------------------------------- */

struct sim_runner *runner_start(struct sim *sim, const char *key, const char *language, bool managed) {
	ASSERT(sim->runner_count < RUNNERS_MAX);
	struct sim_runner *runner = arena_alloc(&sim->arena, sizeof *runner);
	*runner = (struct sim_runner){.index = sim->runner_count, .managed = managed, .running = true};
	snprintf(runner->key, sizeof runner->key, "%s", key);
	snprintf(runner->endpoint, sizeof runner->endpoint, "unix:/%.80s", key);
	snprintf(runner->language, sizeof runner->language, "%s", language);
	runner->orphan_since_ms = sim->now_ms;
	list_init(&runner->in_silent);
	sim->runners[sim->runner_count++] = runner;
	sim_trace(sim, "%s starts", key);
	open_stream(sim, runner);
	return runner;
}

struct order {
	char key[KEY_MAX], language[LANGUAGE_MAX];
	bool fails;
	uint32_t epoch; /* of the Backplane that asked */
};

static void on_found(struct sim *sim, struct event *event) {
	const struct sim_runner *runner = event->subject;
	if (!runner->running)
		return;
	backplane_begin(sim);
	control_found(&sim->control, runner->key);
	backplane_end(sim);
}

static void on_not_created(struct sim *sim, struct event *event) {
	const struct order *order = event->subject;
	backplane_begin(sim);
	control_runner_exited(&sim->control, order->key, &(struct cause){.why = "could not be started"});
	backplane_end(sim);
}

static void on_create(struct sim *sim, struct event *event) {
	const struct order *order = event->subject;
	if (!order->fails && sim->options.plant == PLANT_LEAK && sim_chance(sim, 10)) {
		/* A second process, that nobody knows of, and that waits for nobody. */
		struct sim_runner *stray = runner_start(sim, "rnr-stray", order->language, true);
		stray->stream = STREAM_NONE;
		stray->orphan_since_ms = 0;
	}
	bool is_known = order->epoch == sim->epoch;
	if (order->fails) {
		if (sim->up && is_known)
			sim_to_backplane(sim, 0, on_not_created, (void *)order);
		return;
	}
	struct sim_runner *runner = runner_start(sim, order->key, order->language, true);
	/* The order of a Backplane that died is carried out: the next one finds the Runner. */
	if (sim->up && !is_known)
		sim_to_backplane(sim, 0, on_found, runner);
}

void platform_create(struct sim *sim, const char *key, const char *language) {
	struct order *order = arena_alloc(&sim->arena, sizeof *order);
	*order = (struct order){.fails = sim->now_ms < sim->platform_fails_until_ms, .epoch = sim->epoch};
	snprintf(order->key, sizeof order->key, "%s", key);
	snprintf(order->language, sizeof order->language, "%s", language);
	bool slow = sim->now_ms < sim->platform_slow_until_ms;
	sim_trace(sim, "control: create %s", key);
	sim_at(sim, slow ? sim_between(sim, 500, 8000) : sim_between(sim, 2, 50), on_create, order);
}

static void on_destroy(struct sim *sim, struct event *event) {
	struct sim_runner *runner = runner_running(sim, event->key);
	if (runner != NULL)
		sim_runner_kill(sim, runner, "the Platform ended it");
}

void platform_destroy(struct sim *sim, const char *key) {
	/* Orders that are still to be carried out come first. */
	struct event *event = sim_at(sim, sim_between(sim, 0, 20), on_destroy, NULL);
	snprintf(event->key, sizeof event->key, "%s", key);
}

void platform_list(struct sim *sim, void (*found)(struct sim *sim, const char *key)) {
	for (unsigned i = 0; i < sim->runner_count; i++)
		if (sim->runners[i]->running && sim->runners[i]->managed)
			found(sim, sim->runners[i]->key);
}
