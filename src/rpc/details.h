/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The details of an error in gRPC: a google.rpc.Status in the trailer "grpc-status-details-bin".
 */
#pragma once

#include "rpc/rpc.h"

/* The trailer's value, in the stream's arena. */
struct str details_to_grpc(struct rpc_stream *stream, struct str message);

/* Replaces the stream's details by those of the trailer; ignores what is malformed. */
void details_from_grpc(struct rpc_stream *stream, struct str message);
