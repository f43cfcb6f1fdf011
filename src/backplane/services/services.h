/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services that together implement BackplaneService on the control side. Each turns requests into events of the
 * control side, and events into responses.
 */
#pragma once

#include "backplane/services/events.h"
#include "backplane/services/logs.h"
#include "backplane/services/runners.h"
#include "backplane/services/schemas.h"
#include "backplane/services/stats.h"
#include "backplane/services/status.h"
#include "backplane/services/watch.h"

struct route_builder;

struct services {
	struct context *context;
	struct runners_service runners;
	struct watch_service watch;
	struct events_service events;
	struct logs_service logs;
	struct schemas_service schemas;
	struct stats_service stats;
	struct status_service status;
};

void services_init(struct services *services, struct context *context, const struct route_builder *routes,
		   const struct stats_registry *stats);
void services_deinit(struct services *services);
void services_add(struct services *services, struct rpc_server *server);
