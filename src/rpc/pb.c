/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf-c recurses once for each level of nesting, and turns two bytes of an empty submessage into a struct. So
 * the bytes are walked first, by the descriptors, and the memory comes from an arena that ends.
 */
#include "rpc/pb.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

size_t pb_arena_max(size_t size) {
	return size * 16 + KIB(64);
}

static bool take_varint(struct str *bytes, uint64_t *ret_value) {
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (bytes->len == 0)
			return false;
		unsigned char byte = (unsigned char)bytes->ptr[0];
		*bytes = str_from_offset(*bytes, 1);
		value |= (uint64_t)(byte & 0x7F) << shift;
		if ((byte & 0x80) == 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* Takes the value of a field off bytes; *ret_value is what it shows, for WIRE_BYTES. */
static bool take_value(struct str *bytes, unsigned wire_type, struct str *ret_value) {
	uint64_t number = 0;
	switch (wire_type) {
	case WIRE_VARINT:
		return take_varint(bytes, &number);
	case WIRE_64:
		number = 8;
		break;
	case WIRE_32:
		number = 4;
		break;
	case WIRE_BYTES:
		if (!take_varint(bytes, &number))
			return false;
		break;
	default:
		return false;
	}
	if (number > bytes->len)
		return false;
	*ret_value = str_new(bytes->ptr, (size_t)number);
	*bytes = str_from_offset(*bytes, (size_t)number);
	return true;
}

static int check(const ProtobufCMessageDescriptor *descriptor, struct str bytes, unsigned depth, struct error *err) {
	if (depth > PB_DEPTH_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s: messages are nested deeper than %d", descriptor->name,
				 PB_DEPTH_MAX);
	while (bytes.len > 0) {
		uint64_t tag;
		struct str value = {0};
		if (!take_varint(&bytes, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF || !take_value(&bytes, tag & 7, &value))
			return error_set(err, CODE_INVALID_ARGUMENT, "%s: the message is malformed or cut short", descriptor->name);
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
		if (field == NULL || (tag & 7) != WIRE_BYTES)
			continue;
		if (field->type == PROTOBUF_C_TYPE_STRING && !str_is_text(value))
			return error_set(err, CODE_INVALID_ARGUMENT, "%s.%s: not UTF-8 text, or it has a NUL", descriptor->name,
					 field->name);
		if (field->type == PROTOBUF_C_TYPE_MESSAGE && check(field->descriptor, value, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static void *allocate(void *arena, size_t size) {
	return arena_try_alloc(arena, size);
}

static void release(void *arena UNUSED, void *memory UNUSED) {
	/* The arena goes as a whole. */
}

int pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct str bytes, struct arena *arena,
	      ProtobufCMessage **ret_message, struct error *err) {
	if (check(descriptor, bytes, 1, err) < 0)
		return -1;
	ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = arena};
	ProtobufCMessage *message =
		protobuf_c_message_unpack(descriptor, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
	if (message == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: the message is malformed, or %zu bytes of it would take more than %zu of memory",
				 descriptor->name, bytes.len, arena->max);
	*ret_message = message;
	return 0;
}

struct str pb_pack(const ProtobufCMessage *message, struct arena *arena) {
	size_t size = protobuf_c_message_get_packed_size(message);
	char *bytes = arena_alloc(arena, size);
	protobuf_c_message_pack(message, (uint8_t *)bytes);
	return str_new(bytes, size);
}
