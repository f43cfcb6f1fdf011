/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converts messages between protobuf's wire format and its canonical JSON (the "ProtoJSON Format" page of protobuf's
 * documentation), by types.h. 64-bit integers are strings, bytes are base64, enums are names; Timestamp, Duration,
 * FieldMask, Struct, Value, the wrappers and Any have forms of their own. Unknown fields are ignored.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "pb/types.h"

/* "max-json-values": objects, arrays, names and values of one message; each takes far more memory than its text. */
enum { JSON_VALUES_MAX = 250000, JSON_DEPTH_MAX = 64 };

/* Appends the wire format to out. InvalidArgument names the field, ResourceExhausted the maximum of out. */
int json_to_pb(const struct types *types, const struct type_message *type, struct str json, struct buf *out,
	       struct error *err);

/* Appends the JSON to out. */
int json_from_pb(const struct types *types, const struct type_message *type, struct str bytes, struct buf *out,
		 struct error *err);
