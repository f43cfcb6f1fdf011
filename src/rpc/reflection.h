/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's server reflection, v1 and v1alpha: lists services and types for clients such as grpcurl.
 */
#pragma once

#include "pb/types.h"
#include "rpc/server.h"

struct rpc_reflection;

/* The descriptors of this folder's services, reflection and health: a set for types_new. */
extern const struct str rpc_own_descriptors;

/* Adds both services to a server. Lists the services that types knows and whose methods the server takes. Borrows
 * types. */
struct rpc_reflection *rpc_reflection_new(struct rpc_server *server, const struct types *types);
void rpc_reflection_free(struct rpc_reflection *reflection);
