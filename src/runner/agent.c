/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/agent.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

#define TO(state) (1u << (state))

/* Of what the Backplane logs, too, when it started the Runner: both write to the same terminal. */
static enum log_level told_level(const struct agent *agent) {
	return agent->options.managed ? LOG_DEBUG : LOG_INFO;
}

void agent_move(struct agent *agent, enum agent_state next) {
	static const unsigned allowed[] = {
		[AGENT_SERVING] = TO(AGENT_STOPPING),
		[AGENT_STOPPING] = TO(AGENT_FINISHING),
		[AGENT_FINISHING] = TO(AGENT_ENDED),
		[AGENT_ENDED] = 0,
	};
	ASSERT(allowed[agent->state] & TO(next));
	agent->state = next;
}

/* --- stopping ----------------------------------------------------------------------------------------------------- */

static void finish_when_idle(struct agent *agent) {
	if (agent->state != AGENT_STOPPING || agent->hosting.state != HOSTING_NONE)
		return;
	agent_move(agent, AGENT_FINISHING);
	agent->finishing_until_ms = agent->now_ms + AGENT_FINISHING_MAX_MS;
	agent->finishing_poll_ms = agent->now_ms + AGENT_FINISHING_POLL_MS;
	agent->effects->ops->say_last_words(agent->effects);
}

static void end_when_all_is_said(struct agent *agent) {
	bool has_said_all = reports_are_sent(&agent->reports) && agent->effects->ops->has_said_all(agent->effects);
	agent->finishing_poll_ms = agent->now_ms + AGENT_FINISHING_POLL_MS;
	if (!has_said_all && agent->now_ms < agent->finishing_until_ms)
		return;
	agent_move(agent, AGENT_ENDED);
	agent->effects->ops->exit(agent->effects);
}

static void stop(struct agent *agent, uint64_t grace_ms) {
	if (agent->state == AGENT_SERVING) {
		agent_move(agent, AGENT_STOPPING);
		registrar_leave(&agent->registrar);
	}
	hosting_terminate(&agent->hosting, agent->now_ms, grace_ms);
	finish_when_idle(agent);
}

void agent_signalled(struct agent *agent, const char *name, bool is_order) {
	bool is_stopping = agent->state == AGENT_STOPPING;
	agent_log(agent->effects, LOG_INFO, "stopping: %s", name);
	if (!is_stopping || is_order)
		stop(agent, is_stopping ? 0 : AGENT_STOP_GRACE_MS);
	if (!is_stopping && agent->hosting.state == HOSTING_DRAINING)
		agent_log(agent->effects, LOG_INFO, "waiting for %zu calls in progress of %s, at most %d s",
			  agent->effects->ops->calls(agent->effects), agent->hosting.key, AGENT_STOP_GRACE_MS / 1000);
}

/* --- registration ------------------------------------------------------------------------------------------------- */

static void report_alive(struct agent *agent) {
	const struct hosting *hosting = &agent->hosting;
	reports_send(&agent->reports, &(struct report_options){
					      .deployment_key = hosting->key,
					      .attempt = hosting->attempt,
					      .fetch_us = hosting->fetch_us,
					      .start_us = hosting->start_us,
				      });
}

void agent_accepted(struct agent *agent, struct str key) {
	struct registrar *registrar = &agent->registrar;
	if (registrar->state != REGISTRAR_OPENING || !registrar_accepted(registrar, agent->now_ms, key))
		return;
	agent_log(agent->effects, registrar->is_unstable ? LOG_DEBUG : told_level(agent),
		  "registered with %s as %s, for %s at %s", agent->options.backplane, registrar->key,
		  agent->options.language, agent->options.endpoint);
	/* It came alive since the stream was opened: the report may have come before the Backplane counted on this
	 * Runner. */
	if (registrar->said_hosted[0] == '\0' && agent->hosting.state == HOSTING_ALIVE)
		report_alive(agent);
}

void agent_stream_closed(struct agent *agent, const struct error *why) {
	if (registrar_stream_closed(&agent->registrar, agent->now_ms, why))
		return;
	agent->failure = *why;
	error_wrap(&agent->failure, "the Backplane at %s does not accept this Runner", agent->options.backplane);
	stop(agent, AGENT_STOP_GRACE_MS);
}

static void on_orphaned(struct agent *agent) {
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)agent->options.orphan_timeout_ms);
	agent_log(agent->effects, LOG_WARN, "stopping: no Backplane at %s for %s", agent->options.backplane, limit);
	stop(agent, AGENT_STOP_GRACE_MS);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

int agent_check_key(const char *key, struct error *err) {
	struct str text = str_from(key);
	if (text.len == 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "the field deployment_key is missing");
	if (text.len >= KEY_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "the deployment key has %zu bytes; at most %d are allowed",
				 text.len, KEY_MAX - 1);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			     c == '-';
		if (!plain)
			return error_set(err, CODE_INVALID_ARGUMENT,
					 "\"%s\" is not a deployment key: it may have letters, digits, '-' and '_'",
					 key);
	}
	return 0;
}

