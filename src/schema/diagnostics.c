/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MESSAGE_MAX = 512,
	EXCERPT_CHARS = 100, /* a longer line is cut to the part around the place */
	EXCERPT_BYTES = EXCERPT_CHARS * 4,
	ARENA_MAX = SCHEMA_DIAGNOSTICS_MAX * 4096,
};

void schema_diagnostics_init(struct schema_diagnostics *diagnostics) {
	diagnostics->count = 0;
	diagnostics->left_out = 0;
	arena_init(&diagnostics->arena, ARENA_MAX);
	schema_diagnostics_set_text(diagnostics, NULL, STR(""));
}

void schema_diagnostics_deinit(struct schema_diagnostics *diagnostics) {
	arena_deinit(&diagnostics->arena);
}

void schema_diagnostics_set_text(struct schema_diagnostics *diagnostics, const char *file, struct str text) {
	diagnostics->file = file;
	diagnostics->text = text;
}

static bool find_line(struct str text, uint32_t number, struct str *ret_line) {
	struct str rest = text;
	for (uint32_t line = 1; rest.ptr != NULL; line++) {
		struct str found = str_cut(rest, '\n', &rest);
		if (line == number) {
			*ret_line = found;
			return true;
		}
	}
	return false;
}

/* The bytes that the first count characters take. */
static size_t skip_chars(struct str line, size_t count) {
	size_t at = 0;
	while (at < line.len && count > 0) {
		at++;
		while (at < line.len && ((unsigned char)line.ptr[at] & 0xC0) == 0x80)
			at++;
		count--;
	}
	return at;
}

/* The length in characters of the word at the place. */
static size_t mark_length(struct str from) {
	size_t len = 0;
	while (len < from.len && len < SCHEMA_NAME_MAX && schema_is_name(str_new(from.ptr, len + 1)))
		len++;
	return MAX(len, (size_t)1);
}

/* Blanks up to the place, with the line's own tabs, so that the mark stands below it at any tab width. */
static size_t write_indent(char *out, struct str before) {
	size_t used = 0;
	for (size_t i = 0; i < before.len; i++)
		if (((unsigned char)before.ptr[i] & 0xC0) != 0x80)
			out[used++] = before.ptr[i] == '\t' ? '\t' : ' ';
	return used;
}

/* Copies a line without trailing blanks and control characters. */
static size_t copy_printable(char out[EXCERPT_BYTES], struct str line) {
	size_t len = MIN(line.len, (size_t)EXCERPT_BYTES);
	while (len > 0 && (line.ptr[len - 1] == '\r' || line.ptr[len - 1] == ' '))
		len--;
	bool is_text = str_is_text(str_new(line.ptr, len));
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)line.ptr[i];
		bool plain = byte == '\t' || (byte >= ' ' && byte < 0x7F) || (byte >= 0x80 && is_text);
		out[i] = plain ? (char)byte : '?';
	}
	return len;
}

static const char *make_excerpt(struct schema_diagnostics *diagnostics, struct schema_pos pos) {
	struct str line;
	if (pos.line == 0 || pos.file == NULL || diagnostics->file == NULL ||
	    strcmp(pos.file, diagnostics->file) != 0 || !find_line(diagnostics->text, pos.line, &line))
		return "";
	size_t column = MAX(pos.column, (uint32_t)1) - 1;
	size_t cut = column > EXCERPT_CHARS * 3 / 4 ? column - EXCERPT_CHARS / 2 : 0;
	line = str_from_offset(line, skip_chars(line, cut));
	line.len = skip_chars(line, EXCERPT_CHARS);
	struct str before = str_new(line.ptr, skip_chars(line, column - cut));
	char mark[EXCERPT_CHARS + SCHEMA_NAME_MAX + 1];
	size_t used = write_indent(mark, before);
	size_t length = mark_length(str_from_offset(line, before.len));
	memset(mark + used, '~', length);
	mark[used] = '^';
	char shown[EXCERPT_BYTES];
	size_t shown_len = copy_printable(shown, line);
	return arena_printf(&diagnostics->arena, "    %.*s\n    %.*s\n", (int)shown_len, shown, (int)(used + length),
			    mark);
}

/* Repairs a text that was cut within a UTF-8 character and replaces control characters. */
static void make_printable(char *text) {
	size_t len = strlen(text);
	while (len > 0 && !str_is_text(str_new(text, len)))
		text[--len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
			text[i] = '?';
}

int schema_diagnose(struct schema_diagnostics *diagnostics, struct schema_pos pos, const char *hint, const char *format,
		    ...) {
	if (schema_diagnostics_are_full(diagnostics)) {
		diagnostics->left_out++;
		return -1;
	}
	char message[MESSAGE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	make_printable(message);
	diagnostics->items[diagnostics->count++] = (struct schema_diagnostic){
		.pos = pos,
		.message = arena_strdup(&diagnostics->arena, str_from(message)),
		.excerpt = make_excerpt(diagnostics, pos),
		.hint = hint ? arena_printf(&diagnostics->arena, "%.*s", MESSAGE_MAX, hint) : NULL,
	};
	return -1;
}

static int by_place(const void *left, const void *right) {
	const struct schema_diagnostic *a = left, *b = right;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.column != b->pos.column)
		return a->pos.column < b->pos.column ? -1 : 1;
	return strcmp(a->message, b->message);
}

void schema_diagnostics_sort(struct schema_diagnostics *diagnostics) {
	qsort(diagnostics->items, diagnostics->count, sizeof diagnostics->items[0], by_place);
}

static int print_one(const struct schema_diagnostic *item, struct buf *buf) {
	const char *file = item->pos.file ? item->pos.file : "";
	if (item->pos.line > 0 && buf_printf(buf, "%s:%u:%u: ", file, item->pos.line, item->pos.column) != 0)
		return -1;
	if (buf_printf(buf, "%s\n%s", item->message, item->excerpt) != 0)
		return -1;
	return item->hint ? buf_printf(buf, "    hint: %s\n", item->hint) : 0;
}

int schema_diagnostics_print(const struct schema_diagnostics *diagnostics, struct buf *buf) {
	for (size_t i = 0; i < diagnostics->count; i++)
		if (print_one(&diagnostics->items[i], buf) != 0)
			return -1;
	if (diagnostics->left_out > 0)
		return buf_printf(buf, "and %zu more\n", diagnostics->left_out);
	return 0;
}

int schema_diagnostics_to_error(const struct schema_diagnostics *diagnostics, struct error *err) {
	ASSERT(diagnostics->count > 0);
	char text[ERROR_TEXT_MAX] = "";
	size_t shown = 0, used = 0;
	for (; shown < diagnostics->count; shown++) {
		const struct schema_diagnostic *item = &diagnostics->items[shown];
		char one[ERROR_TEXT_MAX];
		int len = snprintf(one, sizeof one, "%s%s%s%s%s", shown ? "; " : "", item->message,
				   item->hint ? " (" : "", item->hint ? item->hint : "", item->hint ? ")" : "");
		if (shown > 0 && used + (size_t)len + sizeof " and 1000000 more" > sizeof text)
			break;
		used += (size_t)snprintf(text + used, sizeof text - used, "%s", one);
		used = MIN(used, sizeof text - 1);
	}
	size_t rest = diagnostics->count - shown + diagnostics->left_out;
	if (rest > 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s and %zu more", text, rest);
	return error_set(err, CODE_INVALID_ARGUMENT, "%s", text);
}
