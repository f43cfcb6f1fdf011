/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PullSchema: sends the schemas of the active deployments, then each change, until the client closes the stream.
 */
#pragma once

#include "backplane/services/schema_feed.h"
#include "rpc/server.h"

struct schemas_service {
	struct schema_feed feed;
	struct list pullers; /* struct puller */
};

void schemas_service_init(struct schemas_service *service);
void schemas_service_deinit(struct schemas_service *service);
void schemas_service_add(struct schemas_service *service, struct rpc_server *server);

/* Sends the changes. Called once every worker routes to the deployments whose schemas are in the feed. */
void schemas_service_published(struct schemas_service *service);
