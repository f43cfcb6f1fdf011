/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_scan.h"

#include "base/text.h"

static bool fail(struct scanner *scanner, const char *problem) {
	if (scanner->problem == NULL)
		scanner->problem = problem;
	return false;
}

void scan_start(struct scanner *scanner, struct str text) {
	*scanner = (struct scanner){.text = text};
	if (!str_is_text(text))
		fail(scanner, "not UTF-8");
}

static char peek_char(const struct scanner *scanner) {
	return scanner->at < scanner->text.len ? scanner->text.ptr[scanner->at] : '\0';
}

static void skip_blanks(struct scanner *scanner) {
	for (char c; (c = peek_char(scanner)) == ' ' || c == '\t' || c == '\n' || c == '\r';)
		scanner->at++;
}

static bool take(struct scanner *scanner, char c) {
	if (peek_char(scanner) != c)
		return false;
	scanner->at++;
	return true;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

enum scan_kind scan_peek(struct scanner *scanner) {
	if (scanner->problem != NULL)
		return SCAN_INVALID;
	skip_blanks(scanner);
	switch (peek_char(scanner)) {
	case 'n':
		return SCAN_NULL;
	case 't':
	case 'f':
		return SCAN_BOOLEAN;
	case '"':
		return SCAN_STRING;
	case '[':
		return SCAN_ARRAY;
	case '{':
		return SCAN_OBJECT;
	case '-':
		return SCAN_NUMBER;
	default:
		if (is_digit(peek_char(scanner)))
			return SCAN_NUMBER;
		fail(scanner, scanner->at == scanner->text.len ? "it ends too early" : "expected a value");
		return SCAN_INVALID;
	}
}

static bool take_word(struct scanner *scanner, struct str word) {
	if (scanner->problem != NULL || !str_starts_with(str_from_offset(scanner->text, scanner->at), word))
		return fail(scanner, "expected null, true or false");
	scanner->at += word.len;
	return true;
}

bool scan_null(struct scanner *scanner) {
	return take_word(scanner, STR("null"));
}

bool scan_boolean(struct scanner *scanner, bool *ret_value) {
	*ret_value = peek_char(scanner) == 't';
	return take_word(scanner, *ret_value ? STR("true") : STR("false"));
}

static bool take_digits(struct scanner *scanner) {
	if (!is_digit(peek_char(scanner)))
		return fail(scanner, "expected a digit");
	while (is_digit(peek_char(scanner)))
		scanner->at++;
	return true;
}

bool scan_number(struct scanner *scanner, struct str *ret_digits) {
	size_t start = scanner->at;
	if (scanner->problem != NULL)
		return false;
	(void)take(scanner, '-');
	if (take(scanner, '0')) {
		if (is_digit(peek_char(scanner)))
			return fail(scanner, "a number begins with 0");
	} else if (!take_digits(scanner)) {
		return false;
	}
	if (take(scanner, '.') && !take_digits(scanner))
		return false;
	if (take(scanner, 'e') || take(scanner, 'E')) {
		if (!take(scanner, '-'))
			(void)take(scanner, '+');
		if (!take_digits(scanner))
			return false;
	}
	*ret_digits = str_new(scanner->text.ptr + start, scanner->at - start);
	return true;
}

/* The value of four hexadecimal digits; -1: they are not. */
static int read_unit(struct str text) {
	int unit = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = i < text.len ? text_hex_value(text.ptr[i]) : -1;
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

/* Takes an escape sequence; the scanner is at the backslash. */
static bool take_escape(struct scanner *scanner) {
	struct str rest = str_from_offset(scanner->text, scanner->at + 1);
	if (rest.len == 0)
		return fail(scanner, "it ends within a string");
	if (rest.ptr[0] != 'u') {
		scanner->at += 2;
		return memchr("\"\\/bfnrt", rest.ptr[0], 8) != NULL || fail(scanner, "an unknown escape in a string");
	}
	int unit = read_unit(str_from_offset(rest, 1));
	if (unit <= 0)
		return fail(scanner, unit == 0 ? "a NUL in a string" : "expected four hexadecimal digits after \\u");
	scanner->at += 6;
	if (is_high_surrogate(unit)) {
		rest = str_from_offset(scanner->text, scanner->at);
		if (!str_starts_with(rest, STR("\\u")) || !is_low_surrogate(read_unit(str_from_offset(rest, 2))))
			return fail(scanner, "half of a surrogate pair in a string");
		scanner->at += 6;
		return true;
	}
	return !is_low_surrogate(unit) || fail(scanner, "half of a surrogate pair in a string");
}

bool scan_string(struct scanner *scanner, struct str *ret_raw, bool *ret_escaped) {
	if (scanner->problem != NULL)
		return false;
	if (!take(scanner, '"'))
		return fail(scanner, "expected a string");
	size_t start = scanner->at;
	*ret_escaped = false;
	while (scanner->at < scanner->text.len) {
		unsigned char c = (unsigned char)scanner->text.ptr[scanner->at];
		if (c == '"') {
			*ret_raw = str_new(scanner->text.ptr + start, scanner->at++ - start);
			return true;
		}
		if (c < ' ')
			return fail(scanner, "a control character in a string");
		if (c != '\\') {
			scanner->at++;
			continue;
		}
		*ret_escaped = true;
		if (!take_escape(scanner))
			return false;
	}
	return fail(scanner, "it ends within a string");
}

static size_t put_utf8(unsigned code, char *out) {
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
	for (size_t i = len; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3F));
	out[0] = (char)(first[len] | code);
	return len;
}

size_t scan_unescape(struct str raw, char *out) {
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

bool scan_enter(struct scanner *scanner) {
	if (scanner->problem != NULL)
		return false;
	if (scanner->depth == SCAN_DEPTH_MAX)
		return fail(scanner, "it is nested deeper than 100");
	scanner->depth++;
	scanner->at++;
	return true;
}

/* Moves past the comma to the next member, or past the closing bracket. */
static bool next(struct scanner *scanner, size_t index, char closing, const char *problem) {
	if (scanner->problem != NULL)
		return false;
	skip_blanks(scanner);
	if (take(scanner, closing)) {
		scanner->depth--;
		return false;
	}
	if (index > 0 && !take(scanner, ','))
		return fail(scanner, scanner->at == scanner->text.len ? "it ends too early" : problem);
	skip_blanks(scanner);
	return true;
}

bool scan_next(struct scanner *scanner, size_t index) {
	return next(scanner, index, ']', "expected ',' or ']'");
}

bool scan_next_key(struct scanner *scanner, size_t index, struct str *ret_raw, bool *ret_escaped) {
	if (!next(scanner, index, '}', "expected ',' or '}'"))
		return false;
	if (peek_char(scanner) != '"')
		return fail(scanner, scanner->at == scanner->text.len ? "it ends too early" : "expected a key in \"");
	if (!scan_string(scanner, ret_raw, ret_escaped))
		return false;
	skip_blanks(scanner);
	return take(scanner, ':') || fail(scanner, "expected ':'");
}

static bool skip_members(struct scanner *scanner, bool object) {
	struct str key;
	bool escaped;
	if (!scan_enter(scanner))
		return false;
	for (size_t i = 0; object ? scan_next_key(scanner, i, &key, &escaped) : scan_next(scanner, i); i++)
		if (!scan_skip(scanner))
			return false;
	return scanner->problem == NULL;
}

bool scan_skip(struct scanner *scanner) {
	struct str text;
	bool flag;
	switch (scan_peek(scanner)) {
	case SCAN_NULL:
		return scan_null(scanner);
	case SCAN_BOOLEAN:
		return scan_boolean(scanner, &flag);
	case SCAN_NUMBER:
		return scan_number(scanner, &text);
	case SCAN_STRING:
		return scan_string(scanner, &text, &flag);
	case SCAN_ARRAY:
		return skip_members(scanner, false);
	case SCAN_OBJECT:
		return skip_members(scanner, true);
	case SCAN_INVALID:
		return false;
	}
	return false;
}

bool scan_is_at_end(struct scanner *scanner) {
	static const char after[] = ",]} \n\t\r";
	bool ends = scanner->at == scanner->text.len ||
		    memchr(after, scanner->text.ptr[scanner->at], sizeof after - 1) != NULL;
	return scanner->problem == NULL && (ends || fail(scanner, "something follows the value"));
}

bool scan_finish(struct scanner *scanner) {
	if (scanner->problem != NULL)
		return false;
	skip_blanks(scanner);
	return scanner->at == scanner->text.len || fail(scanner, "something follows the value");
}

bool scan_is_whole(struct str digits) {
	for (size_t i = 0; i < digits.len; i++)
		if (digits.ptr[i] == '.' || digits.ptr[i] == 'e' || digits.ptr[i] == 'E')
			return false;
	return true;
}

bool scan_to_int(struct str digits, int64_t *ret_number) {
	bool negative = digits.len > 0 && digits.ptr[0] == '-';
	uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	uint64_t number;
	if (!str_to_u64(str_from_offset(digits, negative), &number) || number > most)
		return false;
	*ret_number = negative ? (int64_t)(0 - number) : (int64_t)number;
	return true;
}
