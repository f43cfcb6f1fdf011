/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions stand in the order of struct effects_ops.
 */
#include "backplane/effects.h"

#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "backplane/platform_link.h"
#include "backplane/route_builder.h"
#include "backplane/services/services.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "rpc/unary.h"

static struct backplane_effects *own(struct effects *effects) {
	return CONTAINER_OF(effects, struct backplane_effects, effects);
}

static uint64_t out_random(struct effects *effects UNUSED) {
	return random_u64();
}

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return clock_wall_ms();
}

/* --- the Platform ------------------------------------------------------------------------------------------------- */

static void out_create(struct effects *effects, const char *runner_key, const char *language) {
	log_debug("starting the Runner %s", runner_key);
	failpoint(FAILPOINT_RUNNER_CREATING);
	platform_link_create(own(effects)->platform, runner_key, language);
}

static void out_destroy(struct effects *effects, const char *runner_key) {
	platform_link_destroy(own(effects)->platform, runner_key);
}

/* --- Runners ------------------------------------------------------------------------------------------------------ */

static struct rpc_channel *channel_to(struct backplane_effects *effects, const struct runner *runner) {
	struct rpc_channel *channel = map_get(&effects->runner_channels, str_from(runner->key));
	if (channel != NULL)
		return channel;
	struct endpoint endpoint;
	struct error err;
	int failed = endpoint_parse(str_from(runner->endpoint), &endpoint, &err);
	ASSERT(failed == 0); /* it was checked when the Runner registered */
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = 0; /* the state machines decide when to try again */
	options.tls = *effects->client_tls;
	channel = rpc_channel_new(&effects->context->loop, &endpoint, &options);
	map_put(&effects->runner_channels, str_from(runner->key), channel);
	return channel;
}

struct runner_call {
	struct context *context;
	char runner_key[KEY_MAX];
	uint64_t serial, attempt;
};

static struct runner_call *runner_call_new(struct context *context, const struct runner *runner) {
	struct runner_call *call = mem_zalloc(sizeof *call);
	call->context = context;
	snprintf(call->runner_key, sizeof call->runner_key, "%s", runner->key);
	call->serial = runner->serial;
	call->attempt = runner->attempt;
	return call;
}

static void on_pinged(void *owner, const ProtobufCMessage *response, const struct error *err) {
	struct runner_call *call = owner;
	struct control *control = context_event(call->context);
	if (err == NULL)
		control_runner_trouble(control, call->runner_key, call->serial,
				       ((const Ftl__PingResponse *)response)->trouble);
	control_pinged(control, call->runner_key, call->serial, err);
	context_event_done(call->context);
	free(call);
}

static void out_ping(struct effects *effects, const struct runner *runner, uint64_t timeout_ms) {
	Ftl__PingRequest request;
	ftl__ping_request__init(&request);
	rpc_unary_call(channel_to(own(effects), runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Ping",
						   .timeout_ms = timeout_ms,
						   .response = &ftl__ping_response__descriptor,
						   .done = on_pinged,
						   .owner = runner_call_new(own(effects)->context, runner)},
		       &request.base);
}

static void on_deploy_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct runner_call *call = owner;
	failpoint(FAILPOINT_DEPLOY_ANSWERED);
	control_deploy_answered(context_event(call->context), call->runner_key, call->serial, call->attempt, err);
	context_event_done(call->context);
	free(call);
}

static void out_deploy(struct effects *effects, const struct runner *runner, const struct deployment *deployment) {
	Ftl__DeployRequest request;
	ftl__deploy_request__init(&request);
	request.deployment_key = (char *)deployment->key;
	request.attempt = runner->attempt;
	rpc_unary_call(channel_to(own(effects), runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Deploy",
						   .timeout_ms = DEPLOY_ANSWER_MS,
						   .response = &ftl__deploy_response__descriptor,
						   .done = on_deploy_answered,
						   .owner = runner_call_new(own(effects)->context, runner)},
		       &request.base);
	failpoint(FAILPOINT_DEPLOY_SENT);
}

static void on_terminate_answered(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct runner_call *call = owner;
	failpoint(FAILPOINT_TERMINATE_ANSWERED);
	/* Ignore the reply: exit is reported separately and has its own timeout. */
	if (err != NULL && err->code != CODE_CANCELLED)
		log_failure(LOG_DEBUG, err, "could not tell the Runner %s to terminate", call->runner_key);
	free(call);
}

static void out_terminate(struct effects *effects, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms) {
	Ftl__TerminateRequest request;
	ftl__terminate_request__init(&request);
	request.deployment_key = (char *)(deployment_key ? deployment_key : "");
	request.grace_ms = grace_ms;
	rpc_unary_call(channel_to(own(effects), runner),
		       &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.RunnerService/Terminate",
						   .timeout_ms = TERMINATE_ANSWER_MS,
						   .response = &ftl__terminate_response__descriptor,
						   .done = on_terminate_answered,
						   .owner = runner_call_new(own(effects)->context, runner)},
		       &request.base);
	failpoint(FAILPOINT_TERMINATE_SENT);
}

