/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf-c recurses once for each level of nesting, and turns two bytes of an empty submessage into a struct. So
 * check() walks the bytes by the descriptors first, and an arena with a maximum gives the memory.
 */
#include "pb/pb.h"

#include "pb/wire.h"

size_t pb_arena_max(size_t size) {
	return size * 16 + KIB(64);
}

static int check(const ProtobufCMessageDescriptor *descriptor, struct str bytes, unsigned depth, struct error *err) {
	if (depth > PB_DEPTH_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s: messages are nested deeper than %d", descriptor->name,
				 PB_DEPTH_MAX);
	while (bytes.len > 0) {
		struct wire_field wire;
		if (!wire_take(&bytes, &wire))
			return error_set(err, CODE_INVALID_ARGUMENT, "%s: the message is malformed or cut short",
					 descriptor->name);
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(descriptor, wire.number);
		if (field == NULL || wire.type != WIRE_BYTES)
			continue;
		if (field->type == PROTOBUF_C_TYPE_STRING && !str_is_text(wire.bytes))
			return error_set(err, CODE_INVALID_ARGUMENT, "%s.%s: not UTF-8 text, or it has a NUL",
					 descriptor->name, field->name);
		if (field->type == PROTOBUF_C_TYPE_MESSAGE && check(field->descriptor, wire.bytes, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static void *allocate(void *arena, size_t size) {
	return arena_try_alloc(arena, size);
}

static void release(void *arena UNUSED, void *memory UNUSED) {
	/* The arena is freed as a whole. */
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
