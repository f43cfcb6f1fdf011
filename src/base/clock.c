/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

uint64_t clock_us(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_ms(void) {
	return clock_us() / 1000;
}

int64_t clock_wall_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void time_format(char ret_text[TIME_TEXT_MAX], int64_t wall_ms) {
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	char date[24];
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret_text, TIME_TEXT_MAX, "%s.%03dZ", date, (int)(wall_ms % 1000));
}

void duration_format(char ret_text[TIME_TEXT_MAX], int64_t ms) {
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		/* From two units up: "90 s" is clearer than "1 min". */
		if (ms >= 2 * units[i].ms) {
			snprintf(ret_text, TIME_TEXT_MAX, "%" PRId64 " %s", ms / units[i].ms, units[i].unit);
			return;
		}
	}
	snprintf(ret_text, TIME_TEXT_MAX, "%" PRId64 " ms", MAX(ms, 0));
}

_Bool duration_parse(const char *text, uint64_t *ret_ms) {
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t digits = strspn(text, "0123456789");
	uint64_t number;
	if (!str_to_u64(str_new(text, digits), &number) || number > 315360000000u)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		if (number > 315360000000u / units[i].ms)
			return 0;
		*ret_ms = number * units[i].ms;
		return 1;
	}
	return 0;
}
