/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call as plain HTTP, without an envelope: POST /call/MODULE.VERB. The body is the request as JSON, whatever its
 * content type says, as curl and forms name another one by default; the body of the answer is the response.
 *
 * An error is an HTTP status by its code (rpc/content.h) and {"code":…,"message":…,"reason":…}; so is a verb that
 * failed. Verbs that are not exported cannot be called in this way.
 */
#pragma once

#include "rpc/server.h"

/* Its service is the worker. */
extern const struct rpc_route plain_call_route;
