/* SPDX-License-Identifier: Apache-2.0 */
/* The real effects of the Runner's agent: calls to the Backplane, the workload, the end of the loop. */
#pragma once

#include "runner/agent_effects.h"

/* Of a struct runner_process whose member `effects` they are. */
extern const struct agent_effects_ops runner_effects_ops;
