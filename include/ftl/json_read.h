/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON text into structs, strictly by the tables: docs/schema.md has the rules.
 *
 * Functions return 0, or -1 with the reader's error set. The text ends with a NUL, and valid text contains none: so
 * most loops stop at it without another check.
 */
#ifndef FTL_JSON_READ_H
#define FTL_JSON_READ_H

#include <locale.h>
#include <stdlib.h>

#include "ftl/json.h"

struct ftl_json_reader {
	const char *text, *at, *end;
	struct ftl_json_memory *memory;
	const char *root; /* the name of the whole value in messages: "request" */
	bool skip_unknown; /* ignores fields that the schema lacks: for answers, as their module may be newer */
	bool out_of_memory;
	unsigned depth;
	/* Once a function failed: */
	const char *reason; /* one of FTL_JSON_NOT_JSON and those below it; NULL: memory is used up */
	char error[FTL_JSON_ERROR_MAX];
};

static inline int ftl_json_read(struct ftl_json_reader *reader, const struct ftl_json_type *type, void *value,
				const struct ftl_json_place *place);
static inline int ftl_json_skip(struct ftl_json_reader *reader, const struct ftl_json_place *place);

/* --- failing ------------------------------------------------------------------------------------------------------ */

/* Why a text is refused: the same names in every language. The error begins with the path. */
#define FTL_JSON_NOT_JSON "NOT_JSON"
#define FTL_JSON_WRONG_TYPE "WRONG_TYPE"	   /* another kind of JSON value */
#define FTL_JSON_INVALID_VALUE "INVALID_VALUE"	   /* the right kind, and no value of the type */
#define FTL_JSON_INVALID_KEY "INVALID_KEY"	   /* of a map */
#define FTL_JSON_UNKNOWN_VARIANT "UNKNOWN_VARIANT" /* of an enum or a sum type */
#define FTL_JSON_UNKNOWN_FIELD "UNKNOWN_FIELD"
#define FTL_JSON_MISSING_FIELD "MISSING_FIELD"
#define FTL_JSON_DUPLICATE_KEY "DUPLICATE_KEY" /* a field or a key that comes twice */

__attribute__((format(printf, 4, 5))) static inline int ftl_json_refuse(struct ftl_json_reader *reader,
									const struct ftl_json_place *place,
									const char *reason, const char *format, ...) {
	va_list args;
	reader->reason = reason;
	va_start(args, format);
	ftl_json_refuse_at(reader->error, place, reader->root, format, args);
	va_end(args);
	return -1;
}

static inline int ftl_json_refuse_syntax(struct ftl_json_reader *reader, const struct ftl_json_place *place,
					 const char *problem) {
	size_t line = 1, column = 1;
	for (const char *c = reader->text; c < reader->at; c++) {
		column = *c == '\n' ? 1 : column + 1;
		line += *c == '\n';
	}
	return ftl_json_refuse(reader, place, FTL_JSON_NOT_JSON, "not JSON at line %zu, column %zu: %s", line, column, problem);
}

/* Fails with the problem, or with the end of the text when that is reached. */
static inline int ftl_json_refuse_here(struct ftl_json_reader *reader, const struct ftl_json_place *place,
				       const char *problem) {
	return ftl_json_refuse_syntax(reader, place, reader->at == reader->end ? "it ends too early" : problem);
}

static inline int ftl_json_refuse_memory(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	reader->out_of_memory = true;
	return ftl_json_refuse(reader, place, NULL, "the memory of the call is used up");
}

