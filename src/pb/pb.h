/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs and unpacks protobuf messages by protobuf-c, with the limits that protobuf-c lacks.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/error.h"

enum { PB_DEPTH_MAX = 64 };

/* Unpacks into arena. InvalidArgument, with the field: bytes are cut short or malformed, messages are nested deeper
 * than PB_DEPTH_MAX, a string is not UTF-8 or has a NUL, or the message needs more memory than the arena has left. */
int pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct str bytes, struct arena *arena,
	      ProtobufCMessage **ret_message, struct error *err);

/* Packs into arena. */
struct str pb_pack(const ProtobufCMessage *message, struct arena *arena);

/* The maximum of an arena for unpacking size bytes. */
size_t pb_arena_max(size_t size);
