/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf messages from and to bytes, by protobuf-c, with the limits that it does not have itself.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/error.h"

enum { PB_DEPTH_MAX = 64 };

/* Unpacks into arena. Refused, with InvalidArgument and the field at fault: what is cut short or malformed, messages
 * nested deeper than PB_DEPTH_MAX, text that is not UTF-8 or has a NUL, and what would take more memory than the
 * arena has left. */
int pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct str bytes, struct arena *arena,
	      ProtobufCMessage **ret_message, struct error *err);

/* Packs into arena. */
struct str pb_pack(const ProtobufCMessage *message, struct arena *arena);

/* The memory that unpacking size bytes may take. */
size_t pb_arena_max(size_t size);
