/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's wire format, field by field, without a descriptor.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* The tag byte of a field whose number is below 16. */
#define WIRE_TAG(number, type) ((number) << 3 | (type))

struct wire_field {
	unsigned number;
	enum wire_type type;
	uint64_t value; /* WIRE_VARINT, WIRE_64, WIRE_32 */
	struct str bytes; /* WIRE_BYTES */
};

/* Takes a field off the front. False: bytes are empty, or malformed and then not empty. Groups, which proto3 does not
 * have, are malformed. */
bool wire_take(struct str *bytes, struct wire_field *ret_field);
bool wire_take_varint(struct str *bytes, uint64_t *ret_value);

/* These return 0, or -1 past the buffer's maximum. */
int wire_put_varint(struct buf *buf, uint64_t value) MUST_USE;
int wire_put_tag(struct buf *buf, unsigned number, enum wire_type type) MUST_USE;
int wire_put_fixed(struct buf *buf, uint64_t value, size_t size) MUST_USE; /* 4 or 8 bytes */
int wire_put_bytes(struct buf *buf, unsigned number, struct str bytes) MUST_USE;
/* Makes the bytes behind offset the content of a field: inserts its tag and length before them. */
int wire_wrap(struct buf *buf, size_t offset, unsigned number) MUST_USE;

/* The full name of a message by the type URL of a google.protobuf.Any: what is behind the last slash. */
struct str wire_type_name(struct str url);
