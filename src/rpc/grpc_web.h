/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC-Web's codec.
 */
#pragma once

#include "rpc/rpc.h"

extern const struct rpc_codec grpc_web_codec;
