/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macros.h"

enum { GAP = 2 }; /* blanks between two columns */

struct table_row {
	struct table_row *next;
	struct table_cell cells[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, struct arena *arena, const struct table_column *columns, size_t column_count) {
	ASSERT(column_count <= TABLE_COLUMNS_MAX);
	*table = (struct table){.arena = arena, .columns = columns, .column_count = column_count};
	struct table_cell cells[TABLE_COLUMNS_MAX];
	for (size_t i = 0; i < column_count; i++)
		cells[i] = (struct table_cell){columns[i].title, STYLE_BOLD};
	table_add(table, cells);
}

void table_add(struct table *table, const struct table_cell *cells) {
	struct table_row *row = arena_alloc(table->arena, sizeof *row);
	row->next = NULL;
	memcpy(row->cells, cells, table->column_count * sizeof *cells);
	if (table->last != NULL)
		table->last->next = row;
	else
		table->first = row;
	table->last = row;
}

/* --- what fits ---------------------------------------------------------------------------------------------------- */

/* The width of the shown columns; shortened: with each text as short as it may be. */
static size_t width_of(const struct table_column *columns, size_t count, const struct table_fit *fit, bool shortened) {
	size_t width = 0, shown = 0;
	for (size_t i = 0; i < count; i++) {
		if (!fit->shown[i])
			continue;
		size_t shortest = shortened && columns[i].shortest > 0 ? columns[i].shortest : fit->widths[i];
		width += MIN(fit->widths[i], shortest);
		shown++;
	}
	return width + (shown > 0 ? (shown - 1) * GAP : 0);
}

static bool drop_one(const struct table_column *columns, size_t count, struct table_fit *fit) {
	size_t found = count;
	for (size_t i = 0; i < count; i++)
		if (fit->shown[i] && columns[i].drop > 0 && (found == count || columns[i].drop > columns[found].drop))
			found = i;
	if (found == count)
		return false;
	fit->shown[found] = false;
	return true;
}

/* Shortens the widest text that may be by one character. */
static bool shorten_one(const struct table_column *columns, size_t count, struct table_fit *fit) {
	size_t found = count;
	for (size_t i = 0; i < count; i++)
		if (fit->shown[i] && columns[i].shortest > 0 && fit->widths[i] > columns[i].shortest &&
		    (found == count || fit->widths[i] > fit->widths[found]))
			found = i;
	if (found == count)
		return false;
	fit->widths[found]--;
	return true;
}

void table_fit(const struct table_column *columns, size_t column_count, size_t limit, struct table_fit *fit) {
	while (width_of(columns, column_count, fit, true) > limit && drop_one(columns, column_count, fit))
		;
	while (width_of(columns, column_count, fit, false) > limit && shorten_one(columns, column_count, fit))
		;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

/* Counts UTF-8 characters, as a detail may be in any language. */
static size_t width(struct str text) {
	size_t characters = 0;
	for (size_t i = 0; i < text.len; i++)
		characters += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
	return characters;
}

/* The first characters of text, as many as the width. */
static struct str first_characters(struct str text, size_t characters) {
	size_t at = 0;
	for (; at < text.len; at++)
		if (((unsigned char)text.ptr[at] & 0xC0) != 0x80 && characters-- == 0)
			break;
	return str_new(text.ptr, at);
}

static struct str first_line(const char *text, bool *ret_more) {
	struct str rest;
	struct str line = str_cut(str_from(text), '\n', &rest);
	*ret_more = rest.len > 0;
	return line;
}

static size_t cell_width(const struct table_cell *cell) {
	bool more;
	size_t characters = width(first_line(cell->text, &more));
	return characters + more;
}

/* Returns the width of what was printed. */
static size_t print_text(const struct table_cell *cell, size_t limit) {
	bool more;
	struct str line = first_line(cell->text, &more);
	bool cut = width(line) + more > limit;
	struct str shown = cut ? first_characters(line, limit - 1) : line;
	output_text(stdout, shown);
	if (cut || more)
		fputs("…", stdout);
	return width(shown) + (cut || more);
}

static void print_row(const struct table *table, const struct table_row *row, const struct table_fit *fit) {
	size_t owed = 0; /* blanks before the next cell; none are printed behind the last */
	for (size_t i = 0; i < table->column_count; i++) {
		const struct table_cell *cell = &row->cells[i];
		if (!fit->shown[i])
			continue;
		printf("%*s", (int)owed, "");
		if (cell->style != STYLE_PLAIN)
			output_style(stdout, cell->style);
		size_t printed = print_text(cell, fit->widths[i]);
		if (cell->style != STYLE_PLAIN)
			output_style(stdout, STYLE_PLAIN);
		owed = fit->widths[i] - printed + GAP;
	}
	putchar('\n');
}

/* Columns of the terminal; SIZE_MAX: standard output is none, or does not know. */
static size_t terminal_width(void) {
	struct winsize size;
	if (!output_is_terminal(stdout) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return SIZE_MAX;
	return size.ws_col;
}

void table_print(const struct table *table, bool wide) {
	struct table_fit fit = {0};
	for (size_t i = 0; i < table->column_count; i++)
		fit.shown[i] = true;
	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		for (size_t i = 0; i < table->column_count; i++)
			fit.widths[i] = MAX(fit.widths[i], cell_width(&row->cells[i]));
	table_fit(table->columns, table->column_count, wide ? SIZE_MAX : terminal_width(), &fit);
	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		print_row(table, row, &fit);
}
