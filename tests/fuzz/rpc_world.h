/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with the conformance suite's types, whose methods echo, and that is fed bytes through a socket.
 */
#pragma once

#include "base/str.h"

/* A whole life of a connection: the bytes in pieces of at most piece bytes, then the end. */
void rpc_world_feed(struct str bytes, size_t piece);

struct types *rpc_world_types(void);
