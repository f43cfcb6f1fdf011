/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON in place (RFC 8259), value by value, without a tree. The tree of a hostile text takes fifty times the
 * text's size, and libraries round large numbers before it is known whether they are Int or Float.
 *
 * Functions return false when the text is not JSON; scanner->problem says why, and every later call returns false too.
 */
#pragma once

#include "base/str.h"

enum { SCAN_DEPTH_MAX = 100 };

enum scan_kind {
	SCAN_INVALID, /* no value begins here, or there is a problem already */
	SCAN_NULL,
	SCAN_BOOLEAN,
	SCAN_NUMBER,
	SCAN_STRING,
	SCAN_ARRAY,
	SCAN_OBJECT,
};

struct scanner {
	struct str text; /* borrowed */
	size_t at;
	size_t depth;
	const char *problem; /* NULL: none */
};

/* Starts at the beginning of text and checks that it is UTF-8. */
void scan_start(struct scanner *scanner, struct str text);

/* The kind of the next value; skips blanks only. */
enum scan_kind scan_peek(struct scanner *scanner);

/* Takes the next value, whose kind scan_peek has told. */
bool scan_null(struct scanner *scanner);
bool scan_boolean(struct scanner *scanner, bool *ret_value);
bool scan_number(struct scanner *scanner, struct str *ret_digits);

/* *ret_raw: the bytes between the quotes; *ret_escaped: they contain escapes. */
bool scan_string(struct scanner *scanner, struct str *ret_raw, bool *ret_escaped);

/* scan_enter enters an object or array; scan_next moves to each member. The last scan_next leaves and returns false, as
 * it does for a problem. A key is read as a string. */
bool scan_enter(struct scanner *scanner);
bool scan_next(struct scanner *scanner, size_t index);
bool scan_next_key(struct scanner *scanner, size_t index, struct str *ret_raw, bool *ret_escaped);

/* Takes a value of any kind. */
bool scan_skip(struct scanner *scanner);

/* Whether the value that was taken ends here: not in "5x". */
bool scan_is_at_end(struct scanner *scanner);

/* Whether only blanks are left. */
bool scan_finish(struct scanner *scanner);

/* Writes the unescaped string, at most raw.len bytes; returns its length. raw came from scan_string. */
size_t scan_unescape(struct str raw, char *out);

/* Converts an integer exactly; false: a fraction, an exponent, or more than 64 bits. digits came from scan_number. */
bool scan_to_int(struct str digits, int64_t *ret_number);
bool scan_is_whole(struct str digits);
