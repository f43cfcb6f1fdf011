/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables on standard output. On a terminal they fit its width: columns are dropped in the order of their ranks, until
 * the rest fits with its longest texts shortened; `-o wide` keeps all. Elsewhere nothing is dropped or shortened.
 */
#pragma once

#include "cli/output.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table_column {
	const char *title;
	unsigned drop; /* the column with the highest is dropped first; 0: it stays */
	unsigned shortest; /* characters to which its texts may be shortened; 0: they are not */
};

struct table_cell {
	const char *text; /* borrowed; only its first line is shown */
	enum style style;
};

struct table {
	struct arena *arena; /* borrowed; holds the rows */
	const struct table_column *columns; /* borrowed */
	size_t column_count;
	struct table_row *first, *last;
};

/* The titles become the first row. */
void table_init(struct table *table, struct arena *arena, const struct table_column *columns, size_t column_count);
void table_add(struct table *table, const struct table_cell *cells);
/* wide: keeps all columns whole on a terminal too. */
void table_print(const struct table *table, bool wide);

/* What of a table fits a width; shown and widths have an entry for each column. Pure. */
struct table_fit {
	bool shown[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];
};
void table_fit(const struct table_column *columns, size_t column_count, size_t limit, struct table_fit *fit);
