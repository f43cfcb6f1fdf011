/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes structs as JSON text. A struct that does not fit its schema (a field that was not set, a text that is not
 * UTF-8) is an error that names the path, as it is when reading.
 */
#ifndef FTL_JSON_WRITE_H
#define FTL_JSON_WRITE_H

#include <math.h>

#include "ftl/json_read.h"

struct ftl_json_writer {
	char *text, *at, *end;
	struct ftl_json_memory *memory;
	const char *root; /* the name of the whole value in messages: "response" */
	bool out_of_memory;
	unsigned depth;
	char error[FTL_JSON_ERROR_MAX]; /* set once a function failed */
};

static inline int ftl_json_write(struct ftl_json_writer *writer, const struct ftl_json_type *type, const void *value,
				 const struct ftl_json_place *place);

__attribute__((format(printf, 3, 4))) static inline int
ftl_json_reject(struct ftl_json_writer *writer, const struct ftl_json_place *place, const char *format, ...) {
	va_list args;
	va_start(args, format);
	ftl_json_refuse_at(writer->error, place, writer->root, format, args);
	va_end(args);
	return -1;
}

static inline int ftl_json_reject_unset(struct ftl_json_writer *writer, const char *expected,
					const struct ftl_json_place *place) {
	return ftl_json_reject(writer, place, "expected %s, but it is not set", expected);
}

/* Makes room for size more bytes. */
static inline int ftl_json_room(struct ftl_json_writer *writer, size_t size, const struct ftl_json_place *place) {
	if ((size_t)(writer->end - writer->at) >= size)
		return 0;
	size_t used = (size_t)(writer->at - writer->text), capacity = (size_t)(writer->end - writer->text) * 2;
	capacity = capacity < used + size ? used + size : capacity;
	capacity = capacity < 1024 ? 1024 : capacity;
	char *text = size > SIZE_MAX / 4 ? NULL : (char *)ftl_json_allocate(writer->memory, capacity);
	if (text == NULL) {
		writer->out_of_memory = true;
		return ftl_json_reject(writer, place, "the memory of the call is used up");
	}
	if (used > 0)
		memcpy(text, writer->text, used);
	writer->text = text;
	writer->at = text + used;
	writer->end = text + capacity;
	return 0;
}

