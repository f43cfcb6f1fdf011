/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/context.h"

#include "base/clock.h"
#include "router/route.h"

#define TO(state) (1u << (state))

static const unsigned allowed[BACKPLANE_STATE_COUNT] = {
	[BACKPLANE_SERVING] = TO(BACKPLANE_DRAINING) | TO(BACKPLANE_LEAVING) | TO(BACKPLANE_STOPPED),
	[BACKPLANE_DRAINING] = TO(BACKPLANE_ENDING),
	[BACKPLANE_ENDING] = TO(BACKPLANE_STOPPED),
	[BACKPLANE_LEAVING] = TO(BACKPLANE_STOPPED),
};

void context_set_state(struct context *context, enum backplane_state state) {
	ASSERT(allowed[context->state] & TO(state));
	context->state = state;
}

struct control *context_event(struct context *context) {
	uv_update_time(&context->loop.uv);
	control_advance(&context->control, loop_now_ms(&context->loop));
	return &context->control;
}

void context_event_done(struct context *context) {
	if (context->state == BACKPLANE_STOPPED || context->state == BACKPLANE_LEAVING)
		return;
	uint64_t due_ms = control_tick(&context->control), now_ms = context->control.time.now_ms;
	if (due_ms == UINT64_MAX)
		timer_stop(&context->loop, &context->tick);
	else
		timer_start(&context->loop, &context->tick, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_tick(struct timer *timer) {
	struct context *context = CONTAINER_OF(timer, struct context, tick);
	context_event(context);
	context_event_done(context);
}

void context_init(struct context *context, const struct backplane_options *options, struct effects *effects,
		  const struct store_writer_events *events) {
	struct control_config config = control_config_default;
	config.warm = options->warm;
	config.drain_timeout_ms = options->drain_timeout_ms;
	context->options = options;
	context->started_wall_ms = clock_wall_ms();
	context->tick.fire = on_tick;
	loop_init(&context->loop);
	loop_start_helpers(&context->loop);
	data_init(&context->data, &context->loop, events);
	context->routes = route_table_new();
	list_init(&context->pending);
	control_init(&context->control, &config, effects, loop_now_ms(&context->loop));
}

void context_deinit(struct context *context) {
	control_deinit(&context->control);
	route_table_unref(context->routes);
	data_deinit(&context->data);
	loop_deinit(&context->loop);
}
