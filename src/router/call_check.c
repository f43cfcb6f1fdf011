/* SPDX-License-Identifier: Apache-2.0 */
#include "router/call_check.h"

#include "base/reasons.h"
#include "pb/wire.h"
#include "router/call_headers.h"
#include "schema/json_check.h"
#include "schema/packed.h"

int call_check_declared(const struct route_table *routes, const struct http_headers *received, const char *verb,
			struct error *err) {
	struct str caller = call_headers_caller(received), caller_verb;
	struct str name = str_cut(caller, '.', &caller_verb);
	const struct route_module *module = caller.len > 0 ? route_table_find(routes, name) : NULL;
	if (module == NULL || !route_module_has(module, caller_verb) ||
	    route_module_may_call(module, caller_verb, str_from(verb)))
		return 0;
	error_set(err, CODE_PERMISSION_DENIED,
		  "%.*s may not call %s, as its schema does not declare the call; add to the verb %.*s: +calls %s",
		  STR_ARG(caller), verb, STR_ARG(caller_verb), verb);
	return error_set_reason(err, REASON_CALL_NOT_DECLARED);
}

/* The field `bytes body = 3` of a CallRequest; of several the last one counts. */
static struct str find_body(struct str message) {
	struct str body = STR("");
	for (struct wire_field field; wire_take(&message, &field);)
		if (field.type == WIRE_BYTES && field.number == 3)
			body = field.bytes;
	return body;
}

static const struct schema_module *find_model(void *owner, const char *name) {
	const struct route_table *routes = owner;
	const struct route_module *module = route_table_find(routes, str_from(name));
	return module != NULL && module->schema != NULL ? packed_schema_module(module->schema) : NULL;
}

static int not_exported(const struct route_module *module, struct str verb, struct error *err) {
	error_set(err, CODE_NOT_FOUND, "%.*s.%.*s is not exported; write \"export verb %.*s\" in its schema",
		  STR_ARG(module->name), STR_ARG(verb), STR_ARG(verb));
	return error_set_reason(err, REASON_NOT_EXPORTED);
}

int call_check_request(const struct route_table *routes, const struct route_module *module, struct str verb,
		       struct str message, bool exported_only, struct error *err) {
	if (module->schema == NULL)
		return 0;
	const struct schema_module *model = packed_schema_module(module->schema);
	const struct schema_decl *decl = NULL;
	while ((decl = schema_next_verb(model, decl)) != NULL && !str_eq_c(verb, decl->name))
		;
	if (decl != NULL && exported_only && !decl->exported)
		return not_exported(module, verb, err);
	struct str body = find_body(message);
	if (decl == NULL || (body.len == 0 && decl->verb.request.kind == SCHEMA_UNIT))
		return 0;
	const struct schema_json json = {.module = model,
					 .find = find_model,
					 .owner = (struct route_table *)routes,
					 .root = "request"};
	return schema_check_json(&json, &decl->verb.request, body, err);
}
