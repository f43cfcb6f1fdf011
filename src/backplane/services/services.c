/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/services.h"

#include "backplane/services/artefacts.h"
#include "backplane/services/create_deployment.h"
#include "backplane/services/deployments.h"
#include "backplane/services/log_files.h"
#include "backplane/services/modules.h"

void services_init(struct services *services, struct context *context, const struct route_builder *routes,
		   const struct stats_registry *stats) {
	services->context = context;
	services->stats = (struct stats_service){.context = context, .registry = stats};
	services->status = (struct status_service){.context = context, .routes = routes};
	runners_service_init(&services->runners, context);
	watch_service_init(&services->watch, context);
	events_service_init(&services->events, context);
	logs_service_init(&services->logs, context);
	schemas_service_init(&services->schemas);
}

void services_deinit(struct services *services) {
	runners_service_deinit(&services->runners);
	watch_service_deinit(&services->watch);
	schemas_service_deinit(&services->schemas);
	log_files_close(services->logs.files);
}

void services_add(struct services *services, struct rpc_server *server) {
	artefacts_service_add(services->context, server);
	creation_service_add(services->context, server);
	deployments_service_add(services->context, server);
	modules_service_add(services->context, server);
	runners_service_add(&services->runners, server);
	watch_service_add(&services->watch, server);
	events_service_add(&services->events, server);
	logs_service_add(&services->logs, server);
	schemas_service_add(&services->schemas, server);
	stats_service_add(&services->stats, server);
	status_service_add(&services->status, server);
}
