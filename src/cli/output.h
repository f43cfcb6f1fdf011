/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people read: data on standard output, the rest on standard error. Colour and lines that overwrite themselves
 * only on a terminal; no colour where NO_COLOR is set.
 *
 * Whatever comes from a peer goes through output_text, so that it cannot steer the terminal.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/arena.h"

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW };

bool output_is_terminal(FILE *file);

/* Starts a style and ends it again; nothing where there is no colour. */
void output_style(FILE *file, enum style style);

/* Writes text; control characters, which an escape sequence begins with, become "?", but for tabs. */
void output_text(FILE *file, struct str text);

/* The same, each line of text behind prefix. */
void output_lines(FILE *file, const char *prefix, struct str text);

/* A JSON value and a newline; takes the reference. Over several lines if it is for a person. */
enum json_shape { JSON_ONE_LINE, JSON_MANY_LINES };
void output_json(json_t *value, enum json_shape shape);

/* "error: TEXT" and "warning: TEXT" on standard error. */
void output_error(const char *format, ...) PRINTF_LIKE(1, 2);
void output_warning(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- progress, on standard error, if that is a terminal ----------------------------------------------------------- */

/* A line that the next output on standard error replaces. */
void progress_show(const char *format, ...) PRINTF_LIKE(1, 2);
/* A line that stays. */
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

/* The titles are the first row; borrowed. */
void table_init(struct table *table, struct arena *arena, const char *const *titles, size_t columns);
void table_add(struct table *table, const struct table_cell *cells);
void table_print(const struct table *table);
