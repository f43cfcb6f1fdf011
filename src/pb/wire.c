/* SPDX-License-Identifier: Apache-2.0 */
#include "pb/wire.h"

enum { VARINT_MAX = 10 };

bool wire_take_varint(struct str *bytes, uint64_t *ret_value) {
	uint64_t value = 0;
	for (unsigned i = 0; i < MIN(bytes->len, (size_t)VARINT_MAX); i++) {
		unsigned char byte = (unsigned char)bytes->ptr[i];
		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if ((byte & 0x80) == 0) {
			*bytes = str_from_offset(*bytes, i + 1);
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool take_fixed(struct str *bytes, size_t size, uint64_t *ret_value) {
	if (bytes->len < size)
		return false;
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)(unsigned char)bytes->ptr[i] << (8 * i);
	*bytes = str_from_offset(*bytes, size);
	*ret_value = value;
	return true;
}

static bool take_value(struct str *bytes, struct wire_field *field) {
	switch (field->type) {
	case WIRE_VARINT:
		return wire_take_varint(bytes, &field->value);
	case WIRE_64:
		return take_fixed(bytes, 8, &field->value);
	case WIRE_32:
		return take_fixed(bytes, 4, &field->value);
	case WIRE_BYTES:
		if (!wire_take_varint(bytes, &field->value) || field->value > bytes->len)
			return false;
		field->bytes = str_new(bytes->ptr, (size_t)field->value);
		*bytes = str_from_offset(*bytes, (size_t)field->value);
		return true;
	}
	return false;
}

bool wire_take(struct str *bytes, struct wire_field *ret_field) {
	struct str rest = *bytes;
	struct wire_field field = {0};
	uint64_t tag;
	if (rest.len == 0 || !wire_take_varint(&rest, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF)
		return false;
	field.number = (unsigned)(tag >> 3);
	field.type = (enum wire_type)(tag & 7);
	if (!take_value(&rest, &field))
		return false;
	*bytes = rest;
	*ret_field = field;
	return true;
}

static size_t encode_varint(char ret_bytes[VARINT_MAX], uint64_t value) {
	size_t len = 0;
	for (; value > 0x7F; value >>= 7)
		ret_bytes[len++] = (char)(value | 0x80);
	ret_bytes[len++] = (char)value;
	return len;
}

int wire_put_varint(struct buf *buf, uint64_t value) {
	char bytes[VARINT_MAX];
	return buf_append(buf, str_new(bytes, encode_varint(bytes, value)));
}

int wire_put_tag(struct buf *buf, unsigned number, enum wire_type type) {
	return wire_put_varint(buf, (uint64_t)number << 3 | (unsigned)type);
}

int wire_put_fixed(struct buf *buf, uint64_t value, size_t size) {
	char bytes[8];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(value >> (8 * i));
	return buf_append(buf, str_new(bytes, size));
}

int wire_put_bytes(struct buf *buf, unsigned number, struct str bytes) {
	if (wire_put_tag(buf, number, WIRE_BYTES) < 0 || wire_put_varint(buf, bytes.len) < 0)
		return -1;
	return buf_append(buf, bytes);
}

int wire_wrap(struct buf *buf, size_t offset, unsigned number) {
	char before[2 * VARINT_MAX];
	size_t size = buf_len(buf) - offset;
	size_t len = encode_varint(before, (uint64_t)number << 3 | WIRE_BYTES);
	len += encode_varint(before + len, size);
	if (buf_reserve(buf, len) == NULL)
		return -1;
	char *start = buf->base + buf->read + offset;
	memmove(start + len, start, size);
	memcpy(start, before, len);
	buf_commit(buf, len);
	return 0;
}

struct str wire_type_name(struct str url) {
	const char *slash = url.len > 0 ? memrchr(url.ptr, '/', url.len) : NULL;
	return slash != NULL ? str_from_offset(url, (size_t)(slash - url.ptr) + 1) : url;
}
