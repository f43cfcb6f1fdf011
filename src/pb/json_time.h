/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps (RFC 3339, years 1 to 9999) and durations ("1.5s", within 10,000 years) as protobuf's JSON has them.
 */
#pragma once

#include "base/str.h"

struct json_time {
	int64_t seconds;
	int32_t nanos; /* of a duration: with the sign of seconds */
};

bool json_timestamp_parse(struct str text, struct json_time *ret_time);
bool json_duration_parse(struct str text, struct json_time *ret_time);

enum { JSON_TIME_MAX = 48 };

/* False: it is outside of what JSON can say. */
bool json_timestamp_format(char ret_text[JSON_TIME_MAX], struct json_time time);
bool json_duration_format(char ret_text[JSON_TIME_MAX], struct json_time time);
