/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/error_info.h"

#include "base/reasons.h"
#include "pb/wire.h"

enum { INFO_REASON = 1, INFO_DOMAIN = 2 };

enum { INFO_MAX = 2 * (ERROR_REASON_MAX + 2) /* of the two fields, with tag and length */ };

struct str error_info_encode(struct arena *arena, const char *reason) {
	struct buf info = BUF_INIT(INFO_MAX);
	int over = wire_put_bytes(&info, INFO_REASON, str_from(reason)) |
		   wire_put_bytes(&info, INFO_DOMAIN, STR(REASON_DOMAIN));
	ASSERT(over == 0);
	struct str copy = arena_copy(arena, buf_view(&info));
	buf_deinit(&info);
	return copy;
}

/* "UPPER_SNAKE_CASE", as google.rpc.ErrorInfo wants it: the text comes from a peer, and people may get to see it. */
static bool is_reason(struct str text) {
	if (text.len == 0 || text.len >= ERROR_REASON_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}

bool error_info_decode(struct str value, char ret_reason[ERROR_REASON_MAX]) {
	struct str reason = STR(""), domain = STR("");
	struct wire_field field;
	while (wire_take(&value, &field)) {
		if (field.number == INFO_REASON && field.type == WIRE_BYTES)
			reason = field.bytes;
		else if (field.number == INFO_DOMAIN && field.type == WIRE_BYTES)
			domain = field.bytes;
	}
	if (value.len > 0 || !str_eq(domain, STR(REASON_DOMAIN)) || !is_reason(reason))
		return false;
	memcpy(ret_reason, reason.ptr, reason.len);
	ret_reason[reason.len] = '\0';
	return true;
}
