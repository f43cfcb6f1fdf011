/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All parts of a Backplane, for the two files that need them all: backplane.c, which starts and stops them, and
 * takeover/give.c, which hands them to another process. Every other file gets pointers to the parts that it uses.
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
#include "backplane/waiting.h"
#include "backplane/workers.h"
#include "net/stop_signals.h"

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
	struct types *types; /* descriptors of the wire contract, for JSON and reflection */
	struct offer *offer; /* set while this process takes over from another; else NULL */
	struct giver giver; /* hands this Backplane to the process that takes over */
	struct {
		struct stop_signals signals;
		struct timer limit; /* drain-timeout of DRAINING */
		struct waiting waiting;
	} stopping;
};
