/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observer that counts calls in the statistics of their verb (verb_stats.h), which stand beside the verb in the
 * routing table.
 */
#pragma once

#include "router/call_observer.h"

extern const struct call_observer stats_observer;
