/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the schemas say of a call before it goes to a Runner.
 */
#pragma once

#include "router/route.h"

struct http_headers;

/* A verb may call what its schema declares. A caller that the routing table does not know may call anything. */
int call_check_declared(const struct route_table *routes, const struct http_headers *received, const char *verb,
			struct error *err);

/* message: the whole CallRequest, for verb of module; its body must be JSON that the verb takes. For requests that came
 * as JSON: those are of a browser, a script or a person. All others pass unopened, and their verb says what is wrong.
 * exported_only: a verb that is not exported is NotFound, with the reason NOT_EXPORTED. */
int call_check_request(const struct route_table *routes, const struct route_module *module, struct str verb,
		       struct str message, bool exported_only, struct error *err);
