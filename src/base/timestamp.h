/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 3339 timestamps between the years 1 and 9999, to the nanosecond.
 */
#pragma once

#include "base/str.h"

struct timestamp {
	int64_t seconds; /* since 1970 */
	int32_t nanos; /* 0 … 999,999,999 */
};

enum { TIMESTAMP_TEXT_MAX = 40 };

/* Requires a zone ("Z" or "+02:00") and allows up to nine fractional digits; a leap second becomes the next second.
 * false: invalid. ret_time may be NULL. */
bool timestamp_parse(struct str text, struct timestamp *ret_time);

bool timestamp_in_range(struct timestamp time);

/* Writes UTC, with only the fractional digits that are needed. time is in range. */
void timestamp_format(char ret_text[TIMESTAMP_TEXT_MAX], struct timestamp time);
