/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the wire contract as JSON for programs: fields by their names, numbers as numbers, enums as lower-case
 * words ("live"), times in milliseconds as on the wire. The canonical mapping (pb/json.h) is for the wire: it writes
 * large numbers as texts, which `jq` cannot compare.
 */
#pragma once

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* A new reference. Fields that are not set have their default; messages that are not set are left out. */
json_t *json_from_message(const ProtobufCMessage *message);

enum { ENUM_WORD_MAX = 64 };

/* "live" for DEPLOYMENT_STATE_LIVE; the number for a value that a newer Backplane sent. Returns ret_word. */
const char *enum_word(const ProtobufCEnumDescriptor *descriptor, int value, char ret_word[ENUM_WORD_MAX]);
