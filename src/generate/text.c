/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/text.h"

#include <stdarg.h>
#include <stdio.h>

static void append(struct text *text, struct str bytes) {
	if (!text->full && buf_append(text->buf, bytes) < 0)
		text->full = true;
}

void text_put(struct text *text, const char *bytes) {
	append(text, str_from(bytes));
}

void text_printf(struct text *text, const char *format, ...) {
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	ASSERT(len >= 0);
	char *room = text->full ? NULL : buf_reserve(text->buf, (size_t)len + 1);
	text->full = room == NULL;
	if (room != NULL) {
		vsnprintf(room, (size_t)len + 1, format, again);
		buf_commit(text->buf, (size_t)len);
	}
	va_end(again);
	va_end(args);
}

void text_put_literal(struct text *text, const char *value) {
	text_put(text, "\"");
	for (const char *c = value; *c != '\0'; c++) {
		/* Octal escapes have exactly three digits, so they need no separator. "?" is escaped, as "??" begins a
		 * trigraph. */
		if (*c == '"' || *c == '\\')
			text_printf(text, "\\%c", *c);
		else if ((unsigned char)*c < ' ' || *c == 0x7F || (*c == '?' && c[1] == '?'))
			text_printf(text, "\\%03o", (unsigned)(unsigned char)*c);
		else
			append(text, str_new(c, 1));
	}
	text_put(text, "\"");
}
