/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/details.h"

#include "base/base64.h"
#include "pb/wire.h"

/* google.rpc.Status and google.protobuf.Any. */
enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3, ANY_TYPE_URL = 1, ANY_VALUE = 2 };

struct str details_to_grpc(struct rpc_stream *stream, struct str message) {
	struct buf status = BUF_INIT(RPC_DETAILS_MAX * 4 + KIB(16));
	struct arena *arena = &stream->http.arena;
	int over = wire_put_tag(&status, STATUS_CODE, WIRE_VARINT) | wire_put_varint(&status, stream->status) |
		   wire_put_bytes(&status, STATUS_MESSAGE, message);
	for (size_t i = 0; i < stream->details.count; i++) {
		const struct rpc_detail *detail = &stream->details.items[i];
		size_t offset = buf_len(&status);
		struct str url = str_from(arena_printf(arena, "type.googleapis.com/%.*s", STR_ARG(detail->type)));
		over |= wire_put_bytes(&status, ANY_TYPE_URL, url) | wire_put_bytes(&status, ANY_VALUE, detail->value) |
			wire_wrap(&status, offset, STATUS_DETAILS);
	}
	ASSERT(over == 0);
	struct str text = base64_encode_in(arena, buf_view(&status), BASE64_UNPADDED);
	buf_deinit(&status);
	return text;
}

static void add_any(struct rpc_stream *stream, struct str any) {
	struct str url = {0}, value = STR("");
	struct wire_field field;
	while (wire_take(&any, &field)) {
		if (field.number == ANY_TYPE_URL && field.type == WIRE_BYTES)
			url = field.bytes;
		else if (field.number == ANY_VALUE && field.type == WIRE_BYTES)
			value = field.bytes;
	}
	if (url.len > 0)
		rpc_add_detail(stream, wire_type_name(url), value);
}

/* Whether whole is the text that was cut for the header. */
static bool continues(const struct rpc_stream *stream, struct str whole) {
	static const struct str mark = STR_INIT("\xE2\x80\xA6"); /* "…" */
	struct str text = stream->status_text;
	if (text.len < mark.len || !str_eq(str_from_offset(text, text.len - mark.len), mark))
		return false;
	return whole.len > text.len && str_starts_with(whole, str_new(text.ptr, text.len - mark.len));
}

void details_from_grpc(struct rpc_stream *stream, struct str text) {
	struct str status;
	struct wire_field field;
	stream->details.count = 0;
	if (!base64_decode_in(&stream->http.arena, text, &status))
		return;
	while (wire_take(&status, &field)) {
		if (field.number == STATUS_DETAILS && field.type == WIRE_BYTES)
			add_any(stream, field.bytes);
		else if (field.number == STATUS_MESSAGE && field.type == WIRE_BYTES && continues(stream, field.bytes))
			rpc_set_status(stream, stream->status, field.bytes);
	}
}