static inline void ftl_json_blanks(struct ftl_json_reader *reader) {
	while (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r')
		reader->at++;
}

static inline bool ftl_json_is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* Fails with WRONG_TYPE, unless what stands there is no JSON at all. */
static inline int ftl_json_refuse_kind(struct ftl_json_reader *reader, const char *expected,
				       const struct ftl_json_place *place) {
	const char *kind = NULL;
	switch (*reader->at) {
	case 'n':
		kind = "null";
		break;
	case 't':
	case 'f':
		kind = "boolean";
		break;
	case '"':
		kind = "string";
		break;
	case '[':
		kind = "array";
		break;
	case '{':
		kind = "object";
		break;
	default:
		if (*reader->at == '-' || ftl_json_is_digit(*reader->at))
			kind = "number";
	}
	if (kind == NULL)
		return ftl_json_refuse_here(reader, place, "expected a value");
	bool is_scalar = *reader->at != '[' && *reader->at != '{';
	if (is_scalar && ftl_json_skip(reader, place) < 0)
		return -1;
	if (is_scalar && reader->at != reader->end && strchr(",]} \n\t\r", *reader->at) == NULL)
		return ftl_json_refuse_syntax(reader, place, "something follows the value");
	return ftl_json_refuse(reader, place, FTL_JSON_WRONG_TYPE, "expected %s, got %s", expected, kind);
}

/* --- words and numbers -------------------------------------------------------------------------------------------- */

static inline int ftl_json_take_word(struct ftl_json_reader *reader, const char *word, size_t size,
				     const struct ftl_json_place *place) {
	if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
		return ftl_json_refuse_syntax(reader, place, "expected null, true or false");
	reader->at += size;
	return 0;
}

static inline int ftl_json_take_null(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	return ftl_json_take_word(reader, "null", 4, place);
}

static inline int ftl_json_read_bool(struct ftl_json_reader *reader, bool *value, const struct ftl_json_place *place) {
	*value = *reader->at == 't';
	if (*reader->at != 't' && *reader->at != 'f')
		return ftl_json_refuse_kind(reader, "Bool", place);
	return *value ? ftl_json_take_word(reader, "true", 4, place) : ftl_json_take_word(reader, "false", 5, place);
}

static inline int ftl_json_take_digits(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	if (!ftl_json_is_digit(*reader->at))
		return ftl_json_refuse_syntax(reader, place, "expected a digit");
	while (ftl_json_is_digit(*reader->at))
		reader->at++;
	return 0;
}

/* Skips a number. *whole: it has neither fraction nor exponent. */
static inline int ftl_json_take_number(struct ftl_json_reader *reader, const char *expected, bool *whole,
				       const struct ftl_json_place *place) {
	if (*reader->at != '-' && !ftl_json_is_digit(*reader->at))
		return ftl_json_refuse_kind(reader, expected, place);
	reader->at += *reader->at == '-';
	if (*reader->at == '0') {
		reader->at++;
		if (ftl_json_is_digit(*reader->at))
			return ftl_json_refuse_syntax(reader, place, "a number begins with 0");
	} else if (ftl_json_take_digits(reader, place) < 0) {
		return -1;
	}
	*whole = true;
	if (*reader->at == '.') {
		*whole = false;
		reader->at++;
		if (ftl_json_take_digits(reader, place) < 0)
			return -1;
	}
	if (*reader->at == 'e' || *reader->at == 'E') {
		*whole = false;
		reader->at++;
		reader->at += *reader->at == '-' || *reader->at == '+';
		return ftl_json_take_digits(reader, place);
	}
	return 0;
}

/* A whole number with an optional sign and nothing else. Returns false when it is none, or does not fit 64 bits. */
static inline bool ftl_json_to_int(const char *at, const char *end, int64_t *value) {
	bool negative = at < end && *at == '-';
	uint64_t number = 0, most = (uint64_t)INT64_MAX + negative;
	at += negative;
	if (at == end || end - at > 19)
		return false;
	for (; at < end; at++) {
		if (!ftl_json_is_digit(*at))
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	if (number > most)
		return false;
	*value = (int64_t)(negative ? 0 - number : number);
	return true;
}

static inline int ftl_json_read_int(struct ftl_json_reader *reader, const char *expected, int64_t *value,
				    const struct ftl_json_place *place) {
	bool whole;
	const char *start = reader->at;
	if (ftl_json_take_number(reader, expected, &whole, place) < 0)
		return -1;
	if (whole && ftl_json_to_int(start, reader->at, value))
		return 0;
	int size = (int)(reader->at - start < FTL_JSON_VALUE_MAX ? reader->at - start : FTL_JSON_VALUE_MAX);
	return ftl_json_refuse(reader, place, FTL_JSON_INVALID_VALUE, "expected %s, got %.*s%s", expected, size, start,
			       whole ? ", which is over 64 bits" : "");
}

/* strtod, whatever the decimal point of the program's locale is. */
static inline double ftl_json_to_double_slowly(struct ftl_json_reader *reader, const char *start, size_t size) {
	char small[64];
	char *copy = size < sizeof small ? small : (char *)ftl_json_allocate(reader->memory, size + 1);
	if (copy == NULL) {
		reader->out_of_memory = true;
		return 0;
	}
	memcpy(copy, start, size);
	copy[size] = '\0';
	char *point = strchr(copy, '.');
	if (point != NULL)
		*point = *localeconv()->decimal_point;
	return strtod(copy, NULL);
}

/* A number of at most 53 bits, multiplied or divided by an exact power of ten, is rounded once: strtod gives the same.
 */
static inline bool ftl_json_to_double_fast(const char *at, const char *end, double *value) {
	static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	bool negative = *at == '-';
	uint64_t number = 0;
	int scale = 0, point = 0;
	at += negative;
	if (end - at > 17)
		return false;
	for (; at < end; at++) {
		if (*at == '.') {
			point = 1;
			continue;
		}
		if (!ftl_json_is_digit(*at))
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
		scale += point;
	}
	if (number > UINT64_C(1) << 53)
		return false;
	*value = (double)number / powers[scale];
	if (negative)
		*value = -*value;
	return true;
}

static inline int ftl_json_read_float(struct ftl_json_reader *reader, const char *expected, double *value,
				      const struct ftl_json_place *place) {
	bool whole;
	const char *start = reader->at;
	if (ftl_json_take_number(reader, expected, &whole, place) < 0)
		return -1;
	if (ftl_json_to_double_fast(start, reader->at, value))
		return 0;
	*value = ftl_json_to_double_slowly(reader, start, (size_t)(reader->at - start));
	if (reader->out_of_memory)
		return ftl_json_refuse_memory(reader, place);
	int size = (int)(reader->at - start < FTL_JSON_VALUE_MAX ? reader->at - start : FTL_JSON_VALUE_MAX);
	if (*value - *value != 0)
		return ftl_json_refuse(reader, place, FTL_JSON_INVALID_VALUE,
				       "expected %s, got %.*s, which is too large", expected, size, start);
	return 0;
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

static inline int ftl_json_hex_digit(char c) {
	if (ftl_json_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next four hexadecimal digits. Returns -1 when they are none. */
static inline int ftl_json_unit(const char *at) {
	int unit = 0;
	for (int i = 0; i < 4; i++) {
		int digit = ftl_json_hex_digit(at[i]);
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

/* Skips an escape, from its backslash on. */
static inline int ftl_json_take_escape(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	char letter = reader->at[1];
	if (letter == '\0')
		return ftl_json_refuse_syntax(reader, place, "it ends within a string");
	if (letter != 'u') {
		reader->at += 2;
		return strchr("\"\\/bfnrt", letter) != NULL
			       ? 0
			       : ftl_json_refuse_syntax(reader, place, "an unknown escape in a string");
	}
	int unit = ftl_json_unit(reader->at + 2);
	if (unit <= 0)
		return ftl_json_refuse_syntax(
			reader, place, unit == 0 ? "a NUL in a string" : "expected four hexadecimal digits after \\u");
	reader->at += 6;
	int low = -1;
	if (unit >= 0xD800 && unit <= 0xDBFF && reader->at[0] == '\\' && reader->at[1] == 'u')
		low = ftl_json_unit(reader->at + 2);
	if (low >= 0xDC00 && low <= 0xDFFF)
		reader->at += 6;
	else if (unit >= 0xD800 && unit <= 0xDFFF)
		return ftl_json_refuse_syntax(reader, place, "half of a surrogate pair in a string");
	return 0;
}

/* Skips a string, from its quote on. Gives what stands between the quotes, and whether that has escapes. */
static inline int ftl_json_take_string(struct ftl_json_reader *reader, const char **raw, size_t *size, bool *escaped,
				       const struct ftl_json_place *place) {
	const char *start = ++reader->at;
	*escaped = false;
	for (;;) {
		reader->at = ftl_json_find_special(reader->at, reader->end);
		if (reader->at == reader->end)
			return ftl_json_refuse_syntax(reader, place, "it ends within a string");
		if (*reader->at == '"')
			break;
		if (*reader->at != '\\')
			return ftl_json_refuse_syntax(reader, place, "a control character in a string");
		*escaped = true;
		if (ftl_json_take_escape(reader, place) < 0)
			return -1;
	}
	*raw = start;
	*size = (size_t)(reader->at++ - start);
	return 0;
}

static inline char *ftl_json_put_utf8(char *out, unsigned code) {
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xC0 | (code >> 6));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*out++ = (char)(0xE0 | (code >> 12));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else {
		*out++ = (char)(0xF0 | (code >> 18));
		*out++ = (char)(0x80 | ((code >> 12) & 0x3F));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	}
	return out;
}

/* Replaces the escapes of a string that was skipped before. Writes at most size bytes, and returns how many. */
static inline size_t ftl_json_unescape(const char *raw, size_t size, char *out) {
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *end = raw + size;
	char *start = out;
	while (raw < end) {
		if (*raw != '\\') {
			*out++ = *raw++;
			continue;
		}
		if (raw[1] != 'u') {
			*out++ = meanings[strchr(letters, raw[1]) - letters];
			raw += 2;
			continue;
		}
		unsigned code = (unsigned)ftl_json_unit(raw + 2);
		raw += 6;
		if (code >= 0xD800 && code <= 0xDBFF) {
			code = 0x10000 + ((code - 0xD800) << 10) + ((unsigned)ftl_json_unit(raw + 2) - 0xDC00);
			raw += 6;
		}
		out = ftl_json_put_utf8(out, code);
	}
	return (size_t)(out - start);
}

/* A copy of raw without escapes, which ends with a NUL. Returns NULL when memory is used up. */
static inline char *ftl_json_copy(struct ftl_json_reader *reader, const char *raw, size_t size, bool escaped,
				  size_t *ret_size) {
	char *copy = (char *)ftl_json_allocate(reader->memory, size + 1);
	if (copy == NULL)
		return NULL;
	if (escaped)
		size = ftl_json_unescape(raw, size, copy);
	else
		memcpy(copy, raw, size);
	copy[size] = '\0';
	*ret_size = size;
	return copy;
}

static inline int ftl_json_read_text(struct ftl_json_reader *reader, const char *expected, char **text, size_t *size,
				     const struct ftl_json_place *place) {
	const char *raw;
	size_t raw_size = 0;
	bool escaped;
	if (*reader->at != '"')
		return ftl_json_refuse_kind(reader, expected, place);
	if (ftl_json_take_string(reader, &raw, &raw_size, &escaped, place) < 0)
		return -1;
	*text = ftl_json_copy(reader, raw, raw_size, escaped, size);
	return *text != NULL ? 0 : ftl_json_refuse_memory(reader, place);
}

static inline int ftl_json_read_string(struct ftl_json_reader *reader, const char **value,
				       const struct ftl_json_place *place) {
	size_t size = 0;
	char *text = NULL;
	if (ftl_json_read_text(reader, "String", &text, &size, place) < 0)
		return -1;
	*value = text;
	return 0;
}

static inline int ftl_json_base64_digit(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes base64 (RFC 4648, section 4) in place: padded, and without stray bits in the last digit. */
static inline bool ftl_json_from_base64(char *text, size_t size, size_t *ret_size) {
	size_t digits = size;
	while (digits > 0 && size - digits < 2 && text[digits - 1] == '=')
		digits--;
	if (size % 4 != 0)
		return false;
	uint32_t bits = 0;
	size_t used = 0;
	for (size_t i = 0; i < digits; i++) {
		int digit = ftl_json_base64_digit(text[i]);
		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			text[used++] = (char)(bits >> (i % 4 == 1 ? 4 : i % 4 == 2 ? 2 : 0));
	}
	size_t stray = digits % 4 == 2 ? 15 : digits % 4 == 3 ? 3 : 0;
	text[used] = '\0';
	*ret_size = used;
	return (bits & stray) == 0 && digits % 4 != 1;
}

static inline int ftl_json_read_bytes(struct ftl_json_reader *reader, struct ftl_bytes *value,
				      const struct ftl_json_place *place) {
	static const char expected[] = "Bytes in base64";
	char shown[FTL_JSON_VALUE_MAX + 8];
	const char *raw = reader->at + 1;
	size_t size = 0;
	char *text = NULL;
	if (ftl_json_read_text(reader, expected, &text, &size, place) < 0)
		return -1;
	if (!ftl_json_from_base64(text, size, &value->size)) {
		/* Decoding in place has overwritten the text. */
		size_t raw_size = (size_t)(reader->at - 1 - raw);
		size = ftl_json_unescape(raw, raw_size, text);
		return ftl_json_refuse(reader, place, FTL_JSON_INVALID_VALUE, "expected %s, got %s", expected,
				       ftl_json_show(text, size, shown));
	}
	value->data = (const uint8_t *)text;
	return 0;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* Reads exactly count digits. Returns -1 when there are fewer. */
static inline int64_t ftl_json_time_number(const char **at, int count) {
	int64_t number = 0;
	for (int i = 0; i < count; i++, (*at)++) {
		if (!ftl_json_is_digit(**at))
			return -1;
		number = number * 10 + (**at - '0');
	}
	return number;
}

static inline bool ftl_json_time_mark(const char **at, char mark) {
	if ((**at | 0x20) != (mark | 0x20))
		return false;
	(*at)++;
	return true;
}

static inline bool ftl_json_time_fraction(const char **at, int32_t *nanos) {
	*nanos = 0;
	if (**at != '.')
		return true;
	(*at)++;
	int digits = 0;
	for (int32_t scale = 100000000; ftl_json_is_digit(**at); (*at)++, digits++, scale /= 10)
		*nanos += (**at - '0') * scale;
	return digits >= 1 && digits <= 9;
}

static inline bool ftl_json_time_zone(const char **at, int32_t *minutes) {
	*minutes = 0;
	if (ftl_json_time_mark(at, 'Z'))
		return true;
	int sign = **at == '-' ? -1 : **at == '+' ? 1 : 0;
	(*at) += sign != 0;
	int64_t hour = ftl_json_time_number(at, 2);
	if (sign == 0 || hour < 0 || hour > 23 || **at != ':')
		return false;
	(*at)++;
	int64_t minute = ftl_json_time_number(at, 2);
	*minutes = (int32_t)(sign * (hour * 60 + minute));
	return minute >= 0 && minute <= 59;
}

/* RFC 3339. A leap second counts as the next one. */
static inline bool ftl_json_to_time(const char *at, struct ftl_time *value) {
	int64_t year = ftl_json_time_number(&at, 4), month, day, hour, minute, second;
	if (year < 0 || *at++ != '-' || (month = ftl_json_time_number(&at, 2)) < 1 || month > 12 || *at++ != '-')
		return false;
	day = ftl_json_time_number(&at, 2);
	int before = ftl_json_days_before_month(year, month);
	if (day < 1 || day > ftl_json_days_before_month(year, month + 1) - before || !ftl_json_time_mark(&at, 'T'))
		return false;
	if ((hour = ftl_json_time_number(&at, 2)) < 0 || hour > 23 || *at++ != ':' ||
	    (minute = ftl_json_time_number(&at, 2)) < 0 || minute > 59 || *at++ != ':' ||
	    (second = ftl_json_time_number(&at, 2)) < 0 || second > 60)
		return false;
	if (!ftl_json_time_fraction(&at, &value->nanos) || !ftl_json_time_zone(&at, &value->zone_minutes) ||
	    *at != '\0')
		return false;
	int64_t days = ftl_json_days_before_year(year) + before + day - 1;
	value->seconds = FTL_JSON_FIRST_SECOND + days * 86400 + hour * 3600 + minute * 60 + second -
			 value->zone_minutes * INT64_C(60);
	return value->seconds >= FTL_JSON_FIRST_SECOND && value->seconds <= FTL_JSON_LAST_SECOND;
}

static inline int ftl_json_read_time(struct ftl_json_reader *reader, struct ftl_time *value,
				     const struct ftl_json_place *place) {
	static const char expected[] = "Time, as in \"2026-01-02T03:04:05Z\"";
	char shown[FTL_JSON_VALUE_MAX + 8];
	size_t size = 0;
	char *text = NULL;
	if (ftl_json_read_text(reader, expected, &text, &size, place) < 0)
		return -1;
	if (ftl_json_to_time(text, value))
		return 0;
	return ftl_json_refuse(reader, place, FTL_JSON_INVALID_VALUE, "expected %s, got %s", expected, ftl_json_show(text, size, shown));
}

/* --- arrays and objects ------------------------------------------------------------------------------------------- */

static inline int ftl_json_enter(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	if (reader->depth == FTL_JSON_DEPTH_MAX)
		return ftl_json_refuse_syntax(reader, place, "it is nested deeper than 100");
	reader->depth++;
	reader->at++;
	return 0;
}

/* Skips the comma before the next member and returns 1, or the closing bracket and returns 0. */
static inline int ftl_json_next(struct ftl_json_reader *reader, bool first, char closing,
				const struct ftl_json_place *place) {
	ftl_json_blanks(reader);
	if (*reader->at == closing) {
		reader->at++;
		reader->depth--;
		return 0;
	}
	if (!first) {
		if (*reader->at != ',')
			return ftl_json_refuse_here(reader, place,
						    closing == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
		reader->at++;
		ftl_json_blanks(reader);
	}
	return 1;
}

/* Skips a key, from its quote on, and the colon after it. */
static inline int ftl_json_take_key(struct ftl_json_reader *reader, const char **raw, size_t *size, bool *escaped,
				    const struct ftl_json_place *place) {
	if (*reader->at != '"')
		return ftl_json_refuse_here(reader, place, "expected a key in \"");
	if (ftl_json_take_string(reader, raw, size, escaped, place) < 0)
		return -1;
	ftl_json_blanks(reader);
	if (*reader->at != ':')
		return ftl_json_refuse_syntax(reader, place, "expected ':'");
	reader->at++;
	return 0;
}

static inline int ftl_json_skip_members(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	char closing = *reader->at == '{' ? '}' : ']';
	const char *raw;
	size_t size = 0;
	bool escaped;
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	int more;
	for (bool first = true; (more = ftl_json_next(reader, first, closing, place)) > 0; first = false) {
		if (closing == '}' && ftl_json_take_key(reader, &raw, &size, &escaped, place) < 0)
			return -1;
		if (ftl_json_skip(reader, place) < 0)
			return -1;
	}
	return more;
}

/* Skips a value of any kind, as that of a field that the schema lacks. */
static inline int ftl_json_skip(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	const char *raw;
	size_t size = 0;
	bool flag;
	ftl_json_blanks(reader);
	switch (*reader->at) {
	case 'n':
		return ftl_json_take_null(reader, place);
	case 't':
	case 'f':
		return ftl_json_read_bool(reader, &flag, place);
	case '"':
		return ftl_json_take_string(reader, &raw, &size, &flag, place);
	case '[':
	case '{':
		return ftl_json_skip_members(reader, place);
	default:
		return ftl_json_take_number(reader, "Any", &flag, place);
	}
}

/* Room for one more item after count of them. Returns NULL when memory is used up. */
static inline char *ftl_json_grow(struct ftl_json_reader *reader, char *items, size_t count, size_t *capacity,
				  size_t size) {
	if (count < *capacity)
		return items;
	size_t wanted = *capacity == 0 ? 4 : *capacity * 2;
	char *grown = wanted > SIZE_MAX / 2 / size ? NULL : (char *)ftl_json_allocate(reader->memory, wanted * size);
	if (grown == NULL)
		return NULL;
	if (count > 0)
		memcpy(grown, items, count * size);
	*capacity = wanted;
	return grown;
}

static inline int ftl_json_read_list(struct ftl_json_reader *reader, const struct ftl_json_type *type,
				     struct ftl_json_list *list, const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	size_t size = type->element->size, capacity = 0;
	char *items = NULL;
	int more;
	if (*reader->at != '[')
		return ftl_json_refuse_kind(reader, type->name, place);
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	for (; (more = ftl_json_next(reader, inner.index == 0, ']', place)) > 0; inner.index++) {
		items = ftl_json_grow(reader, items, inner.index, &capacity, size);
		if (items == NULL)
			return ftl_json_refuse_memory(reader, place);
		if (ftl_json_read(reader, type->element, items + inner.index * size, &inner) < 0)
			return -1;
	}
	list->items = items;
	list->count = inner.index;
	return more;
}

/* --- enums and maps ----------------------------------------------------------------------------------------------- */

static inline size_t ftl_json_smaller(size_t a, size_t b) {
	return a < b ? a : b;
}

/* The distance of two words in single edits (insert, delete, replace, swap). */
static inline size_t ftl_json_distance(const char *a, size_t a_size, const char *b, size_t b_size) {
	enum { WORD_MAX = 64 };
	size_t rows[3][WORD_MAX + 1];
	if (a_size > WORD_MAX || b_size > WORD_MAX)
		return SIZE_MAX;
	size_t *before_last = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_size; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = ftl_json_smaller(last[j], row[j - 1]) + 1;
			row[j] = ftl_json_smaller(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = ftl_json_smaller(row[j], before_last[j - 2] + 1);
		}
		size_t *spare = before_last;
		before_last = last;
		last = row;
		row = spare;
	}
	return last[b_size];
}

/* The name that was probably meant: a third of the letters may differ, or one letter in a short word of at least two.
 */
static inline const char *ftl_json_nearest(const struct ftl_json_type *type, const char *wanted, size_t size,
					   char hint[160]) {
	size_t limit = (size < 2 ? 0 : size < 6 ? 1 : size / 3) + 1;
	hint[0] = '\0';
	for (size_t i = 0; i < type->member_count; i++) {
		const struct ftl_json_member *member = &type->members[i];
		size_t distance = ftl_json_distance(wanted, size, member->name, member->name_size);
		if (distance >= limit)
			continue;
		limit = distance;
		snprintf(hint, 160, "; did you mean \"%s\"?", member->name);
	}
	return hint;
}

static inline int ftl_json_refuse_variant(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					  const char *reason,
					  const char *text, size_t size, const struct ftl_json_place *place) {
	char shown[FTL_JSON_VALUE_MAX + 8], hint[160];
	return ftl_json_refuse(reader, place, reason, "expected %s, got %s%s", type->expected, ftl_json_show(text, size, shown),
			       ftl_json_nearest(type, text, size, hint));
}

/* Returns one more than the index; 0: there is no such member. */
static inline unsigned ftl_json_find_variant(const struct ftl_json_type *type, const char *text, size_t size) {
	for (size_t i = 0; i < type->member_count; i++)
		if (type->members[i].name_size == size && memcmp(type->members[i].name, text, size) == 0)
			return (unsigned)i + 1;
	return 0;
}

static inline unsigned ftl_json_find_number(const struct ftl_json_type *type, int64_t number) {
	for (size_t i = 0; i < type->member_count; i++)
		if (type->members[i].number == number)
			return (unsigned)i + 1;
	return 0;
}

static inline int ftl_json_read_variant(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					ftl_json_enum *value, const struct ftl_json_place *place) {
	const char *raw;
	size_t size = 0;
	bool escaped;
	if (*reader->at != '"')
		return ftl_json_refuse_kind(reader, type->expected, place);
	if (ftl_json_take_string(reader, &raw, &size, &escaped, place) < 0)
		return -1;
	if (escaped && (raw = ftl_json_copy(reader, raw, size, true, &size)) == NULL)
		return ftl_json_refuse_memory(reader, place);
	*value = ftl_json_find_variant(type, raw, size);
	return *value != 0 ? 0 : ftl_json_refuse_variant(reader, type, FTL_JSON_UNKNOWN_VARIANT, raw, size, place);
}

static inline int ftl_json_read_enum_of_int(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					    ftl_json_enum *value, const struct ftl_json_place *place) {
	int64_t number = 0;
	if (*reader->at != '-' && !ftl_json_is_digit(*reader->at))
		return ftl_json_refuse_kind(reader, type->expected, place);
	if (ftl_json_read_int(reader, type->name, &number, place) < 0)
		return -1;
	*value = ftl_json_find_number(type, number);
	if (*value != 0)
		return 0;
	return ftl_json_refuse(reader, place, FTL_JSON_UNKNOWN_VARIANT, "expected %s, got %lld", type->expected, (long long)number);
}

/* In JSON a key is a string, whatever its type is. */
static inline int ftl_json_read_key(struct ftl_json_reader *reader, const struct ftl_json_type *type, void *value,
				    const char *text, size_t size, const struct ftl_json_place *place) {
	char shown[FTL_JSON_VALUE_MAX + 8], canonical[32];
	int64_t number = 0;
	if (type->kind == FTL_JSON_STRING) {
		*(const char **)value = text;
		return 0;
	}
	if (type->kind == FTL_JSON_ENUM_OF_STRING) {
		*(ftl_json_enum *)value = ftl_json_find_variant(type, text, size);
		return *(ftl_json_enum *)value != 0 ? 0 : ftl_json_refuse_variant(reader, type, FTL_JSON_INVALID_KEY, text, size, place);
	}
	if (!ftl_json_to_int(text, text + size, &number))
		return ftl_json_refuse(reader, place, FTL_JSON_INVALID_KEY, "expected a key that is an Int, got %s",
				       ftl_json_show(text, size, shown));
	snprintf(canonical, sizeof canonical, "%lld", (long long)number);
	if (strcmp(text, canonical) != 0)
		return ftl_json_refuse(reader, place, FTL_JSON_INVALID_KEY, "expected the key \"%s\", got %s", canonical,
				       ftl_json_show(text, size, shown));
	if (type->kind == FTL_JSON_INT) {
		*(int64_t *)value = number;
		return 0;
	}
	*(ftl_json_enum *)value = ftl_json_find_number(type, number);
	if (*(ftl_json_enum *)value != 0)
		return 0;
	return ftl_json_refuse(reader, place, FTL_JSON_INVALID_KEY, "expected a key that is %s, got %s", type->expected,
			       ftl_json_show(text, size, shown));
}

static inline int ftl_json_compare_text_keys(const void *a, const void *b) {
	return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

static inline int ftl_json_compare_int_keys(const void *a, const void *b) {
	int64_t left = **(const int64_t *const *)a, right = **(const int64_t *const *)b;
	return (left > right) - (left < right);
}

static inline int ftl_json_compare_enum_keys(const void *a, const void *b) {
	unsigned left = **(const ftl_json_enum *const *)a, right = **(const ftl_json_enum *const *)b;
	return (left > right) - (left < right);
}

static inline void ftl_json_show_key(const struct ftl_json_type *type, const void *key, char number[32],
				     struct ftl_json_place *place) {
	const struct ftl_json_member *variant = NULL;
	if (type->kind == FTL_JSON_ENUM_OF_STRING || type->kind == FTL_JSON_ENUM_OF_INT)
		variant = &type->members[*(const ftl_json_enum *)key - 1];
	if (type->kind == FTL_JSON_STRING)
		place->key = *(const char *const *)key;
	else if (type->kind == FTL_JSON_ENUM_OF_STRING)
		place->key = variant->name;
	else
		snprintf(number, 32, "%lld", (long long)(variant ? variant->number : *(const int64_t *)key));
	place->key_size = strlen(place->key);
}

/* Refuses the first key in the text that occurred before it. Sorting brings equal keys together; a later entry has a
 * higher address. */
static inline int ftl_json_check_keys(struct ftl_json_reader *reader, const struct ftl_json_type *type, char *entries,
				      size_t count, const struct ftl_json_place *place) {
	int (*compare)(const void *, const void *) = type->key->kind == FTL_JSON_STRING ? ftl_json_compare_text_keys
						     : type->key->kind == FTL_JSON_INT  ? ftl_json_compare_int_keys
											: ftl_json_compare_enum_keys;
	const char *few[32], *repeated = NULL;
	const char **keys = few;
	if (count > 32)
		keys = (const char **)ftl_json_allocate(reader->memory, count * sizeof *keys);
	if (keys == NULL)
		return ftl_json_refuse_memory(reader, place);
	for (size_t i = 0; i < count; i++)
		keys[i] = entries + i * type->entry_size;
	qsort(keys, count, sizeof *keys, compare);
	for (size_t i = 0, end; i < count; i = end) {
		const char *earliest = keys[i];
		for (end = i + 1; end < count && compare(&earliest, &keys[end]) == 0; end++) {
			const char *later = keys[end] > earliest ? keys[end] : earliest;
			earliest = keys[end] < earliest ? keys[end] : earliest;
			repeated = repeated == NULL || later < repeated ? later : repeated;
		}
	}
	if (repeated == NULL)
		return 0;
	char number[32];
	struct ftl_json_place inner = {.outer = place, .key = number};
	ftl_json_show_key(type->key, repeated, number, &inner);
	return ftl_json_refuse(reader, &inner, FTL_JSON_DUPLICATE_KEY, "the key occurs twice");
}

/* Reads the entries up to the one that is refused. *count is the number of those whose key was read. */
static inline int ftl_json_read_entries(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					char **entries, size_t *count, const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	size_t capacity = 0, size;
	bool escaped;
	int more;
	while ((more = ftl_json_next(reader, *count == 0, '}', place)) > 0) {
		char *grown = ftl_json_grow(reader, *entries, *count, &capacity, type->entry_size);
		if (grown == NULL)
			return ftl_json_refuse_memory(reader, place);
		*entries = grown;
		char *entry = grown + *count * type->entry_size;
		if (ftl_json_take_key(reader, &inner.key, &inner.key_size, &escaped, place) < 0)
			return -1;
		const char *key = ftl_json_copy(reader, inner.key, inner.key_size, escaped, &size);
		if (key == NULL)
			return ftl_json_refuse_memory(reader, place);
		if (ftl_json_read_key(reader, type->key, entry, key, size, place) < 0)
			return -1;
		++*count;
		inner.key = key;
		inner.key_size = size;
		if (ftl_json_read(reader, type->element, entry + type->value_at, &inner) < 0)
			return -1;
	}
	return more;
}

static inline int ftl_json_read_map(struct ftl_json_reader *reader, const struct ftl_json_type *type,
				    struct ftl_json_list *map, const struct ftl_json_place *place) {
	char *entries = NULL;
	size_t count = 0;
	if (*reader->at != '{')
		return ftl_json_refuse_kind(reader, type->name, place);
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	int result = ftl_json_read_entries(reader, type, &entries, &count, place);
	map->items = entries;
	map->count = count;
	/* A key that occurs twice comes before what was refused after it, so it is the one to report. */
	if (count > 1 && !reader->out_of_memory && ftl_json_check_keys(reader, type, entries, count, place) < 0)
		return -1;
	return result;
}

/* --- any JSON ----------------------------------------------------------------------------------------------------- */

static inline int ftl_json_check_elements(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	static const struct ftl_json_type part = {.kind = FTL_JSON_ANY_PART};
	struct ftl_json_place inner = {.outer = place};
	int more;
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	for (; (more = ftl_json_next(reader, inner.index == 0, ']', place)) > 0; inner.index++)
		if (ftl_json_read(reader, &part, NULL, &inner) < 0)
			return -1;
	return more;
}

/* Of the members only the keys are kept, to find one that comes twice. */
static inline int ftl_json_check_members(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	static const struct ftl_json_type key = {.kind = FTL_JSON_STRING}, part = {.kind = FTL_JSON_ANY_PART};
	static const struct ftl_json_type object = {.kind = FTL_JSON_MAP,
						    .name = "Any",
						    .element = &part,
						    .key = &key,
						    .entry_size = sizeof(const char *)};
	struct ftl_json_list keys;
	return ftl_json_read_map(reader, &object, &keys, place);
}

/* Skips JSON that every language reads alike: no key twice in an object, and no number that a Float cannot hold. */
static inline int ftl_json_check_any(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	double number;
	if (*reader->at == '[')
		return ftl_json_check_elements(reader, place);
	if (*reader->at == '{')
		return ftl_json_check_members(reader, place);
	if (*reader->at == '-' || ftl_json_is_digit(*reader->at))
		return ftl_json_read_float(reader, "Any", &number, place);
	return ftl_json_skip(reader, place);
}

static inline int ftl_json_read_any(struct ftl_json_reader *reader, struct ftl_any *value,
				    const struct ftl_json_place *place) {
	const char *start = reader->at;
	size_t size = 0;
	if (ftl_json_check_any(reader, place) < 0)
		return -1;
	value->json = ftl_json_copy(reader, start, (size_t)(reader->at - start), false, &size);
	return value->json != NULL ? 0 : ftl_json_refuse_memory(reader, place);
}

/* --- data and sums ------------------------------------------------------------------------------------------------ */

static inline int ftl_json_refuse_field(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					const char *name, size_t size, const struct ftl_json_place *place) {
	char shown[FTL_JSON_VALUE_MAX + 8], hint[160];
	return ftl_json_refuse(reader, place, FTL_JSON_UNKNOWN_FIELD, "unknown field %s%s", ftl_json_show(name, size, shown),
			       ftl_json_nearest(type, name, size, hint));
}

/* Takes a key, and sets *index to that of its field, or to member_count when there is no such field. The search begins
 * at *index: most texts have the fields in the order of the schema and no blanks, so that is tried first. */
static inline int ftl_json_take_field(struct ftl_json_reader *reader, const struct ftl_json_type *type, size_t *index,
				      const struct ftl_json_place *place) {
	const char *name;
	size_t size, count = type->member_count;
	bool escaped;
	for (size_t i = *index; i < count && i < *index + 3; i++) {
		const struct ftl_json_member *member = &type->members[i];
		if ((size_t)(reader->end - reader->at) < member->name_size + 3 ||
		    memcmp(reader->at, member->quoted, member->name_size + 3) != 0)
			continue;
		reader->at += member->name_size + 3;
		*index = i;
		return 0;
	}
	if (ftl_json_take_key(reader, &name, &size, &escaped, place) < 0)
		return -1;
	if (escaped && (name = ftl_json_copy(reader, name, size, true, &size)) == NULL)
		return ftl_json_refuse_memory(reader, place);
	for (size_t i = 0; i < count; i++) {
		size_t at = *index + i < count ? *index + i : *index + i - count;
		if (type->members[at].name_size != size || memcmp(type->members[at].name, name, size) != 0)
			continue;
		*index = at;
		return 0;
	}
	if (!reader->skip_unknown)
		return ftl_json_refuse_field(reader, type, name, size, place);
	*index = count;
	return ftl_json_skip(reader, place);
}

static inline int ftl_json_check_missing(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					 const uint64_t *seen, const struct ftl_json_place *place) {
	for (size_t i = 0; i < type->member_count; i++) {
		const struct ftl_json_member *member = &type->members[i];
		if (!member->required || (seen[i / 64] >> i % 64 & 1) != 0)
			continue;
		struct ftl_json_place inner = {.outer = place, .field = member->name};
		return ftl_json_refuse(reader, &inner, FTL_JSON_MISSING_FIELD, "expected %s, but it is missing", member->type_name);
	}
	return 0;
}

static inline int ftl_json_read_data(struct ftl_json_reader *reader, const struct ftl_json_type *type, char *value,
				     const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	uint64_t few = 0, *seen = &few;
	size_t index = 0, count = type->member_count;
	int more;
	if (*reader->at != '{')
		return ftl_json_refuse_kind(reader, type->name, place);
	if (count > 64 && (seen = (uint64_t *)ftl_json_allocate(reader->memory, (count + 63) / 64 * 8)) == NULL)
		return ftl_json_refuse_memory(reader, place);
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	for (bool first = true; (more = ftl_json_next(reader, first, '}', place)) > 0; first = false) {
		if (ftl_json_take_field(reader, type, &index, place) < 0)
			return -1;
		if (index == count)
			continue;
		const struct ftl_json_member *member = &type->members[index];
		inner.field = member->name;
		if ((seen[index / 64] >> index % 64 & 1) != 0)
			return ftl_json_refuse(reader, &inner, FTL_JSON_DUPLICATE_KEY, "the field occurs twice");
		seen[index / 64] |= UINT64_C(1) << index % 64;
		if (ftl_json_read(reader, member->type, value + member->at, &inner) < 0)
			return -1;
		index++;
	}
	return more < 0 ? -1 : ftl_json_check_missing(reader, type, seen, place);
}

static inline int ftl_json_read_unit(struct ftl_json_reader *reader, const struct ftl_json_place *place) {
	static const struct ftl_json_type nothing = {.kind = FTL_JSON_DATA, .name = "Unit, which is {}"};
	return ftl_json_read_data(reader, &nothing, NULL, place);
}

/* What is known of a sum type's value while its object is read. */
struct ftl_json_sum {
	const struct ftl_json_type *type;
	char *value;
	bool has_value;
	const char *before_value; /* where the value is, when it came before the name of its variant */
};

static inline int ftl_json_read_sum_value(struct ftl_json_reader *reader, struct ftl_json_sum *sum,
					  const struct ftl_json_place *place) {
	unsigned kind = *(ftl_json_enum *)(void *)sum->value;
	return ftl_json_read(reader, sum->type->members[kind - 1].type, sum->value + sum->type->value_at, place);
}

static inline int ftl_json_read_sum_field(struct ftl_json_reader *reader, struct ftl_json_sum *sum, const char *key,
					  size_t size, const struct ftl_json_place *place) {
	struct ftl_json_place name = {.outer = place, .field = "name"}, value = {.outer = place, .field = "value"};
	ftl_json_enum *kind = (ftl_json_enum *)(void *)sum->value;
	if (size == 4 && memcmp(key, "name", 4) == 0) {
		if (*kind != 0)
			return ftl_json_refuse(reader, &name, FTL_JSON_DUPLICATE_KEY, "the field occurs twice");
		ftl_json_blanks(reader);
		if (ftl_json_read_variant(reader, sum->type, kind, &name) < 0)
			return -1;
		if (!sum->has_value)
			return 0;
		const char *after = reader->at;
		reader->at = sum->before_value;
		if (ftl_json_read_sum_value(reader, sum, &value) < 0)
			return -1;
		reader->at = after;
		return 0;
	}
	if (size == 5 && memcmp(key, "value", 5) == 0) {
		if (sum->has_value)
			return ftl_json_refuse(reader, &value, FTL_JSON_DUPLICATE_KEY, "the field occurs twice");
		sum->has_value = true;
		if (*kind != 0)
			return ftl_json_read_sum_value(reader, sum, &value);
		sum->before_value = reader->at;
		return ftl_json_skip(reader, &value);
	}
	if (reader->skip_unknown)
		return ftl_json_skip(reader, place);
	char shown[FTL_JSON_VALUE_MAX + 8];
	return ftl_json_refuse(reader, place, FTL_JSON_UNKNOWN_FIELD, "unknown field %s; a %s has \"name\" and \"value\"",
			       ftl_json_show(key, size, shown), sum->type->name);
}

static inline int ftl_json_read_sum(struct ftl_json_reader *reader, const struct ftl_json_type *type, char *value,
				    const struct ftl_json_place *place) {
	struct ftl_json_sum sum = {.type = type, .value = value};
	char expected[160];
	const char *key;
	size_t size = 0;
	bool escaped;
	int more;
	snprintf(expected, sizeof expected, "%s, {\"name\": …, \"value\": …}", type->name);
	if (*reader->at != '{')
		return ftl_json_refuse_kind(reader, expected, place);
	if (ftl_json_enter(reader, place) < 0)
		return -1;
	for (bool first = true; (more = ftl_json_next(reader, first, '}', place)) > 0; first = false) {
		if (ftl_json_take_key(reader, &key, &size, &escaped, place) < 0)
			return -1;
		if (escaped && (key = ftl_json_copy(reader, key, size, true, &size)) == NULL)
			return ftl_json_refuse_memory(reader, place);
		if (ftl_json_read_sum_field(reader, &sum, key, size, place) < 0)
			return -1;
	}
	unsigned kind = *(ftl_json_enum *)(void *)value;
	if (more == 0 && (kind == 0 || !sum.has_value))
		return ftl_json_refuse(reader, place, FTL_JSON_MISSING_FIELD, "expected %s, but \"%s\" is missing", expected,
				       kind == 0 ? "name" : "value");
	return more;
}

/* --- any type ----------------------------------------------------------------------------------------------------- */

static inline bool ftl_json_is_name(const char *at, const char *end) {
	if (at == end || end - at > 64 || ftl_json_is_digit(*at))
		return false;
	for (; at < end; at++)
		if (!ftl_json_is_digit(*at) && *at != '_' && (*at < 'A' || *at > 'Z') && (*at < 'a' || *at > 'z'))
			return false;
	return true;
}

static inline int ftl_json_read_verb(struct ftl_json_reader *reader, const struct ftl_json_type *type,
				     const char **value, const struct ftl_json_place *place) {
	char shown[FTL_JSON_VALUE_MAX + 8];
	size_t size = 0;
	char *text = NULL;
	if (ftl_json_read_text(reader, type->expected, &text, &size, place) < 0)
		return -1;
	const char *point = strchr(text, '.');
	if (point == NULL || !ftl_json_is_name(text, point) || !ftl_json_is_name(point + 1, text + size))
		return ftl_json_refuse(reader, place, FTL_JSON_INVALID_VALUE, "expected %s, got %s", type->expected,
				       ftl_json_show(text, size, shown));
	*value = text;
	return 0;
}

static inline int ftl_json_read_pointer(struct ftl_json_reader *reader, const struct ftl_json_type *type,
					ftl_json_pointer *value, const struct ftl_json_place *place) {
	void *memory = ftl_json_allocate(reader->memory, type->element->size);
	if (memory == NULL)
		return ftl_json_refuse_memory(reader, place);
	*value = memory;
	return ftl_json_read(reader, type->element, memory, place);
}

/* value is zeroed. */
static inline int ftl_json_read(struct ftl_json_reader *reader, const struct ftl_json_type *type, void *value,
				const struct ftl_json_place *place) {
	ftl_json_blanks(reader);
	switch (type->kind) {
	case FTL_JSON_INT:
		return ftl_json_read_int(reader, "Int", (int64_t *)value, place);
	case FTL_JSON_FLOAT:
		return ftl_json_read_float(reader, "Float", (double *)value, place);
	case FTL_JSON_STRING:
		return ftl_json_read_string(reader, (const char **)value, place);
	case FTL_JSON_BYTES:
		return ftl_json_read_bytes(reader, (struct ftl_bytes *)value, place);
	case FTL_JSON_BOOL:
		return ftl_json_read_bool(reader, (bool *)value, place);
	case FTL_JSON_TIME:
		return ftl_json_read_time(reader, (struct ftl_time *)value, place);
	case FTL_JSON_ANY:
		return ftl_json_read_any(reader, (struct ftl_any *)value, place);
	case FTL_JSON_ANY_PART:
		return ftl_json_check_any(reader, place);
	case FTL_JSON_UNIT:
		return ftl_json_read_unit(reader, place);
	case FTL_JSON_VERB:
		return ftl_json_read_verb(reader, type, (const char **)value, place);
	case FTL_JSON_LIST:
		return ftl_json_read_list(reader, type, (struct ftl_json_list *)value, place);
	case FTL_JSON_MAP:
		return ftl_json_read_map(reader, type, (struct ftl_json_list *)value, place);
	case FTL_JSON_DATA:
		return ftl_json_read_data(reader, type, (char *)value, place);
	case FTL_JSON_ENUM_OF_STRING:
		return ftl_json_read_variant(reader, type, (ftl_json_enum *)value, place);
	case FTL_JSON_ENUM_OF_INT:
		return ftl_json_read_enum_of_int(reader, type, (ftl_json_enum *)value, place);
	case FTL_JSON_SUM:
		return ftl_json_read_sum(reader, type, (char *)value, place);
	case FTL_JSON_BOX:
		return ftl_json_read_pointer(reader, type, (ftl_json_pointer *)value, place);
	case FTL_JSON_NULLABLE:
	case FTL_JSON_OPTIONAL:
	case FTL_JSON_POINTER:
		break;
	}
	if (*reader->at == 'n')
		return ftl_json_take_null(reader, place);
	if (type->kind == FTL_JSON_NULLABLE)
		return ftl_json_read(reader, type->element, value, place);
	if (type->kind == FTL_JSON_POINTER)
		return ftl_json_read_pointer(reader, type, (ftl_json_pointer *)value, place);
	*(bool *)value = true;
	return ftl_json_read(reader, type->element, (char *)value + type->value_at, place);
}

/* Reads a whole text. root is its name in messages. value must be zeroed; what it points to is in memory. */
static inline int ftl_json_read_all(struct ftl_json_reader *reader, const char *text, size_t size,
				    const struct ftl_json_type *type, void *value) {
	reader->text = reader->at = text;
	reader->end = text + size;
	reader->depth = 0;
	if (!ftl_json_is_text(text, size))
		return ftl_json_refuse_syntax(reader, NULL, "not UTF-8");
	if (ftl_json_read(reader, type, value, NULL) < 0)
		return -1;
	ftl_json_blanks(reader);
	return reader->at == reader->end ? 0 : ftl_json_refuse_syntax(reader, NULL, "something follows the value");
}

#endif
