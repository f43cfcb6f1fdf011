/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outside world of the state machines, as it really is. Every function starts something and returns; what comes of
 * it is an event later.
 */
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "ftl.pb-c.h"

static struct backplane *backplane_of(struct effects *effects) {
	return CONTAINER_OF(effects, struct backplane, effects);
}

static uint64_t out_random(struct effects *effects UNUSED) {
	return random_u64();
}

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return clock_wall_ms();
}

/* --- the Platform ------------------------------------------------------------------------------------------------- */

static void out_create(struct effects *effects, const char *runner_key, const char *language) {
	struct backplane *backplane = backplane_of(effects);
	log_debug("starting the Runner %s", runner_key);
	failpoint(FAILPOINT_RUNNER_CREATING);
	platform_link_create(backplane, runner_key, language);
}

static void out_destroy(struct effects *effects, const char *runner_key) {
	platform_link_destroy(backplane_of(effects), runner_key);
}

/* --- Runners ------------------------------------------------------------------------------------------------------ */

static struct rpc_channel *channel_to(struct backplane *backplane, const struct runner *runner) {
	struct rpc_channel *channel = map_get(&backplane->runner_channels, str_from(runner->key));
	if (channel != NULL)
		return channel;
	struct endpoint endpoint;
	struct error err;
	int failed = endpoint_parse(str_from(runner->endpoint), &endpoint, &err);
	ASSERT(failed == 0); /* it was checked when the Runner registered */
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = 0; /* when to try again is for the state machines to say */
	options.tls = backplane->tls;
	channel = rpc_channel_new(&backplane->loop, &endpoint, &options);
	map_put(&backplane->runner_channels, str_from(runner->key), channel);
	return channel;
}

struct runner_call {
	struct backplane *backplane;
	char runner_key[KEY_MAX];
	uint64_t serial, attempt;
};

static struct runner_call *runner_call_new(struct backplane *backplane, const struct runner *runner) {
	struct runner_call *call = mem_zalloc(sizeof *call);
	call->backplane = backplane;
	snprintf(call->runner_key, sizeof call->runner_key, "%s", runner->key);
	call->serial = runner->serial;
	call->attempt = runner->attempt;
	return call;
}

static void on_pinged(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct runner_call *call = owner;
	control_pinged(backplane_event(call->backplane), call->runner_key, call->serial, err);
	backplane_event_done(call->backplane);
	free(call);
}

static void out_ping(struct effects *effects, const struct runner *runner, uint64_t timeout_ms) {
	struct backplane *backplane = backplane_of(effects);
	Ftl__PingRequest request;
	ftl__ping_request__init(&request);
	rpc_unary_call(channel_to(backplane, runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Ping",
						   .timeout_ms = timeout_ms,
						   .response = &ftl__ping_response__descriptor,
						   .done = on_pinged,
						   .owner = runner_call_new(backplane, runner)},
		       &request.base);
}

static void on_deploy_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct runner_call *call = owner;
	failpoint(FAILPOINT_DEPLOY_ANSWERED);
	control_deploy_answered(backplane_event(call->backplane), call->runner_key, call->serial, call->attempt, err);
	backplane_event_done(call->backplane);
	free(call);
}

static void out_deploy(struct effects *effects, const struct runner *runner, const struct deployment *deployment) {
	struct backplane *backplane = backplane_of(effects);
	Ftl__DeployRequest request;
	ftl__deploy_request__init(&request);
	request.deployment_key = (char *)deployment->key;
	request.attempt = runner->attempt;
	rpc_unary_call(channel_to(backplane, runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Deploy",
						   .timeout_ms = DEPLOY_ANSWER_MS,
						   .response = &ftl__deploy_response__descriptor,
						   .done = on_deploy_answered,
						   .owner = runner_call_new(backplane, runner)},
		       &request.base);
	failpoint(FAILPOINT_DEPLOY_SENT);
}

static void on_terminate_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct runner_call *call = owner;
	failpoint(FAILPOINT_TERMINATE_ANSWERED);
	/* Ignore the reply: exit is reported separately and has its own timeout. */
	if (err != NULL && err->code != CODE_CANCELLED)
		log_failure(LOG_DEBUG, err, "the Runner %s could not be told to end", call->runner_key);
	free(call);
}

static void out_terminate(struct effects *effects, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms) {
	struct backplane *backplane = backplane_of(effects);
	Ftl__TerminateRequest request;
	ftl__terminate_request__init(&request);
	request.deployment_key = (char *)(deployment_key ? deployment_key : "");
	request.grace_ms = grace_ms;
	rpc_unary_call(channel_to(backplane, runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Terminate",
						   .timeout_ms = TERMINATE_ANSWER_MS,
						   .response = &ftl__terminate_response__descriptor,
						   .done = on_terminate_answered,
						   .owner = runner_call_new(backplane, runner)},
		       &request.base);
	failpoint(FAILPOINT_TERMINATE_SENT);
}

