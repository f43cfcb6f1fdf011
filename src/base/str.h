/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of bytes: a pointer and a length, passed by value. It owns nothing and is not terminated.
 */
#pragma once

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"

struct str {
	const char *ptr;
	size_t len;
};

/* A view of a string literal; the second form for static initialisers. */
#define STR(literal) ((struct str)STR_INIT(literal))
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1}

/* For printf: "%.*s", STR_ARG(view). Cuts at INT_MAX, as printf must. */
#define STR_ARG(view) (int)(view).len, (view).ptr

static inline struct str str_new(const void *ptr, size_t len) {
	return (struct str){ptr, len};
}

/* A view of a terminated string; NULL is the empty view. */
static inline struct str str_from(const char *text) {
	return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *b) {
	return str_eq(a, str_from(b));
}

static inline bool str_starts_with(struct str text, struct str prefix) {
	return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

static inline bool str_ends_with(struct str text, struct str suffix) {
	return text.len >= suffix.len && memcmp(text.ptr + text.len - suffix.len, suffix.ptr, suffix.len) == 0;
}

/* The same without regard to the case of ASCII letters, as names of protocols are compared. */
static inline bool str_eq_nocase(struct str a, struct str b) {
	return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts_with_nocase(struct str text, struct str prefix) {
	return text.len >= prefix.len && str_eq_nocase((struct str){text.ptr, prefix.len}, prefix);
}

/* What is left of text from offset on. */
static inline struct str str_from_offset(struct str text, size_t offset) {
	ASSERT(offset <= text.len);
	return (struct str){text.ptr + offset, text.len - offset};
}

/* As memcmp, the shorter first when one begins the other. */
int str_compare(struct str a, struct str b);

/* Cuts text at the first separator: returns what is before it and leaves what follows in *rest. Without a
 * separator returns all of text and leaves *rest empty with a NULL pointer. text and *rest may be the same. */
struct str str_cut(struct str text, char separator, struct str *ret_rest);

/* Without the blanks (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str text);

/* A decimal number of at most 19 digits and nothing else; false: it is none, or does not fit. */
bool str_to_u64(struct str text, uint64_t *ret_number);

/* Valid UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms). */
bool str_is_text(struct str text);

/* The distance of two words in single edits (insert, delete, replace, swap), at most limit. */
size_t str_distance(struct str a, struct str b, size_t limit);