static void out_forget(struct effects *effects, const struct runner *runner) {
	struct backplane_effects *self = own(effects);
	rpc_channel_close(map_remove(&self->runner_channels, str_from(runner->key)));
	if (runner->liveness.registration != 0) {
		struct error err;
		error_set(&err, CODE_UNAVAILABLE, "the Backplane has given up the Runner %s", runner->key);
		runners_service_refuse(&self->services->runners, runner->liveness.registration, &err);
	}
	route_builder_forget(self->routes, runner);
}

static void out_accept(struct effects *effects, uint64_t registration, const struct runner *runner) {
	log_debug("registered the Runner %s for %s at %s", runner->key, runner->language, runner->endpoint);
	runners_service_accept(&own(effects)->services->runners, registration, runner);
}

static void out_refuse(struct effects *effects, uint64_t registration, const struct error *why) {
	log_failure(LOG_WARN, why, "refused a Runner");
	runners_service_refuse(&own(effects)->services->runners, registration, why);
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

static void out_save(struct effects *effects, const struct store_change *change) {
	write_behind_add(&own(effects)->context->data.writer.write_behind, change);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void out_route(struct effects *effects, const struct module *module) {
	route_builder_change(own(effects)->routes, module);
}

static void out_publish(struct effects *effects, uint64_t version) {
	route_builder_publish(own(effects)->routes, version);
}

/* --- events and the end ------------------------------------------------------------------------------------------- */

/* A change that a person wants to see has one line: that it is done, or that it failed. The steps on the way, which
 * `ftl deploy` and `ftl events` show, are for debugging. */
static enum log_level level_of(enum event_kind kind) {
	switch (kind) {
	case EVENT_DEPLOYMENT_LIVE:
	case EVENT_DEPLOYMENT_STOPPED:
	case EVENT_DEPLOYMENT_SCALED:
		return LOG_INFO;
	case EVENT_RUNNER_SILENT:
	case EVENT_RUNNER_LOST:
	case EVENT_DEPLOYMENT_FAILED:
	case EVENT_DEPLOYMENT_BACKING_OFF:
	case EVENT_DEPLOYMENT_REPLICA_FAILED:
		return LOG_WARN;
	case EVENT_BACKPLANE_STARTED:
	case EVENT_BACKPLANE_STOPPING:
	case EVENT_BACKPLANE_CANNOT_WRITE:
	case EVENT_BACKPLANE_WRITES_AGAIN:
	case EVENT_RUNNER_CREATING:
	case EVENT_RUNNER_PROBING:
	case EVENT_RUNNER_IDLE:
	case EVENT_RUNNER_DEPLOYING:
	case EVENT_RUNNER_ALIVE:
	case EVENT_RUNNER_DRAINING:
	case EVENT_RUNNER_KILLED:
	case EVENT_RUNNER_ENDED:
	case EVENT_DEPLOYMENT_CREATED:
	case EVENT_DEPLOYMENT_ROLLED_BACK:
	case EVENT_DEPLOYMENT_DRAINING:
		break;
	}
	return LOG_DEBUG;
}

static void out_event(struct effects *effects, const struct control_event *event) {
	struct services *services = own(effects)->services;
	if (event->deployment != NULL)
		log_write(level_of(event->kind), "%s: %s%s%s", event->deployment->key,
			  event->runner ? event->runner->key : "", event->runner ? ": " : "", event->cause.why);
	events_service_control(&services->events, event);
	watch_service_event(&services->watch, event);
}

static void out_all_gone(struct effects *effects) {
	struct context *context = own(effects)->context;
	context_set_state(context, BACKPLANE_STOPPED);
	loop_stop(&context->loop);
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

/* --- life --------------------------------------------------------------------------------------------------------- */

static void close_channels(struct backplane_effects *effects) {
	for (size_t cursor = 0;;) {
		struct rpc_channel *channel = map_next(&effects->runner_channels, &cursor);
		if (channel == NULL)
			break;
		rpc_channel_close(channel);
	}
	map_deinit(&effects->runner_channels);
	map_init(&effects->runner_channels);
}

void effects_mute(struct backplane_effects *effects) {
	effects->effects.ops = &effects->muted;
	close_channels(effects);
}

void effects_init(struct backplane_effects *effects, struct context *context, struct services *services,
		  struct route_builder *routes, struct platform_link *platform, struct tls_config *const *client_tls) {
	*effects = (struct backplane_effects){
		.effects.ops = &ops,
		.context = context,
		.services = services,
		.routes = routes,
		.platform = platform,
		.client_tls = client_tls,
	};
	/* Connections that end after effects_mute are events, which need random keys and the time. */
	effects->muted = effects_noop;
	effects->muted.random = out_random;
	effects->muted.wall_ms = out_wall_ms;
	map_init(&effects->runner_channels);
}

void effects_deinit(struct backplane_effects *effects) {
	map_deinit(&effects->runner_channels);
}
