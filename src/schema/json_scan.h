/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON read in place (RFC 8259): one value after the other, and no tree. A tree of a hostile text takes fifty times
 * its size, and one of a library would round large numbers before anyone knows whether they are Int or Float.
 *
 * Functions return false when the text is not JSON; the scanner then knows why, and every later call returns false too.
 */
#pragma once

#include "base/str.h"

enum { SCAN_DEPTH_MAX = 100 };

enum scan_kind {
	SCAN_INVALID, /* no value begins here, or a problem came before */
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
	const char *problem; /* NULL: none so far */
};

/* text is what is checked for UTF-8 here. */
void scan_start(struct scanner *scanner, struct str text);

/* What comes next; moves only over blanks. */
enum scan_kind scan_peek(struct scanner *scanner);

/* Takes the value that comes next, which is of that kind. */
bool scan_null(struct scanner *scanner);
bool scan_boolean(struct scanner *scanner, bool *ret_value);
bool scan_number(struct scanner *scanner, struct str *ret_digits);

/* *ret_raw is what stands between the quotes; with escapes in it *ret_escaped is set. */
bool scan_string(struct scanner *scanner, struct str *ret_raw, bool *ret_escaped);

/* Into an object or array, then to each member; the last scan_next goes out of it and returns false, as it does for a
 * problem. A key is read as a string is. */
bool scan_enter(struct scanner *scanner);
bool scan_next(struct scanner *scanner, size_t index);
bool scan_next_key(struct scanner *scanner, size_t index, struct str *ret_raw, bool *ret_escaped);

/* Takes a value of any kind. */
bool scan_skip(struct scanner *scanner);

/* Nothing but blanks is left. */
bool scan_finish(struct scanner *scanner);

/* Writes what a string with escapes stands for, of at most raw.len bytes; returns how many. raw was read. */
size_t scan_unescape(struct str raw, char *out);

/* A whole number of 64 bits with its sign and nothing behind it, exactly; false: it is none, or does not fit. digits
 * were read. */
bool scan_to_int(struct str digits, int64_t *ret_number);
bool scan_is_whole(struct str digits);