static inline int ftl_json_put(struct ftl_json_writer *writer, const char *bytes, size_t size,
			       const struct ftl_json_place *place) {
	if (ftl_json_room(writer, size, place) < 0)
		return -1;
	memcpy(writer->at, bytes, size);
	writer->at += size;
	return 0;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* Writes into at least 20 bytes, and returns how many were used. */
static inline size_t ftl_json_digits(uint64_t number, char *out) {
	char digits[20];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}

static inline int ftl_json_write_int(struct ftl_json_writer *writer, int64_t value,
				     const struct ftl_json_place *place) {
	if (ftl_json_room(writer, 21, place) < 0)
		return -1;
	if (value < 0)
		*writer->at++ = '-';
	writer->at += ftl_json_digits(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, writer->at);
	return 0;
}

/* The fewest decimals that a reader turns back into the same value: m / 10^k is rounded once, for m below 2^53 and k up
 * to 22, so each reader that rounds correctly gets it. */
static inline bool ftl_json_write_decimal(struct ftl_json_writer *writer, double value) {
	static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
	double magnitude = value < 0 ? -value : value;
	if (magnitude >= 9007199254740992.0 || (value == 0 && signbit(value)))
		return false;
	for (size_t k = 0; k < sizeof powers / sizeof powers[0]; k++) {
		double scaled = magnitude * powers[k];
		if (scaled >= 9007199254740992.0)
			return false;
		uint64_t whole = (uint64_t)(scaled + 0.5);
		if (whole >= UINT64_C(1) << 53 || (double)whole / powers[k] != magnitude)
			continue;
		char digits[20];
		size_t count = ftl_json_digits(whole, digits);
		if (value < 0)
			*writer->at++ = '-';
		if (count <= k) {
			*writer->at++ = '0';
			*writer->at++ = '.';
			for (size_t i = count; i < k; i++)
				*writer->at++ = '0';
			memcpy(writer->at, digits, count);
			writer->at += count;
			return true;
		}
		memcpy(writer->at, digits, count - k);
		writer->at += count - k;
		if (k > 0) {
			*writer->at++ = '.';
			memcpy(writer->at, digits + count - k, k);
			writer->at += k;
		}
		return true;
	}
	return false;
}

static inline int ftl_json_write_float(struct ftl_json_writer *writer, double value,
				       const struct ftl_json_place *place) {
	if (value - value != 0)
		return ftl_json_reject(writer, place, "expected Float, got %f, which JSON does not have", value);
	if (ftl_json_room(writer, 40, place) < 0)
		return -1;
	if (ftl_json_write_decimal(writer, value))
		return 0;
	int size = 0;
	for (int precision = 15; precision <= 17; precision++) {
		size = snprintf(writer->at, 40, "%.*g", precision, value);
		if (strtod(writer->at, NULL) == value)
			break;
	}
	/* snprintf uses the decimal point of the program's locale. */
	for (int i = 0; i < size; i++)
		if (!ftl_json_is_digit(writer->at[i]) && strchr("+-e", writer->at[i]) == NULL)
			writer->at[i] = '.';
	writer->at += size;
	return 0;
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

static inline int ftl_json_write_text(struct ftl_json_writer *writer, const char *text, size_t size,
				      const struct ftl_json_place *place) {
	const char *end = text + size;
	if (size > SIZE_MAX / 8 || ftl_json_room(writer, size + 2, place) < 0)
		return -1;
	if (!ftl_json_is_text(text, size))
		return ftl_json_reject(writer, place, "expected String, got bytes that are not UTF-8");
	*writer->at++ = '"';
	for (;;) {
		const char *special = ftl_json_find_special(text, end);
		memcpy(writer->at, text, (size_t)(special - text));
		writer->at += special - text;
		if (special == end)
			break;
		text = special + 1;
		if (ftl_json_room(writer, (size_t)(end - text) + 8, place) < 0)
			return -1;
		writer->at = ftl_json_escape(*special, writer->at);
	}
	*writer->at++ = '"';
	return 0;
}

static inline int ftl_json_write_string(struct ftl_json_writer *writer, const char *text, const char *expected,
					const struct ftl_json_place *place) {
	if (text == NULL)
		return ftl_json_reject_unset(writer, expected, place);
	return ftl_json_write_text(writer, text, strlen(text), place);
}

static inline int ftl_json_write_bytes(struct ftl_json_writer *writer, const struct ftl_bytes *value,
				       const struct ftl_json_place *place) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (value->data == NULL && value->size > 0)
		return ftl_json_reject_unset(writer, "Bytes", place);
	if (value->size > SIZE_MAX / 4 || ftl_json_room(writer, (value->size + 2) / 3 * 4 + 2, place) < 0)
		return -1;
	*writer->at++ = '"';
	for (size_t i = 0; i < value->size; i += 3) {
		size_t left = value->size - i;
		uint32_t bits = (uint32_t)value->data[i] << 16;
		bits |= left > 1 ? (uint32_t)value->data[i + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)value->data[i + 2] : 0;
		writer->at[0] = digits[bits >> 18];
		writer->at[1] = digits[bits >> 12 & 63];
		writer->at[2] = left > 1 ? digits[bits >> 6 & 63] : '=';
		writer->at[3] = left > 2 ? digits[bits & 63] : '=';
		writer->at += 4;
	}
	*writer->at++ = '"';
	return 0;
}

/* The date of a day since 0001-01-01. */
static inline void ftl_json_date(int64_t day, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day) {
	int64_t year = day / 366 + 1; /* at most a few years too early */
	while (ftl_json_days_before_year(year + 1) <= day)
		year++;
	int64_t in_year = day - ftl_json_days_before_year(year), month = 1;
	while (ftl_json_days_before_month(year, month + 1) <= in_year)
		month++;
	*ret_year = year;
	*ret_month = month;
	*ret_day = in_year - ftl_json_days_before_month(year, month) + 1;
}

static inline void ftl_json_put_number(struct ftl_json_writer *writer, int64_t number, int digits, char behind) {
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		writer->at[i] = (char)('0' + number % 10);
	writer->at += digits;
	*writer->at++ = behind;
}

static inline void ftl_json_put_fraction(struct ftl_json_writer *writer, int32_t nanos) {
	if (nanos == 0)
		return;
	*writer->at++ = '.';
	ftl_json_put_number(writer, nanos, 9, '0');
	while (writer->at[-1] == '0')
		writer->at--;
}

static inline int ftl_json_write_time(struct ftl_json_writer *writer, const struct ftl_time *value,
				      const struct ftl_json_place *place) {
	int64_t zone = value->zone_minutes, local = value->seconds + zone * 60 - FTL_JSON_FIRST_SECOND;
	if (value->seconds < FTL_JSON_FIRST_SECOND || value->seconds > FTL_JSON_LAST_SECOND || value->nanos < 0 ||
	    value->nanos > 999999999 || zone <= -24 * 60 || zone >= 24 * 60)
		return ftl_json_reject(writer, place,
				       "expected Time, got one that is out of range: %lld s, %ld ns, zone %ld",
				       (long long)value->seconds, (long)value->nanos, (long)zone);
	/* At both ends of the range a zone would lead out of it. */
	if (local < 0 || local > FTL_JSON_LAST_SECOND - FTL_JSON_FIRST_SECOND) {
		local -= zone * 60;
		zone = 0;
	}
	if (ftl_json_room(writer, 48, place) < 0)
		return -1;
	int64_t year, month, day, clock = local % 86400;
	ftl_json_date(local / 86400, &year, &month, &day);
	*writer->at++ = '"';
	ftl_json_put_number(writer, year, 4, '-');
	ftl_json_put_number(writer, month, 2, '-');
	ftl_json_put_number(writer, day, 2, 'T');
	ftl_json_put_number(writer, clock / 3600, 2, ':');
	ftl_json_put_number(writer, clock / 60 % 60, 2, ':');
	ftl_json_put_number(writer, clock % 60, 2, '"');
	writer->at--;
	ftl_json_put_fraction(writer, value->nanos);
	*writer->at++ = zone == 0 ? 'Z' : zone < 0 ? '-' : '+';
	if (zone != 0) {
		zone = zone < 0 ? -zone : zone;
		ftl_json_put_number(writer, zone / 60, 2, ':');
		ftl_json_put_number(writer, zone % 60, 2, '"');
		return 0;
	}
	*writer->at++ = '"';
	return 0;
}

/* Checks that the text is JSON, as anything else would break the text around it. */
static inline int ftl_json_write_any(struct ftl_json_writer *writer, const struct ftl_any *value,
				     const struct ftl_json_place *place) {
	if (value->json == NULL)
		return ftl_json_put(writer, "null", 4, place);
	struct ftl_json_reader reader = {.memory = writer->memory, .root = "Any", .depth = writer->depth};
	size_t size = strlen(value->json);
	reader.text = reader.at = value->json;
	reader.end = value->json + size;
	ftl_json_blanks(&reader);
	int failed = ftl_json_is_text(value->json, size) ? ftl_json_check_any(&reader, NULL)
							 : ftl_json_refuse_syntax(&reader, NULL, "not UTF-8");
	if (!failed) {
		ftl_json_blanks(&reader);
		if (reader.at != reader.end)
			failed = ftl_json_refuse_syntax(&reader, NULL, "something follows the value");
	}
	if (failed)
		return ftl_json_reject(writer, place, "expected %.400s", reader.error);
	return ftl_json_put(writer, value->json, size, place);
}

/* --- enums, lists, maps ------------------------------------------------------------------------------------------- */

static inline const struct ftl_json_member *ftl_json_variant(struct ftl_json_writer *writer,
							     const struct ftl_json_type *type, unsigned value,
							     const struct ftl_json_place *place) {
	if (value >= 1 && value <= type->member_count)
		return &type->members[value - 1];
	if (value == 0)
		ftl_json_reject_unset(writer, type->expected, place);
	else
		ftl_json_reject(writer, place, "expected %s, got the number %u of no variant", type->expected, value);
	return NULL;
}

static inline int ftl_json_write_enum(struct ftl_json_writer *writer, const struct ftl_json_type *type, unsigned value,
				      const struct ftl_json_place *place) {
	const struct ftl_json_member *variant = ftl_json_variant(writer, type, value, place);
	if (variant == NULL)
		return -1;
	if (type->kind == FTL_JSON_ENUM_OF_INT)
		return ftl_json_write_int(writer, variant->number, place);
	return ftl_json_write_text(writer, variant->name, variant->name_size, place);
}

/* Begins an object or an array. */
static inline int ftl_json_open(struct ftl_json_writer *writer, char opening, const struct ftl_json_place *place) {
	if (writer->depth == FTL_JSON_DEPTH_MAX)
		return ftl_json_reject(writer, place, "it is nested deeper than 100");
	if (ftl_json_room(writer, 2, place) < 0)
		return -1;
	writer->depth++;
	*writer->at++ = opening;
	return 0;
}

static inline int ftl_json_close(struct ftl_json_writer *writer, char closing, const struct ftl_json_place *place) {
	writer->depth--;
	return ftl_json_put(writer, &closing, 1, place);
}

static inline int ftl_json_write_list(struct ftl_json_writer *writer, const struct ftl_json_type *type,
				      const struct ftl_json_list *list, const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	if (list->items == NULL && list->count > 0)
		return ftl_json_reject_unset(writer, type->name, place);
	if (ftl_json_open(writer, '[', place) < 0)
		return -1;
	for (; inner.index < list->count; inner.index++) {
		if (inner.index > 0 && ftl_json_put(writer, ",", 1, place) < 0)
			return -1;
		const char *item = (const char *)list->items + inner.index * type->element->size;
		if (ftl_json_write(writer, type->element, item, &inner) < 0)
			return -1;
	}
	return ftl_json_close(writer, ']', place);
}

static inline int ftl_json_write_key(struct ftl_json_writer *writer, const struct ftl_json_type *type, const void *key,
				     const struct ftl_json_place *place) {
	if (type->kind == FTL_JSON_STRING || type->kind == FTL_JSON_ENUM_OF_STRING)
		return ftl_json_write(writer, type, key, place);
	if (ftl_json_put(writer, "\"", 1, place) < 0 || ftl_json_write(writer, type, key, place) < 0)
		return -1;
	return ftl_json_put(writer, "\"", 1, place);
}

static inline int ftl_json_write_map(struct ftl_json_writer *writer, const struct ftl_json_type *type,
				     const struct ftl_json_list *map, const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	if (map->items == NULL && map->count > 0)
		return ftl_json_reject_unset(writer, type->name, place);
	if (ftl_json_open(writer, '{', place) < 0)
		return -1;
	for (size_t i = 0; i < map->count; i++) {
		const char *entry = (const char *)map->items + i * type->entry_size;
		if (i > 0 && ftl_json_put(writer, ",", 1, place) < 0)
			return -1;
		size_t start = (size_t)(writer->at - writer->text);
		if (ftl_json_write_key(writer, type->key, entry, place) < 0)
			return -1;
		inner.key_size = (size_t)(writer->at - writer->text) - start - 2;
		inner.key = writer->text + start + 1;
		if (ftl_json_put(writer, ":", 1, place) < 0 ||
		    ftl_json_write(writer, type->element, entry + type->value_at, &inner) < 0)
			return -1;
	}
	return ftl_json_close(writer, '}', place);
}

/* --- data and sums ------------------------------------------------------------------------------------------------ */

static inline bool ftl_json_is_absent(const struct ftl_json_type *type, const void *value) {
	if (type->kind == FTL_JSON_OPTIONAL)
		return !*(const bool *)value;
	/* In a struct that can be NULL, the first member is the pointer. */
	return (type->kind == FTL_JSON_NULLABLE || type->kind == FTL_JSON_POINTER) &&
	       *(const ftl_json_pointer *)value == NULL;
}

static inline int ftl_json_write_data(struct ftl_json_writer *writer, const struct ftl_json_type *type,
				      const char *value, const struct ftl_json_place *place) {
	struct ftl_json_place inner = {.outer = place};
	if (ftl_json_open(writer, '{', place) < 0)
		return -1;
	bool first = true;
	for (size_t i = 0; i < type->member_count; i++) {
		const struct ftl_json_member *member = &type->members[i];
		const char *field = value + member->at;
		if (ftl_json_is_absent(member->type, field))
			continue;
		if (ftl_json_room(writer, member->name_size + 4, place) < 0)
			return -1;
		if (!first)
			*writer->at++ = ',';
		first = false;
		memcpy(writer->at, member->quoted, member->name_size + 3);
		writer->at += member->name_size + 3;
		inner.field = member->name;
		if (ftl_json_write(writer, member->type, field, &inner) < 0)
			return -1;
	}
	return ftl_json_close(writer, '}', place);
}

static inline int ftl_json_write_sum(struct ftl_json_writer *writer, const struct ftl_json_type *type,
				     const char *value, const struct ftl_json_place *place) {
	unsigned kind = *(const ftl_json_enum *)(const void *)value;
	const struct ftl_json_member *variant = ftl_json_variant(writer, type, kind, place);
	struct ftl_json_place inner = {.outer = place, .field = "value"};
	if (variant == NULL || ftl_json_open(writer, '{', place) < 0 ||
	    ftl_json_put(writer, "\"name\":", 7, place) < 0 ||
	    ftl_json_write_text(writer, variant->name, variant->name_size, place) < 0 ||
	    ftl_json_put(writer, ",\"value\":", 9, place) < 0 ||
	    ftl_json_write(writer, variant->type, value + type->value_at, &inner) < 0)
		return -1;
	return ftl_json_close(writer, '}', place);
}

static inline int ftl_json_write(struct ftl_json_writer *writer, const struct ftl_json_type *type, const void *value,
				 const struct ftl_json_place *place) {
	switch (type->kind) {
	case FTL_JSON_INT:
		return ftl_json_write_int(writer, *(const int64_t *)value, place);
	case FTL_JSON_FLOAT:
		return ftl_json_write_float(writer, *(const double *)value, place);
	case FTL_JSON_STRING:
		return ftl_json_write_string(writer, *(const char *const *)value, "String", place);
	case FTL_JSON_BYTES:
		return ftl_json_write_bytes(writer, (const struct ftl_bytes *)value, place);
	case FTL_JSON_BOOL:
		return *(const bool *)value ? ftl_json_put(writer, "true", 4, place)
					    : ftl_json_put(writer, "false", 5, place);
	case FTL_JSON_TIME:
		return ftl_json_write_time(writer, (const struct ftl_time *)value, place);
	case FTL_JSON_ANY:
		return ftl_json_write_any(writer, (const struct ftl_any *)value, place);
	case FTL_JSON_UNIT:
		return ftl_json_put(writer, "{}", 2, place);
	case FTL_JSON_VERB:
		return ftl_json_write_string(writer, *(const char *const *)value, type->expected, place);
	case FTL_JSON_LIST:
		return ftl_json_write_list(writer, type, (const struct ftl_json_list *)value, place);
	case FTL_JSON_MAP:
		return ftl_json_write_map(writer, type, (const struct ftl_json_list *)value, place);
	case FTL_JSON_DATA:
		return ftl_json_write_data(writer, type, (const char *)value, place);
	case FTL_JSON_ENUM_OF_STRING:
	case FTL_JSON_ENUM_OF_INT:
		return ftl_json_write_enum(writer, type, *(const ftl_json_enum *)value, place);
	case FTL_JSON_SUM:
		return ftl_json_write_sum(writer, type, (const char *)value, place);
	case FTL_JSON_BOX:
		if (*(const ftl_json_pointer *)value == NULL)
			return ftl_json_reject_unset(writer, type->element->name, place);
		return ftl_json_write(writer, type->element, *(const ftl_json_pointer *)value, place);
	case FTL_JSON_NULLABLE:
	case FTL_JSON_OPTIONAL:
	case FTL_JSON_POINTER:
	case FTL_JSON_ANY_PART: /* in no value that is written */
		break;
	}
	if (ftl_json_is_absent(type, value))
		return ftl_json_put(writer, "null", 4, place);
	if (type->kind == FTL_JSON_NULLABLE)
		return ftl_json_write(writer, type->element, value, place);
	if (type->kind == FTL_JSON_POINTER)
		return ftl_json_write(writer, type->element, *(const ftl_json_pointer *)value, place);
	return ftl_json_write(writer, type->element, (const char *)value + type->value_at, place);
}

/* Writes a whole value, which ends with a NUL. Returns NULL with the writer's error set. */
static inline const char *ftl_json_write_all(struct ftl_json_writer *writer, const struct ftl_json_type *type,
					     const void *value) {
	if (ftl_json_write(writer, type, value, NULL) < 0 || ftl_json_put(writer, "", 1, NULL) < 0)
		return NULL;
	return writer->text;
}

#endif
