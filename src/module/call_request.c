/* SPDX-License-Identifier: Apache-2.0 */
#include "module/call_request.h"

#include "pb/wire.h"

/* Fields of CallRequest and of VerbRef. */
enum { CALL_VERB = 2, CALL_BODY = 3, REF_NAME = 2, REF_MODULE = 3 };

static int malformed(const char *message, struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT, "%s: the message is malformed or cut short", message);
}

static int read_target(struct str bytes, struct call_request *request, struct error *err) {
	request->has_target = true;
	while (bytes.len > 0) {
		struct wire_field field;
		if (!wire_take(&bytes, &field))
			return malformed("VerbRef", err);
		if (field.type != WIRE_BYTES || (field.number != REF_NAME && field.number != REF_MODULE))
			continue;
		if (!str_is_text(field.bytes))
			return error_set(err, CODE_INVALID_ARGUMENT, "VerbRef.%s: not UTF-8 text, or it has a NUL",
					 field.number == REF_NAME ? "name" : "module");
		*(field.number == REF_NAME ? &request->verb : &request->module) = field.bytes;
	}
	return 0;
}

int call_request_read(struct str bytes, struct call_request *ret_request, struct error *err) {
	struct call_request request = {.body = STR("")};
	while (bytes.len > 0) {
		struct wire_field field;
		if (!wire_take(&bytes, &field))
			return malformed("CallRequest", err);
		if (field.type == WIRE_BYTES && field.number == CALL_BODY)
			request.body = field.bytes;
		else if (field.type == WIRE_BYTES && field.number == CALL_VERB &&
			 read_target(field.bytes, &request, err) < 0)
			return -1;
	}
	*ret_request = request;
	return 0;
}
