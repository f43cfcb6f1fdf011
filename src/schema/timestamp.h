/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time as text (RFC 3339), between the years 1 and 9999, to the nanosecond.
 */
#pragma once

#include "base/str.h"

struct timestamp {
	int64_t seconds; /* since 1970 */
	int32_t nanos; /* 0 … 999,999,999 */
};

enum { TIMESTAMP_TEXT_MAX = 40 };

/* With a zone ("Z" or "+02:00") and at most nine digits behind the second; a leap second counts as the next one.
 * false: it is none. ret_time may be NULL. */
bool timestamp_parse(struct str text, struct timestamp *ret_time);

bool timestamp_in_range(struct timestamp time);

/* In UTC, with as many digits behind the second as it has. time is in range. */
void timestamp_format(char ret_text[TIMESTAMP_TEXT_MAX], struct timestamp time);
