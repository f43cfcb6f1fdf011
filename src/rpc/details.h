/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The details of an error as gRPC carries them: a google.rpc.Status in the trailer "grpc-status-details-bin".
 */
#pragma once

#include "rpc/rpc.h"

/* The trailer's value. In the stream's arena. */
struct str details_to_grpc(struct rpc_stream *stream);

/* Adds what the trailer holds to the stream's details; what is malformed is left out. */
void details_from_grpc(struct rpc_stream *stream, struct str text);
