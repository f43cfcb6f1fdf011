/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between protobuf's wire format and its canonical JSON (the "ProtoJSON Format" page of protobuf's
 * documentation), by types.h. 64 bit integers are texts, bytes are base 64, enums are names, and Timestamp, Duration,
 * FieldMask, Struct, Value, the wrappers and Any have forms of their own. Unknown fields and enum names are ignored.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "pb/types.h"

/* "max-json-values": objects, arrays, names and values in one message, for each takes much more memory than text. */
enum { JSON_VALUES_MAX = 250000, JSON_DEPTH_MAX = 64 };

/* Adds the wire format to out. InvalidArgument names the field at fault; ResourceExhausted the maximum of out. */
int json_to_pb(const struct types *types, const struct type_message *type, struct str json, struct buf *out,
	       struct error *err);

/* Adds the JSON text to out. */
int json_from_pb(const struct types *types, const struct type_message *type, struct str bytes, struct buf *out,
		 struct error *err);
