/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <float.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static bool progress_shown; /* the cursor is at the end of a progress line, which the next output replaces */

bool output_is_terminal(FILE *file) {
	return isatty(fileno(file));
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static bool has_colour(FILE *file) {
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	if (no_color != NULL && no_color[0] != '\0')
		return false;
	return output_is_terminal(file) && !(term != NULL && strcmp(term, "dumb") == 0);
}

void output_style(FILE *file, enum style style) {
	static const char *const codes[] = {
		[STYLE_PLAIN] = "0",
		[STYLE_BOLD] = "1",
		[STYLE_DIM] = "2",
		[STYLE_RED] = "31",
		[STYLE_GREEN] = "32",
		[STYLE_YELLOW] = "33",
	};
	if (has_colour(file))
		fprintf(file, "\033[%sm", codes[style]);
}

/* ESC, the other C0 controls, DEL, and the C1 controls, which are C2 80 to C2 9F in UTF-8. */
static bool is_control(const struct str text, size_t at) {
	unsigned char byte = (unsigned char)text.ptr[at];
	if (byte == '\t')
		return false;
	if (byte < 0x20 || byte == 0x7F)
		return true;
	return byte >= 0x80 && byte < 0xA0 && at > 0 && (unsigned char)text.ptr[at - 1] == 0xC2;
}

void output_text(FILE *file, struct str text) {
	for (size_t i = 0; i < text.len; i++)
		putc(is_control(text, i) ? '?' : text.ptr[i], file);
}

void output_lines(FILE *file, const char *prefix, struct str text) {
	while (text.ptr != NULL) {
		struct str line = str_cut(text, '\n', &text);
		if (line.len == 0 && text.ptr == NULL)
			break;
		fputs(prefix, file);
		output_text(file, line);
		putc('\n', file);
	}
}

/* The digits that a number needs, from 15, which all decimal fractions of people fit into, to 17, which every double
 * does. */
static int digits_of(double number) {
	char text[32];
	for (int digits = DBL_DIG; digits < DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			return digits;
	}
	return DBL_DECIMAL_DIG;
}

/* The most digits that a number in value needs: jansson has one precision for all. */
static int digits_within(const json_t *value) {
	const char *name;
	json_t *item;
	size_t i;
	int digits = json_is_real(value) ? digits_of(json_real_value(value)) : DBL_DIG;
	if (json_is_object(value))
		json_object_foreach((json_t *)value, name, item) digits = MAX(digits, digits_within(item));
	else
		json_array_foreach(value, i, item) digits = MAX(digits, digits_within(item));
	return digits;
}

void output_json_value(FILE *file, const json_t *value, size_t flags) {
	json_dumpf(value, file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits_within(value)) | flags);
}

void output_json(json_t *value, enum json_shape shape) {
	output_json_value(stdout, value, shape == JSON_MANY_LINES ? JSON_INDENT(2) : 0);
	putc('\n', stdout);
	json_decref(value);
}

/* --- standard error ----------------------------------------------------------------------------------------------- */

static void say(enum style style, const char *word, const char *format, va_list args) {
	char text[4096];
	vsnprintf(text, sizeof text, format, args);
	progress_clear();
	output_style(stderr, style);
	fputs(word, stderr);
	output_style(stderr, STYLE_PLAIN);
	/* Line feeds of the text are kept; other control characters are not. */
	struct str rest = str_from(text);
	while (rest.ptr != NULL) {
		output_text(stderr, str_cut(rest, '\n', &rest));
		putc('\n', stderr);
	}
}

void output_error(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(STYLE_RED, "error: ", format, args);
	va_end(args);
}

void output_warning(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(STYLE_YELLOW, "warning: ", format, args);
	va_end(args);
}

void output_nothing(const char *format, ...) {
	va_list args;
	va_start(args, format);
	say(STYLE_DIM, "", format, args);
	va_end(args);
}

void progress_show(const char *format, ...) {
	if (!output_is_terminal(stderr))
		return;
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fputs("\r\033[K", stderr);
	output_text(stderr, str_from(text));
	fflush(stderr);
	progress_shown = true;
}

void progress_note(const char *format, ...) {
	if (!output_is_terminal(stderr))
		return;
	char text[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	progress_clear();
	output_text(stderr, str_from(text));
	putc('\n', stderr);
}

void progress_clear(void) {
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

struct table_row {
	struct table_row *next;
	struct table_cell cells[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, struct arena *arena, const char *const *titles, size_t columns) {
	ASSERT(columns <= TABLE_COLUMNS_MAX);
	*table = (struct table){.arena = arena, .columns = columns};
	struct table_cell cells[TABLE_COLUMNS_MAX];
	for (size_t i = 0; i < columns; i++)
		cells[i] = (struct table_cell){titles[i], STYLE_BOLD};
	table_add(table, cells);
}

void table_add(struct table *table, const struct table_cell *cells) {
	struct table_row *row = arena_alloc(table->arena, sizeof *row);
	row->next = NULL;
	memcpy(row->cells, cells, table->columns * sizeof *cells);
	if (table->last != NULL)
		table->last->next = row;
	else
		table->first = row;
	table->last = row;
}

/* Counts UTF-8 characters, as a detail may be in any language. */
static size_t width(const char *text) {
	size_t characters = 0;
	for (; *text != '\0'; text++)
		characters += ((unsigned char)*text & 0xC0) != 0x80;
	return characters;
}

static void print_row(const struct table_row *row, const size_t *widths, size_t columns) {
	for (size_t i = 0; i < columns; i++) {
		const struct table_cell *cell = &row->cells[i];
		if (cell->style != STYLE_PLAIN)
			output_style(stdout, cell->style);
		output_text(stdout, str_from(cell->text));
		if (cell->style != STYLE_PLAIN)
			output_style(stdout, STYLE_PLAIN);
		if (i + 1 < columns)
			printf("%*s", (int)(widths[i] - width(cell->text) + 2), "");
	}
	putc('\n', stdout);
}

void table_print(const struct table *table) {
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		for (size_t i = 0; i < table->columns; i++)
			widths[i] = MAX(widths[i], width(row->cells[i].text));
	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		print_row(row, widths, table->columns);
}
