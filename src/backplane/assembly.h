/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All parts of a Backplane, for the files that put them together (backplane.c) and hand them over (takeover/give.c). No
 * other file knows more than the parts that it is given.
 */
#pragma once

#include "backplane/context.h"
#include "backplane/control_server.h"
#include "backplane/effects.h"
#include "backplane/platform_link.h"
#include "backplane/ports.h"
#include "backplane/route_builder.h"
#include "backplane/services/services.h"
#include "backplane/takeover/give.h"
#include "backplane/workers.h"

struct offer;
struct types;

struct backplane {
	struct context context;
	struct backplane_effects effects;
	struct services services;
	struct route_builder routes;
	struct stats_registry stats;
	struct platform_link platform;
	struct ports ports;
	struct workers workers;
	struct control_server server;
	struct types *types; /* of the wire contract */
	struct offer *offer; /* while this process takes over from another; else NULL */
	struct giver giver; /* to the process that takes over from this one */
	struct {
		uv_signal_t terminate, interrupt;
		struct timer limit; /* of DRAINING */
	} stopping;
};
