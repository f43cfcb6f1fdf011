/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real effects of the control side (control/effects.h): on the Platform, Runners, the store, routes and services.
 * Each function starts an operation and returns; the result comes as a later event.
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
	struct tls_config *const *client_tls; /* for connections to Runners; set once the ports are open */
	struct map runner_channels; /* struct rpc_channel by the Runner's key */
};

/* Called before context_init, which gets effects->effects. */
void effects_init(struct backplane_effects *effects, struct context *context, struct services *services,
		  struct route_builder *routes, struct platform_link *platform, struct tls_config *const *client_tls);
/* Switches to the no-op effects and closes the channels to Runners: the Backplane has stopped, or another process has
 * taken over. */
void effects_mute(struct backplane_effects *effects);
void effects_deinit(struct backplane_effects *effects);
