/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON read in place (RFC 8259): one value after the other, and no tree. A tree of a hostile text takes fifty times
 * its size, and one of a library would round large numbers before anyone knows whether they are Int or Float.
 *
 * Functions return false when the text is not JSON; the reader then knows why, and every later call returns false too.
 */
#pragma once

#include "base/str.h"

enum { JSON_DEPTH_MAX = 100 };

enum json_kind {
	JSON_INVALID, /* no value begins here, or a problem came before */
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_reader {
	struct str text; /* borrowed */
	size_t at;
	size_t depth;
	const char *problem; /* NULL: none so far */
};

/* text is what is checked for UTF-8 here. */
void json_start(struct json_reader *reader, struct str text);

/* What comes next; moves only over blanks. */
enum json_kind json_peek(struct json_reader *reader);

/* Takes the value that comes next, which is of that kind. */
bool json_read_null(struct json_reader *reader);
bool json_read_boolean(struct json_reader *reader, bool *ret_value);
bool json_read_number(struct json_reader *reader, struct str *ret_digits);

/* *ret_raw is what stands between the quotes; with escapes in it *ret_escaped is set. */
bool json_read_string(struct json_reader *reader, struct str *ret_raw, bool *ret_escaped);

/* Into an object or array, then to each member; the last json_next goes out of it and returns false, as it does for a
 * problem. A key is read as a string is. */
bool json_enter(struct json_reader *reader);
bool json_next(struct json_reader *reader, size_t index);
bool json_next_key(struct json_reader *reader, size_t index, struct str *ret_raw, bool *ret_escaped);

/* Takes a value of any kind. */
bool json_skip(struct json_reader *reader);

/* Nothing but blanks is left. */
bool json_finish(struct json_reader *reader);

/* Writes what a string with escapes stands for, of at most raw.len bytes; returns how many. raw was read. */
size_t json_unescape(struct str raw, char *out);

/* A whole number of 64 bits with its sign and nothing behind it, exactly; false: it is none, or does not fit. digits
 * were read. */
bool json_to_int(struct str digits, int64_t *ret_number);
bool json_is_whole(struct str digits);
