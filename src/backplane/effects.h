/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effects of the control side (control/effects.h) as they really are: Platform, Runners, store, routes, services.
 * Each function starts something and returns; its result is a later event.
 */
#pragma once

#include "base/map.h"
#include "control/effects.h"

struct context;
struct platform_link;
struct route_builder;
struct services;
struct tls_config;

struct backplane_effects {
	struct effects effects;
	struct effects_ops muted; /* no-op effects with the real random and wall_ms */
	struct context *context;
	struct services *services;
	struct route_builder *routes;
	struct platform_link *platform;
	struct tls_config *const *client_tls; /* towards Runners; known once the ports are open */
	struct map runner_channels; /* struct rpc_channel by Runner's key */
};

/* The context is initialised afterwards, with effects.effects. */
void effects_init(struct backplane_effects *effects, struct context *context, struct services *services,
		  struct route_builder *routes, struct platform_link *platform, struct tls_config *const *client_tls);
/* No-op effects from now on: the Backplane stops, or another process has taken over. Closes the channels to Runners. */
void effects_mute(struct backplane_effects *effects);
void effects_deinit(struct backplane_effects *effects);
