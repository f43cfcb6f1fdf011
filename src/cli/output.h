/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminal output: data on standard output, progress and errors on standard error. Colour and progress lines appear
 * only on a terminal, colour only without NO_COLOR.
 *
 * Text from a peer goes through output_text, which takes out escape sequences.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/arena.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW };

bool output_is_terminal(FILE *file);

/* Switches to a style, STYLE_PLAIN to none; writes nothing where there is no colour. */
void output_style(FILE *file, enum style style);

/* Writes text with its control characters as "?", tabs aside: no escape sequence gets through. */
void output_text(FILE *file, struct str text);

/* Writes each line of text after prefix, as output_text does. */
void output_lines(FILE *file, const char *prefix, struct str text);

/* Writes a JSON value. Its numbers have as few digits as tell them apart: 0.1, and not 0.10000000000000001. */
void output_json_value(FILE *file, const json_t *value, size_t flags);

/* Writes a JSON value and a newline; takes the reference. JSON_MANY_LINES indents it for people. */
enum json_shape { JSON_ONE_LINE, JSON_MANY_LINES };
void output_json(json_t *value, enum json_shape shape);

/* "error: TEXT" and "warning: TEXT" on standard error. */
void output_error(const char *format, ...) PRINTF_LIKE(1, 2);
void output_warning(const char *format, ...) PRINTF_LIKE(1, 2);

/* Says on standard error that there is nothing to show, on a terminal or not, as an empty answer could be a fault. */
void output_nothing(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- progress, on standard error, if that is a terminal ----------------------------------------------------------- */

/* Shows a progress line, which the next output on standard error replaces. Nothing unless that is a terminal. */
void progress_show(const char *format, ...) PRINTF_LIKE(1, 2);
/* Writes a progress line that stays. Nothing unless standard error is a terminal. */
void progress_note(const char *format, ...) PRINTF_LIKE(1, 2);
void progress_clear(void);

/* --- tables ------------------------------------------------------------------------------------------------------- */

enum { TABLE_COLUMNS_MAX = 12 };

struct table_cell {
	const char *text; /* borrowed */
	enum style style;
};

struct table {
	struct arena *arena; /* borrowed; holds the rows */
	size_t columns;
	struct table_row *first, *last;
};

/* titles become the first row; borrowed. */
void table_init(struct table *table, struct arena *arena, const char *const *titles, size_t columns);
void table_add(struct table *table, const struct table_cell *cells);
void table_print(const struct table *table);