static void out_forget(struct effects *effects, const struct runner *runner) {
	struct backplane *backplane = backplane_of(effects);
	rpc_channel_close(map_remove(&backplane->runner_channels, str_from(runner->key)));
	if (runner->liveness.registration != 0) {
		struct error err;
		error_set(&err, CODE_UNAVAILABLE, "the Backplane has given the Runner %s up", runner->key);
		registration_refuse(backplane, runner->liveness.registration, &err);
	}
	routes_forget(backplane, runner);
}

static void out_accept(struct effects *effects, uint64_t registration, const struct runner *runner) {
	log_info("the Runner %s for %s is at %s", runner->key, runner->language, runner->endpoint);
	registration_accept(backplane_of(effects), registration, runner);
}

static void out_refuse(struct effects *effects, uint64_t registration, const struct error *why) {
	log_failure(LOG_WARN, why, "refused a Runner");
	registration_refuse(backplane_of(effects), registration, why);
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

static struct backplane *backplane_of_writer(struct store_writer *writer) {
	return CONTAINER_OF(writer, struct backplane, writer);
}

static void on_stored(struct store_writer *writer, const struct event_record *last) {
	events_kept(backplane_of_writer(writer), last);
}

/* The event is queued like every change, and so is seen once the store works again. */
static void on_troubled(struct store_writer *writer, const struct error *why) {
	log_failure(LOG_ERROR, why, "could not store a change, and will try again");
	events_add(backplane_of_writer(writer), EVENT_BACKPLANE_CANNOT_WRITE, "%s", why->msg);
}

static void on_recovered(struct store_writer *writer, uint64_t after_ms) {
	char after[TIME_TEXT_MAX];
	duration_format(after, (int64_t)after_ms);
	log_info("changes are stored again, after %s", after);
	events_add(backplane_of_writer(writer), EVENT_BACKPLANE_WRITES_AGAIN, "after %s", after);
}

static const struct store_writer_events writer_events = {
	.stored = on_stored,
	.troubled = on_troubled,
	.recovered = on_recovered,
};

static void out_save(struct effects *effects, const struct store_change *change) {
	write_behind_add(&backplane_of(effects)->writer.write_behind, change);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void out_route(struct effects *effects, const struct module *module) {
	routes_change(backplane_of(effects), module);
}

static void out_publish(struct effects *effects, uint64_t version) {
	routes_publish(backplane_of(effects), version);
}

/* --- people ------------------------------------------------------------------------------------------------------- */

static void out_event(struct effects *effects, const struct control_event *event) {
	struct backplane *backplane = backplane_of(effects);
	if (event->deployment != NULL)
		log_info("%s: %s%s%s", event->deployment->key, event->runner ? event->runner->key : "",
			 event->runner ? ": " : "", event->cause.why);
	events_add_of_control(backplane, event);
	watch_event(backplane, event);
}

static void out_all_gone(struct effects *effects) {
	struct backplane *backplane = backplane_of(effects);
	backplane->stopping.state = STOPPED;
	loop_stop(&backplane->loop);
}

static const struct effects_ops ops = {
	.random = out_random,
	.wall_ms = out_wall_ms,
	.create = out_create,
	.destroy = out_destroy,
	.ping = out_ping,
	.deploy = out_deploy,
	.terminate = out_terminate,
	.forget = out_forget,
	.accept = out_accept,
	.refuse = out_refuse,
	.save = out_save,
	.route = out_route,
	.publish = out_publish,
	.event = out_event,
	.all_gone = out_all_gone,
};

/* --- no-op effects, used after shutdown or takeover ---------------------------------------------------------------- */

/* Connections still end, which are events: what they lead to is not done any more. */
static void mute(struct backplane *backplane) {
	static struct effects_ops mute_ops;
	mute_ops = effects_noop;
	mute_ops.random = out_random;
	mute_ops.wall_ms = out_wall_ms;
	backplane->effects.ops = &mute_ops;
}

static void close_channels(struct backplane *backplane) {
	for (size_t cursor = 0;;) {
		struct rpc_channel *channel = map_next(&backplane->runner_channels, &cursor);
		if (channel == NULL)
			break;
		rpc_channel_close(channel);
	}
	map_deinit(&backplane->runner_channels);
}

void effects_mute(struct backplane *backplane) {
	mute(backplane);
	close_channels(backplane);
	map_init(&backplane->runner_channels);
}

void effects_init(struct backplane *backplane) {
	backplane->effects.ops = &ops;
	store_writer_init(&backplane->writer, &backplane->loop, &backplane->store_queue, &writer_events);
	map_init(&backplane->runner_channels);
}

void effects_close(struct backplane *backplane) {
	store_writer_stop(&backplane->writer);
	close_channels(backplane);
	mute(backplane);
}

void effects_deinit(struct backplane *backplane) {
	store_writer_deinit(&backplane->writer);
}