int agent_deploy(struct agent *agent, const char *key, uint64_t attempt, struct error *err) {
	struct hosting *hosting = &agent->hosting;
	if (agent_check_key(key, err) < 0)
		return -1;
	if (agent->state != AGENT_SERVING)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner is stopping");
	bool is_hosting = hosting->state != HOSTING_NONE;
	if (is_hosting && strcmp(hosting->key, key) == 0 && !hosting_is_ending(hosting)) {
		/* A Backplane that restarted repeats the order, and waits for reports that name its own attempt. */
		hosting->attempt = MAX(hosting->attempt, attempt);
		if (hosting->state == HOSTING_ALIVE)
			report_alive(agent);
		return 0;
	}
	if (is_hosting)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner hosts %s already, which is %s",
				 hosting->key, hosting_state_name(hosting->state));
	hosting_begin(hosting, key, attempt);
	return 0;
}

int agent_terminate(struct agent *agent, const char *key, uint64_t grace_ms, struct error *err) {
	struct hosting *hosting = &agent->hosting;
	if (key[0] == '\0') {
		stop(agent, grace_ms);
		return 0;
	}
	/* A deployment that has ended already needs no order. */
	if (hosting->state == HOSTING_NONE)
		return 0;
	if (strcmp(hosting->key, key) != 0)
		return error_set(err, CODE_FAILED_PRECONDITION, "this Runner hosts %s and not %s", hosting->key, key);
	hosting_terminate(hosting, agent->now_ms, grace_ms);
	return 0;
}

void agent_report_answered(struct agent *agent, uint64_t send_id, const struct error *err) {
	char unwanted[KEY_MAX];
	struct error failure;
	if (!reports_answered(&agent->reports, agent->now_ms, send_id, err, unwanted))
		return;
	if (agent_terminate(agent, unwanted, 0, &failure) < 0)
		agent_log(agent->effects, LOG_WARN, "%s", failure.msg);
}

/* --- the deployment ----------------------------------------------------------------------------------------------- */

void agent_fetched(struct agent *agent) {
	hosting_fetched(&agent->hosting);
}

void agent_fetch_failed(struct agent *agent, const struct error *err) {
	hosting_fetch_failed(&agent->hosting, err);
}

void agent_checked(struct agent *agent, uint64_t fetch_us) {
	hosting_checked(&agent->hosting, fetch_us);
}

void agent_alive(struct agent *agent, uint64_t start_us) {
	if (!hosting_alive(&agent->hosting, start_us))
		return;
	report_alive(agent);
	agent_log(agent->effects, told_level(agent), "%s is alive", agent->hosting.key);
}

void agent_idle(struct agent *agent) {
	hosting_idle(&agent->hosting);
}

void agent_host_ended(struct agent *agent, const struct error *why, struct last_lines *last_lines,
		      enum hosting_remains remains) {
	hosting_ended(&agent->hosting, why, last_lines, remains);
}

void agent_removed(struct agent *agent) {
	struct hosting *hosting = &agent->hosting;
	reports_send(&agent->reports, &(struct report_options){
					      .deployment_key = hosting->key,
					      .attempt = hosting->attempt,
					      .error = &hosting->why,
					      .runner_fault = hosting->runner_fault,
					      .last_lines = &hosting->last_lines,
				      });
	agent_log(agent->effects, told_level(agent), "%s ended: %s", hosting->key, hosting->why.msg);
	hosting_removed(hosting);
	if (hosting->remains != REMAINS_NOTHING && agent->state == AGENT_SERVING)
		stop(agent, 0);
	finish_when_idle(agent);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void agent_advance(struct agent *agent, uint64_t now_ms) {
	agent->now_ms = now_ms;
}

static uint64_t next_due(const struct agent *agent) {
	uint64_t due_ms = MIN(registrar_due_ms(&agent->registrar), reports_due_ms(&agent->reports));
	due_ms = MIN(due_ms, hosting_due_ms(&agent->hosting));
	return agent->state == AGENT_FINISHING ? MIN(due_ms, agent->finishing_poll_ms) : due_ms;
}

uint64_t agent_tick(struct agent *agent) {
	if (agent->state == AGENT_ENDED)
		return UINT64_MAX;
	if (registrar_tick(&agent->registrar, agent->now_ms))
		on_orphaned(agent);
	hosting_tick(&agent->hosting, agent->now_ms);
	reports_tick(&agent->reports, agent->now_ms);
	if (agent->state == AGENT_FINISHING && agent->finishing_poll_ms <= agent->now_ms)
		end_when_all_is_said(agent);
	return agent->state == AGENT_ENDED ? UINT64_MAX : next_due(agent);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void agent_init(struct agent *agent, const struct agent_options *options, uint64_t now_ms) {
	*agent = (struct agent){.options = *options, .effects = options->effects, .now_ms = now_ms};
	agent->hosting.effects = options->effects;
	agent->registrar = (struct registrar){
		.effects = options->effects,
		.hosting = &agent->hosting,
		.language = options->language,
		.endpoint = options->endpoint,
		.orphan_timeout_ms = options->orphan_timeout_ms,
	};
	snprintf(agent->registrar.key, sizeof agent->registrar.key, "%s", options->key ? options->key : "");
	reports_init(&agent->reports, options->effects);
}

void agent_begin(struct agent *agent) {
	registrar_start(&agent->registrar, agent->now_ms);
}

void agent_deinit(struct agent *agent) {
	registrar_end(&agent->registrar);
	reports_deinit(&agent->reports);
	hosting_deinit(&agent->hosting);
}
