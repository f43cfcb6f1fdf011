/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PublishLogs and StreamLogs. The service of the methods is the Backplane.
 */
#pragma once

#include "rpc/server.h"

struct backplane;

extern const struct rpc_method log_methods[];
extern const size_t log_method_count;
void service_logs_init(struct backplane *backplane);
