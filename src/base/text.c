/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void append(struct buf *to, struct str bytes) {
	int over = buf_append(to, bytes);
	ASSERT(over == 0);
}

/* The length of the valid UTF-8 character that text begins with; 0: none. */
static size_t character_len(struct str text) {
	if ((unsigned char)text.ptr[0] < 0x80)
		return text.ptr[0] != '\0';
	for (size_t len = 2; len <= MIN(text.len, (size_t)4); len++)
		if (str_is_text(str_new(text.ptr, len)))
			return len;
	return 0;
}

void text_repair(struct buf *to, struct str bytes) {
	if (str_is_text(bytes)) {
		append(to, bytes);
		return;
	}
	while (bytes.len > 0) {
		size_t len = character_len(bytes);
		append(to, len > 0 ? str_new(bytes.ptr, len) : STR("\xEF\xBF\xBD"));
		bytes = str_from_offset(bytes, MAX(len, (size_t)1));
	}
}

struct str text_cut(struct str text, size_t max) {
	if (text.len <= max)
		return text;
	while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
		max--;
	return str_new(text.ptr, max);
}

/* RFC 8259 section 7: the quote, the backslash and what is below the space. */
static void append_quoted(struct buf *to, struct str character) {
	static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
	char escaped[8] = "";
	unsigned char c = (unsigned char)character.ptr[0];
	const char *meaning = c != '\0' ? strchr(meanings, c) : NULL;
	if (meaning != NULL)
		snprintf(escaped, sizeof escaped, "\\%c", letters[meaning - meanings]);
	else if (c < 0x20)
		snprintf(escaped, sizeof escaped, "\\u%04x", c);
	append(to, escaped[0] != '\0' ? str_from(escaped) : character);
}

void text_quote(struct buf *to, struct str bytes) {
	append(to, STR("\""));
	while (bytes.len > 0) {
		/* NUL is no text but JSON can say it. */
		size_t len = bytes.ptr[0] == '\0' ? 1 : character_len(bytes);
		append_quoted(to, len > 0 ? str_new(bytes.ptr, len) : STR("\xEF\xBF\xBD"));
		bytes = str_from_offset(bytes, MAX(len, (size_t)1));
	}
	append(to, STR("\""));
}

int text_hex_value(char digit) {
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	char lower = (char)(digit | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
