/* SPDX-License-Identifier: Apache-2.0 */
/* What a Runner serves: RunnerService for the Backplane, and VerbService for what it hosts. */
#pragma once

#include "rpc/server.h"

struct runner_process;

/* Adds both to runner->server. */
void runner_add_services(struct runner_process *runner);
