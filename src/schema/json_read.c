/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_read.h"

static bool fail(struct json_reader *reader, const char *problem) {
	if (reader->problem == NULL)
		reader->problem = problem;
	return false;
}

void json_start(struct json_reader *reader, struct str text) {
	*reader = (struct json_reader){.text = text};
	if (!str_is_text(text))
		fail(reader, "not UTF-8");
}

static char peek_char(const struct json_reader *reader) {
	return reader->at < reader->text.len ? reader->text.ptr[reader->at] : '\0';
}

static void skip_blanks(struct json_reader *reader) {
	for (char c; (c = peek_char(reader)) == ' ' || c == '\t' || c == '\n' || c == '\r';)
		reader->at++;
}

static bool take(struct json_reader *reader, char c) {
	if (peek_char(reader) != c)
		return false;
	reader->at++;
	return true;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

enum json_kind json_peek(struct json_reader *reader) {
	if (reader->problem != NULL)
		return JSON_INVALID;
	skip_blanks(reader);
	switch (peek_char(reader)) {
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOLEAN;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	case '-':
		return JSON_NUMBER;
	default:
		if (is_digit(peek_char(reader)))
			return JSON_NUMBER;
		fail(reader, reader->at == reader->text.len ? "it ends too early" : "expected a value");
		return JSON_INVALID;
	}
}

static bool take_word(struct json_reader *reader, struct str word) {
	if (reader->problem != NULL || !str_starts_with(str_from_offset(reader->text, reader->at), word))
		return fail(reader, "expected null, true or false");
	reader->at += word.len;
	return true;
}

bool json_read_null(struct json_reader *reader) {
	return take_word(reader, STR("null"));
}

bool json_read_boolean(struct json_reader *reader, bool *ret_value) {
	*ret_value = peek_char(reader) == 't';
	return take_word(reader, *ret_value ? STR("true") : STR("false"));
}

static bool take_digits(struct json_reader *reader) {
	if (!is_digit(peek_char(reader)))
		return fail(reader, "expected a digit");
	while (is_digit(peek_char(reader)))
		reader->at++;
	return true;
}

bool json_read_number(struct json_reader *reader, struct str *ret_digits) {
	size_t start = reader->at;
	if (reader->problem != NULL)
		return false;
	(void)take(reader, '-');
	if (take(reader, '0')) {
		if (is_digit(peek_char(reader)))
			return fail(reader, "a number begins with 0");
	} else if (!take_digits(reader)) {
		return false;
	}
	if (take(reader, '.') && !take_digits(reader))
		return false;
	if (take(reader, 'e') || take(reader, 'E')) {
		if (!take(reader, '-'))
			(void)take(reader, '+');
		if (!take_digits(reader))
			return false;
	}
	*ret_digits = str_new(reader->text.ptr + start, reader->at - start);
	return true;
}

static int hex_digit(char c) {
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits at text; -1: they are none. */
static int read_unit(struct str text) {
	int unit = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = i < text.len ? hex_digit(text.ptr[i]) : -1;
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool is_high_surrogate(int unit) {
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit) {
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* The '\' is at hand. */
static bool take_escape(struct json_reader *reader) {
	struct str rest = str_from_offset(reader->text, reader->at + 1);
	if (rest.len == 0)
		return fail(reader, "it ends within a string");
	if (rest.ptr[0] != 'u') {
		reader->at += 2;
		return memchr("\"\\/bfnrt", rest.ptr[0], 8) != NULL || fail(reader, "an unknown escape in a string");
	}
	int unit = read_unit(str_from_offset(rest, 1));
	if (unit <= 0)
		return fail(reader, unit == 0 ? "a NUL in a string" : "expected four hexadecimal digits after \\u");
	reader->at += 6;
	if (is_high_surrogate(unit)) {
		rest = str_from_offset(reader->text, reader->at);
		if (!str_starts_with(rest, STR("\\u")) || !is_low_surrogate(read_unit(str_from_offset(rest, 2))))
			return fail(reader, "half of a surrogate pair in a string");
		reader->at += 6;
		return true;
	}
	return !is_low_surrogate(unit) || fail(reader, "half of a surrogate pair in a string");
}

bool json_read_string(struct json_reader *reader, struct str *ret_raw, bool *ret_escaped) {
	if (reader->problem != NULL)
		return false;
	if (!take(reader, '"'))
		return fail(reader, "expected a string");
	size_t start = reader->at;
	*ret_escaped = false;
	while (reader->at < reader->text.len) {
		unsigned char c = (unsigned char)reader->text.ptr[reader->at];
		if (c == '"') {
			*ret_raw = str_new(reader->text.ptr + start, reader->at++ - start);
			return true;
		}
		if (c < ' ')
			return fail(reader, "a control character in a string");
		if (c != '\\') {
			reader->at++;
			continue;
		}
		*ret_escaped = true;
		if (!take_escape(reader))
			return false;
	}
	return fail(reader, "it ends within a string");
}

static size_t put_utf8(unsigned code, char *out) {
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
	for (size_t i = len; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3F));
	out[0] = (char)(first[len] | code);
	return len;
}

size_t json_unescape(struct str raw, char *out) {
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	size_t used = 0;
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.ptr[i] != '\\') {
			out[used++] = raw.ptr[i];
			continue;
		}
		char letter = raw.ptr[++i];
		if (letter != 'u') {
			out[used++] = meanings[strchr(letters, letter) - letters];
			continue;
		}
		unsigned code = (unsigned)read_unit(str_from_offset(raw, i + 1));
		i += 4;
		if (is_high_surrogate((int)code)) {
			unsigned low = (unsigned)read_unit(str_from_offset(raw, i + 3));
			code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
			i += 6;
		}
		used += put_utf8(code, out + used);
	}
	return used;
}

bool json_enter(struct json_reader *reader) {
	if (reader->problem != NULL)
		return false;
	if (reader->depth == JSON_DEPTH_MAX)
		return fail(reader, "it is nested deeper than 100");
	reader->depth++;
	reader->at++;
	return true;
}

/* To a member, over the comma before it; or out. */
static bool next(struct json_reader *reader, size_t index, char closing, const char *problem) {
	if (reader->problem != NULL)
		return false;
	skip_blanks(reader);
	if (take(reader, closing)) {
		reader->depth--;
		return false;
	}
	if (index > 0 && !take(reader, ','))
		return fail(reader, reader->at == reader->text.len ? "it ends too early" : problem);
	skip_blanks(reader);
	return true;
}

bool json_next(struct json_reader *reader, size_t index) {
	return next(reader, index, ']', "expected ',' or ']'");
}

bool json_next_key(struct json_reader *reader, size_t index, struct str *ret_raw, bool *ret_escaped) {
	if (!next(reader, index, '}', "expected ',' or '}'"))
		return false;
	if (peek_char(reader) != '"')
		return fail(reader, reader->at == reader->text.len ? "it ends too early" : "expected a key in \"");
	if (!json_read_string(reader, ret_raw, ret_escaped))
		return false;
	skip_blanks(reader);
	return take(reader, ':') || fail(reader, "expected ':'");
}

static bool skip_members(struct json_reader *reader, bool object) {
	struct str key;
	bool escaped;
	if (!json_enter(reader))
		return false;
	for (size_t i = 0; object ? json_next_key(reader, i, &key, &escaped) : json_next(reader, i); i++)
		if (!json_skip(reader))
			return false;
	return reader->problem == NULL;
}

bool json_skip(struct json_reader *reader) {
	struct str text;
	bool flag;
	switch (json_peek(reader)) {
	case JSON_NULL:
		return json_read_null(reader);
	case JSON_BOOLEAN:
		return json_read_boolean(reader, &flag);
	case JSON_NUMBER:
		return json_read_number(reader, &text);
	case JSON_STRING:
		return json_read_string(reader, &text, &flag);
	case JSON_ARRAY:
		return skip_members(reader, false);
	case JSON_OBJECT:
		return skip_members(reader, true);
	case JSON_INVALID:
		return false;
	}
	return false;
}

bool json_finish(struct json_reader *reader) {
	if (reader->problem != NULL)
		return false;
	skip_blanks(reader);
	return reader->at == reader->text.len || fail(reader, "something follows the value");
}

bool json_is_whole(struct str digits) {
	for (size_t i = 0; i < digits.len; i++)
		if (digits.ptr[i] == '.' || digits.ptr[i] == 'e' || digits.ptr[i] == 'E')
			return false;
	return true;
}

bool json_to_int(struct str digits, int64_t *ret_number) {
	bool negative = digits.len > 0 && digits.ptr[0] == '-';
	uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	uint64_t number;
	if (!str_to_u64(str_from_offset(digits, negative), &number) || number > most)
		return false;
	*ret_number = negative ? (int64_t)(0 - number) : (int64_t)number;
	return true;
}
