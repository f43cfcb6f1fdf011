/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monotonic clock for limits and a wall clock for people. State machines read neither: time is passed to them.
 */
#pragma once

#include "base/macros.h"

uint64_t clock_us(void); /* monotonic */
uint64_t clock_ms(void); /* monotonic */
int64_t clock_wall_ms(void); /* since 1970 */

enum { TIME_TEXT_MAX = 32 };

/* "2026-01-02T03:04:05.678Z" (RFC 3339). */
void time_format(char ret_text[TIME_TEXT_MAX], int64_t wall_ms);

/* "43 ms", "12 s", "3 min", "5 h", "2 d". */
void duration_format(char ret_text[TIME_TEXT_MAX], int64_t ms);

/* Parses "500ms", "30s", "2m", "1h", or "30" for seconds; false: invalid, or over ten years. */
_Bool duration_parse(const char *text, uint64_t *ret_ms);
