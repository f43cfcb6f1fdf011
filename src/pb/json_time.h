/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps (RFC 3339, years 1 to 9999) and durations ("1.5s", up to 10,000 years) in protobuf's JSON.
 */
#pragma once

#include "base/str.h"

struct json_time {
	int64_t seconds;
	int32_t nanos; /* of a duration: has the sign of seconds */
};

bool json_timestamp_parse(struct str text, struct json_time *ret_time);
bool json_duration_parse(struct str text, struct json_time *ret_time);

enum { JSON_TIME_MAX = 48 };

/* False: the time is out of range. */
bool json_timestamp_format(char ret_text[JSON_TIME_MAX], struct json_time time);
bool json_duration_format(char ret_text[JSON_TIME_MAX], struct json_time time);
