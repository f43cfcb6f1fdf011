/* SPDX-License-Identifier: Apache-2.0 */
#include "pb/json_time.h"

#include <stdio.h>
#include <time.h>

#include "base/timestamp.h"

static const int64_t longest_duration = 315576000000;

static bool take_sign(struct str *text, char sign) {
	if (text->len == 0 || text->ptr[0] != sign)
		return false;
	*text = str_from_offset(*text, 1);
	return true;
}

/* ".5" and so on, up to nine digits; no fraction is 0. */
static bool take_fraction(struct str *text, int32_t *ret_nanos) {
	int32_t nanos = 0, scale = 100000000;
	*ret_nanos = 0;
	if (!take_sign(text, '.'))
		return true;
	size_t digits = 0;
	for (; text->len > 0 && text->ptr[0] >= '0' && text->ptr[0] <= '9'; digits++) {
		nanos += (text->ptr[0] - '0') * scale;
		scale /= 10;
		*text = str_from_offset(*text, 1);
	}
	*ret_nanos = nanos;
	return digits >= 1 && digits <= 9;
}

/* Protobuf's JSON has capital letters only, and no leap seconds. */
bool json_timestamp_parse(struct str text, struct json_time *ret_time) {
	struct timestamp time;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == 't' || text.ptr[i] == 'z')
			return false;
	bool is_leap_second = text.len > 18 && memcmp(text.ptr + 17, "60", 2) == 0;
	if (is_leap_second || !timestamp_parse(text, &time))
		return false;
	*ret_time = (struct json_time){.seconds = time.seconds, .nanos = time.nanos};
	return true;
}

bool json_duration_parse(struct str text, struct json_time *ret_time) {
	bool negative = take_sign(&text, '-');
	struct json_time time = {0};
	size_t digits = 0;
	for (; text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9' && digits <= 12; digits++) {
		time.seconds = time.seconds * 10 + (text.ptr[0] - '0');
		text = str_from_offset(text, 1);
	}
	if (digits == 0 || !take_fraction(&text, &time.nanos) || !str_eq(text, STR("s")) ||
	    time.seconds > longest_duration)
		return false;
	if (negative) {
		time.seconds = -time.seconds;
		time.nanos = -time.nanos;
	}
	*ret_time = time;
	return true;
}

/* Writes no digits, or three, six or nine. */
static void format_fraction(char ret_text[16], int32_t nanos) {
	if (nanos == 0)
		ret_text[0] = '\0';
	else if (nanos % 1000000 == 0)
		snprintf(ret_text, 16, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		snprintf(ret_text, 16, ".%06d", nanos / 1000);
	else
		snprintf(ret_text, 16, ".%09d", nanos);
}

bool json_timestamp_format(char ret_text[JSON_TIME_MAX], struct json_time time) {
	if (!timestamp_in_range((struct timestamp){.seconds = time.seconds, .nanos = time.nanos}))
		return false;
	char fraction[16];
	struct tm tm;
	time_t seconds = time.seconds;
	gmtime_r(&seconds, &tm);
	format_fraction(fraction, time.nanos);
	snprintf(ret_text, JSON_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%.10sZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
	return true;
}

bool json_duration_format(char ret_text[JSON_TIME_MAX], struct json_time time) {
	bool negative = time.seconds < 0 || time.nanos < 0;
	if (time.seconds < -longest_duration || time.seconds > longest_duration || time.nanos < -999999999 ||
	    time.nanos > 999999999 || (time.seconds > 0 && time.nanos < 0) || (time.seconds < 0 && time.nanos > 0))
		return false;
	char fraction[16];
	format_fraction(fraction, time.nanos < 0 ? -time.nanos : time.nanos);
	snprintf(ret_text, JSON_TIME_MAX, "%s%lld%.10ss", negative ? "-" : "",
		 (long long)(time.seconds < 0 ? -time.seconds : time.seconds), fraction);
	return true;
}
