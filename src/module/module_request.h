/* SPDX-License-Identifier: Apache-2.0 */
/* Receives the request of a VerbService.Call, checks it, and runs the verb that it names. */
#pragma once

#include "module/module_call.h"

/* Takes over the stream. */
void module_request_receive(struct module_host *host, struct rpc_stream *stream);

/* NULL: the module has no verb of that name. */
const struct ftl_verb *module_find_verb(const struct ftl_module *module, struct str name);
