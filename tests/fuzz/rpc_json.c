/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to protobuf and back. The first byte chooses the message and the first direction. A second round trip must give
 * the same text as the first.
 */
#include "fuzz.h"
#include "pb/json.h"
#include "rpc_world.h"

static const char *const names[] = {
	"connectrpc.conformance.v1.UnaryRequest",
	"connectrpc.conformance.v1.ConformancePayload",
	"connectrpc.conformance.v1.Error",
	"google.protobuf.Any",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1 || size > 1 << 16)
		return 0;
	const struct types *types = rpc_world_types();
	const struct type_message *type = types_message(types, str_from(names[(data[0] >> 1) % ARRAY_LEN(names)]));
	struct buf pb = BUF_INIT(1 << 20), json = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20),
		   last = BUF_INIT(1 << 20);
	struct str input = str_new(data + 1, size - 1);
	struct error err;
	int failed;
	if (data[0] & 1)
		failed = json_to_pb(types, type, input, &pb, &err);
	else
		failed = buf_append(&pb, input);
	if (!failed && json_from_pb(types, type, buf_view(&pb), &json, &err) == 0) {
		failed = json_to_pb(types, type, buf_view(&json), &again, &err);
		ASSERT(!failed);
		failed = json_from_pb(types, type, buf_view(&again), &last, &err);
		ASSERT(!failed && str_eq(buf_view(&json), buf_view(&last)));
	}
	buf_deinit(&pb);
	buf_deinit(&json);
	buf_deinit(&again);
	buf_deinit(&last);
	return 0;
}
