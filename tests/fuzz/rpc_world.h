/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with the conformance suite's types and methods that echo, fed with bytes through a socket.
 */
#pragma once

#include "base/str.h"

/* Opens a connection, sends bytes in pieces of at most piece bytes, and closes it. */
void rpc_world_feed(struct str bytes, size_t piece);

struct types *rpc_world_types(void);
