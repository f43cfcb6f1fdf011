/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WatchDeployment: sends the past steps of a deployment, then each further one, until the deployment is live or has
 * ended.
 */
#pragma once

#include "base/list.h"
#include "rpc/server.h"

struct context;
struct control_event;

struct watch_service {
	struct context *context;
	struct list watchers; /* struct watcher */
	struct list histories; /* struct history, the one that changed last at the end */
	size_t history_count;
};

void watch_service_init(struct watch_service *service, struct context *context);
void watch_service_deinit(struct watch_service *service);
void watch_service_add(struct watch_service *service, struct rpc_server *server);

/* Effect: an event of the control side, which may be a step of a deployment. */
void watch_service_event(struct watch_service *service, const struct control_event *event);
