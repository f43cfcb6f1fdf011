/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON into C structs and writes it from them, by tables that `ftl generate` writes. For generated code: authors
 * of modules use ftl/types.h and the header of their module.
 *
 * All code is in headers, so that a shared object links with no library. A table tells where in a struct each field
 * lies; ftl/json_read.h and ftl/json_write.h walk text and table together, and build no tree.
 */
#ifndef FTL_JSON_H
#define FTL_JSON_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ftl/types.h"

enum ftl_json_kind {
	FTL_JSON_INT, /* int64_t */
	FTL_JSON_FLOAT, /* double */
	FTL_JSON_STRING, /* const char * */
	FTL_JSON_BYTES, /* struct ftl_bytes */
	FTL_JSON_BOOL, /* bool */
	FTL_JSON_TIME, /* struct ftl_time */
	FTL_JSON_ANY, /* struct ftl_any */
	FTL_JSON_UNIT, /* struct ftl_unit */
	FTL_JSON_VERB, /* const char *, "module.verb" */
	FTL_JSON_LIST, /* struct ftl_json_list of elements */
	FTL_JSON_MAP, /* struct ftl_json_list of entries, the key first */
	FTL_JSON_DATA,
	FTL_JSON_ENUM_OF_STRING, /* an enum: 1 is the first member */
	FTL_JSON_ENUM_OF_INT,
	FTL_JSON_SUM, /* the kind, then the union at value_at */
	FTL_JSON_NULLABLE, /* an element that is NULL when it is absent */
	FTL_JSON_OPTIONAL, /* bool present, then the element at value_at */
	FTL_JSON_POINTER, /* to an element; NULL: absent */
	FTL_JSON_BOX, /* to an element that must be present */
	FTL_JSON_ANY_PART, /* a value within Any: checked, and not kept */
};

struct ftl_json_type {
	enum ftl_json_kind kind;
	size_t size;                           /* of the C type */
	const char *name;                      /* for messages: "[Item]" */
	const char *expected;                  /* of enums and sums: "\"happy\" or \"sad\"" */
	const struct ftl_json_type *element; /* of lists, of maps (the value), of optional types */
	const struct ftl_json_type *key;       /* of maps */
	size_t value_at; /* offset of the value in its struct */
	size_t entry_size;                     /* of maps */
	const struct ftl_json_member *members; /* fields or variants */
	size_t member_count;
};

struct ftl_json_member {
	const char *name; /* of an enum of values: its text */
	size_t name_size;
	const char *quoted;               /* of a field: "\"name\":" */
	const char *type_name;            /* of a field, as it stands in the schema */
	const struct ftl_json_type *type; /* of fields and of variants of a sum */
	size_t at;                        /* of a field: its offset */
	int64_t number;                   /* of an enum of Int */
	bool required;
};

/* Generated structs have other names and the same layout. */
struct ftl_json_list {
	void *items;
	size_t count;
} __attribute__((may_alias));
typedef void *ftl_json_pointer __attribute__((may_alias));
typedef unsigned ftl_json_enum __attribute__((may_alias));

enum {
	FTL_JSON_DEPTH_MAX = 100,
	FTL_JSON_CHUNK = 4096,
	FTL_JSON_ERROR_MAX = 1024,
	FTL_JSON_PATH_MAX = 400,
	FTL_JSON_VALUE_MAX = 60, /* characters of a value in a message */
};

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Zeroed memory that lives as long as the call. */
struct ftl_json_memory {
	void *(*allocate)(void *owner, size_t size); /* returns NULL when memory is used up */
	void *owner;
	char *at, *end; /* the free part of the current chunk */
};

static inline void *ftl_json_allocate(struct ftl_json_memory *memory, size_t size) {
	size = (size + 7) & ~(size_t)7;
	if ((size_t)(memory->end - memory->at) < size) {
		if (size > FTL_JSON_CHUNK / 4)
			return memory->allocate(memory->owner, size);
		char *chunk = (char *)memory->allocate(memory->owner, FTL_JSON_CHUNK);
		if (chunk == NULL)
			return NULL;
		memory->at = chunk;
		memory->end = chunk + FTL_JSON_CHUNK;
	}
	char *result = memory->at;
	memory->at += size;
	return result;
}

/* --- the path of a value, for messages ---------------------------------------------------------------------------- */

/* One step of a path, linked from the inside out. Each step lives on the stack of the function that took it. */
struct ftl_json_place {
	const struct ftl_json_place *outer; /* NULL: the root */
	const char *field;                  /* a field, or else */
	const char *key;                    /* of a map, or else */
	size_t key_size;
	size_t index;
};

/* Writes the escape of a character (RFC 8259, section 7), at most 6 bytes. Returns the end of it. */
static inline char *ftl_json_escape(char c, char *at) {
	static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t", hex[] = "0123456789abcdef";
	const char *meaning = c != '\0' ? strchr(meanings, c) : NULL;
	*at++ = '\\';
	if (meaning != NULL) {
		*at++ = letters[meaning - meanings];
		return at;
	}
	memcpy(at, "u00", 3);
	at[3] = hex[(unsigned char)c >> 4];
	at[4] = hex[c & 15];
	return at + 5;
}

