/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs of modules: PublishLogs receives lines from Runners, StreamLogs sends them to clients.
 */
#pragma once

#include "base/list.h"
#include "rpc/server.h"

struct context;
struct log_files;

struct logs_service {
	struct context *context;
	struct log_files *files;
	struct list followers; /* struct follower, of requests with `follow` */
};

enum follower_state { FOLLOWER_READING, FOLLOWER_FOLLOWING, FOLLOWER_ENDED, FOLLOWER_STATE_COUNT };

/* Asserts that the diagram has the transition. */
void follower_state_change(enum follower_state *state, enum follower_state next);

/* The owner sets files once the data folder is open. */
void logs_service_init(struct logs_service *service, struct context *context);
void logs_service_add(struct logs_service *service, struct rpc_server *server);
