/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect's two codecs: streams, and unary calls as plain HTTP.
 */
#pragma once

#include "rpc/rpc.h"

extern const struct rpc_codec connect_codec, connect_plain_codec;

/* Server: parses "Connect-Timeout-Ms", at most ten digits. */
bool connect_parse_timeout(struct str text, uint64_t *ret_ms);
