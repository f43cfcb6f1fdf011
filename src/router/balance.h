/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which replica of a module a call goes to. Knows no call and no worker: a number drawn at random and the time are
 * passed in.
 */
#pragma once

#include "router/route.h"

/* module has a replica. tried: the one that refused the call just now, or NULL; it is avoided when there is another.
 * *ret_trial: an ejected replica was chosen, which readmits it if it answers well. */
const struct route_replica *balance_pick(const struct route_module *module, const struct route_replica *tried,
					 uint64_t random, uint64_t now_ms, bool *ret_trial);
