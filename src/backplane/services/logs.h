/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PublishLogs and StreamLogs. The service of the methods is the Backplane.
 */
#pragma once

#include "rpc/server.h"

struct backplane;

extern const struct rpc_method log_methods[];
extern const size_t log_method_count;

enum follower_state { FOLLOWER_READING, FOLLOWER_FOLLOWING, FOLLOWER_ENDED, FOLLOWER_STATE_COUNT };

/* Asserts that the next state may follow. */
void follower_state_change(enum follower_state *state, enum follower_state next);

void service_logs_init(struct backplane *backplane);
