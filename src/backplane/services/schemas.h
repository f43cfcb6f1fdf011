/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PullSchema: the schemas of the active deployments, then each change, for as long as the client reads.
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

/* Every worker has the routes to the schemas in the feed: sends the changes. */
void schemas_service_published(struct schemas_service *service);