/* A value for a message: quoted, escaped, and cut when it is long. */
static inline const char *ftl_json_show(const char *value, size_t size, char text[FTL_JSON_VALUE_MAX + 8]) {
	char *at = text;
	*at++ = '"';
	for (size_t i = 0; i < size; i++) {
		char escaped[6] = {value[i]}, *end = escaped + 1;
		if ((unsigned char)value[i] < ' ' || value[i] == '"' || value[i] == '\\')
			end = ftl_json_escape(value[i], escaped);
		if ((at - text) + (end - escaped) <= FTL_JSON_VALUE_MAX + 1) {
			memcpy(at, escaped, (size_t)(end - escaped));
			at += end - escaped;
			continue;
		}
		for (; ((unsigned char)value[i] & 0xC0) == 0x80 && at > text + 1; i--)
			at--; /* not a part of a character */
		memcpy(at, "…", sizeof "…" - 1);
		at += sizeof "…" - 1;
		break;
	}
	memcpy(at, "\"", 2);
	return text;
}

static inline size_t ftl_json_print_step(const struct ftl_json_place *place, const char *root, char text[128]) {
	char shown[FTL_JSON_VALUE_MAX + 8];
	int size;
	if (place == NULL)
		size = snprintf(text, 128, "%s", root);
	else if (place->field != NULL)
		size = snprintf(text, 128, ".%s", place->field);
	else if (place->key != NULL)
		size = snprintf(text, 128, "[%s]", ftl_json_show(place->key, place->key_size, shown));
	else
		size = snprintf(text, 128, "[%zu]", place->index);
	return size < 128 ? (size_t)size : 127;
}

/* A long path loses its beginning, as its end tells more. */
static inline void ftl_json_print_path(const struct ftl_json_place *place, const char *root,
				       char text[FTL_JSON_PATH_MAX]) {
	static const char dots[] = "…";
	char step[128];
	char *at = text + FTL_JSON_PATH_MAX - 1;
	*at = '\0';
	for (;; place = place->outer) {
		size_t size = ftl_json_print_step(place, root, step);
		if ((size_t)(at - text) < size + sizeof dots) {
			at -= sizeof dots - 1;
			memcpy(at, dots, sizeof dots - 1);
			break;
		}
		at -= size;
		memcpy(at, step, size);
		if (place == NULL)
			break;
	}
	memmove(text, at, strlen(at) + 1);
}

/* Writes "PATH: …" into error. Returns -1. */
__attribute__((format(printf, 4, 0))) static inline int ftl_json_refuse_at(char error[FTL_JSON_ERROR_MAX],
									   const struct ftl_json_place *place,
									   const char *root, const char *format,
									   va_list args) {
	char path[FTL_JSON_PATH_MAX];
	ftl_json_print_path(place, root, path);
	int used = snprintf(error, FTL_JSON_ERROR_MAX, "%s: ", path);
	vsnprintf(error + used, FTL_JSON_ERROR_MAX - (size_t)used, format, args);
	return -1;
}

/* --- days --------------------------------------------------------------------------------------------------------- */

#define FTL_JSON_FIRST_SECOND (-INT64_C(62135596800)) /* 0001-01-01T00:00:00Z */
#define FTL_JSON_LAST_SECOND INT64_C(253402300799)    /* 9999-12-31T23:59:59Z */

/* Days from 0001-01-01 to the first day of a year, which is at least 0. Counts from 400 years earlier, which are
 * 146,097 days, so that no number is negative. */
static inline int64_t ftl_json_days_before_year(int64_t year) {
	int64_t years = year - 1 + 400;
	return years * 365 + years / 4 - years / 100 + years / 400 - 146097;
}

static inline int ftl_json_is_leap(int64_t year) {
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days of the months before this one; month 13 is the whole year. */
static inline int ftl_json_days_before_month(int64_t year, int64_t month) {
	static const short days[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	return days[month] + (month > 2 && ftl_json_is_leap(year));
}

/* --- eight characters at once ------------------------------------------------------------------------------------- */

#define FTL_JSON_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t ftl_json_load(const char *at) {
	uint64_t word;
	memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* Sets a bit for each byte that is a quote, a backslash or below a blank. Only the lowest bit that is set is reliable.
 */
static inline uint64_t ftl_json_special(uint64_t word) {
	uint64_t quote = word ^ FTL_JSON_EACH('"'), backslash = word ^ FTL_JSON_EACH('\\');
	uint64_t low = (word - FTL_JSON_EACH(0x20)) & ~word;
	uint64_t found = (quote - FTL_JSON_EACH(1)) & ~quote;
	found |= (backslash - FTL_JSON_EACH(1)) & ~backslash;
	return (found | low) & FTL_JSON_EACH(0x80);
}

/* Skips to the next such byte, or to the end. */
static inline const char *ftl_json_find_special(const char *at, const char *end) {
	for (; end - at >= 8; at += 8) {
		uint64_t special = ftl_json_special(ftl_json_load(at));
		if (special != 0)
			return at + __builtin_ctzll(special) / 8;
	}
	while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ')
		at++;
	return at;
}

/* Whether the bytes are valid UTF-8 (RFC 3629) without a NUL. */
static inline bool ftl_json_is_text(const char *text, size_t size) {
	const unsigned char *at = (const unsigned char *)text, *end = at + size;
	while (at < end) {
		if (end - at >= 8 && (ftl_json_load((const char *)at) & FTL_JSON_EACH(0x80)) == 0 &&
		    ((ftl_json_load((const char *)at) - FTL_JSON_EACH(1)) & FTL_JSON_EACH(0x80)) == 0) {
			at += 8;
			continue;
		}
		unsigned char first = *at;
		if (first < 0x80) {
			if (first == 0)
				return false;
			at++;
			continue;
		}
		ptrdiff_t need = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
		if (need == 0 || end - at < need)
			return false;
		for (ptrdiff_t i = 1; i < need; i++)
			if ((at[i] & 0xC0) != 0x80)
				return false;
		if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ||
		    (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F))
			return false;
		at += need;
	}
	return true;
}

#endif
