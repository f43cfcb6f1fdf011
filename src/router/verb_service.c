/* SPDX-License-Identifier: Apache-2.0 */
#include "router/verb_service.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ftl.pb-c.h"
#include "router/call.h"
#include "rpc/unary.h"

static void on_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	Ftl__PingResponse response;
	ftl__ping_response__init(&response);
	rpc_unary_reply(unary, &response.base);
}

static void on_list(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct worker *worker = unary->service;
	size_t count = 0, cursor = 0;
	for (const struct route_module *module; (module = route_table_next(worker->routes, &cursor)) != NULL;)
		count += module->verb_count;
	Schema__VerbRef *refs = mem_alloc((count + 1) * sizeof *refs);
	Schema__VerbRef **list = mem_alloc((count + 1) * sizeof *list);
	size_t at = 0;
	cursor = 0;
	for (const struct route_module *module; (module = route_table_next(worker->routes, &cursor)) != NULL;) {
		for (size_t i = 0; i < module->verb_count; i++, at++) {
			schema__verb_ref__init(&refs[at]);
			refs[at].module = (char *)module->name.ptr;
			refs[at].name = (char *)module->verbs[i].ptr;
			list[at] = &refs[at];
		}
	}
	Ftl__ListResponse response;
	ftl__list_response__init(&response);
	response.n_verbs = count;
	response.verbs = list;
	rpc_unary_reply(unary, &response.base);
	free(list);
	free(refs);
}

static const struct rpc_method methods[] = {
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = call_start},
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", on_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/List", on_list, ftl__list_request__descriptor),
};

const struct worker_methods verb_service = {methods, ARRAY_LEN(methods)};
