/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timestamp.h"

#include <stdio.h>

static const int64_t first_second = -62135596800; /* 0001-01-01T00:00:00Z */
static const int64_t last_second = 253402300799; /* 9999-12-31T23:59:59Z */

enum { DAY_SECONDS = 86400 };

/* Days since 1970-01-01. The year is counted from March on, so that the leap day is the last of a year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
	int64_t march_year = month > 2 ? year : year - 1;
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
	return march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400 + day_of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month) {
	static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

/* Takes exactly count digits off the front of text. */
static bool take_number(struct str *text, size_t count, int64_t *ret_number) {
	uint64_t number;
	if (text->len < count || !str_to_u64(str_new(text->ptr, count), &number))
		return false;
	*text = str_from_offset(*text, count);
	*ret_number = (int64_t)number;
	return true;
}

static bool take_mark(struct str *text, char mark) {
	if (text->len == 0 || text->ptr[0] != mark)
		return false;
	*text = str_from_offset(*text, 1);
	return true;
}

static bool take_date(struct str *text, int64_t *ret_days) {
	int64_t year, month, day;
	if (!take_number(text, 4, &year) || !take_mark(text, '-') || !take_number(text, 2, &month) ||
	    !take_mark(text, '-') || !take_number(text, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*ret_days = days_from_date(year, month, day);
	return true;
}

static bool take_clock(struct str *text, int64_t *ret_seconds) {
	int64_t hour, minute, second;
	if (!take_number(text, 2, &hour) || !take_mark(text, ':') || !take_number(text, 2, &minute) ||
	    !take_mark(text, ':') || !take_number(text, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*ret_seconds = hour * 3600 + minute * 60 + second;
	return true;
}

static bool take_fraction(struct str *text, int32_t *ret_nanos) {
	*ret_nanos = 0;
	if (!take_mark(text, '.'))
		return true;
	int32_t scale = 100000000;
	size_t digits = 0;
	while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9') {
		*ret_nanos += (text->ptr[digits++] - '0') * scale;
		scale /= 10;
	}
	*text = str_from_offset(*text, digits);
	return digits >= 1 && digits <= 9;
}

static bool take_zone(struct str *text, int64_t *ret_seconds) {
	*ret_seconds = 0;
	if (take_mark(text, 'Z') || take_mark(text, 'z'))
		return true;
	int64_t sign = take_mark(text, '-') ? -1 : take_mark(text, '+') ? 1 : 0;
	int64_t hour, minute;
	if (sign == 0 || !take_number(text, 2, &hour) || !take_mark(text, ':') || !take_number(text, 2, &minute))
		return false;
	*ret_seconds = sign * (hour * 3600 + minute * 60);
	return hour <= 23 && minute <= 59;
}

bool timestamp_parse(struct str text, struct timestamp *ret_time) {
	int64_t days, clock, zone;
	struct timestamp time;
	if (!take_date(&text, &days) || !(take_mark(&text, 'T') || take_mark(&text, 't')) ||
	    !take_clock(&text, &clock) || !take_fraction(&text, &time.nanos) || !take_zone(&text, &zone))
		return false;
	time.seconds = days * DAY_SECONDS + clock - zone;
	if (text.len > 0 || !timestamp_in_range(time))
		return false;
	if (ret_time != NULL)
		*ret_time = time;
	return true;
}

bool timestamp_in_range(struct timestamp time) {
	return time.seconds >= first_second && time.seconds <= last_second && time.nanos >= 0 &&
	       time.nanos < 1000000000;
}

/* The inverse of days_from_date. Counted from 0000-03-01; 146,097 days are 400 years. */
static void date_from_days(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day) {
	days += 719468;
	int64_t era = days / 146097;
	int64_t day_of_era = days % 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	*ret_day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	*ret_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	*ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

void timestamp_format(char ret_text[TIMESTAMP_TEXT_MAX], struct timestamp time) {
	ASSERT(timestamp_in_range(time));
	int64_t from_first = time.seconds - first_second;
	int64_t clock = from_first % DAY_SECONDS;
	int64_t year, month, day;
	date_from_days((time.seconds - clock) / DAY_SECONDS, &year, &month, &day);
	size_t used =
		(size_t)snprintf(ret_text, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month,
				 (int)day, (int)(clock / 3600), (int)(clock / 60 % 60), (int)(clock % 60));
	if (time.nanos != 0) {
		used += (size_t)snprintf(ret_text + used, TIMESTAMP_TEXT_MAX - used, ".%09d", (int)time.nanos);
		while (ret_text[used - 1] == '0')
			used--;
	}
	memcpy(ret_text + used, "Z", 2);
}
