/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a schema: all of it in one run, each with its place, the line it stands in and a hint.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

enum { SCHEMA_DIAGNOSTICS_MAX = 100 };

struct schema_diagnostic {
	struct schema_pos pos;
	const char *message;
	const char *excerpt; /* the line and below it the mark; "": there is no text */
	const char *hint; /* NULL: none */
};

struct schema_diagnostics {
	struct schema_diagnostic items[SCHEMA_DIAGNOSTICS_MAX];
	size_t count;
	size_t left_out; /* past the maximum */
	struct arena arena;
	const char *file; /* the text that excerpts are taken from; both borrowed */
	struct str text;
};

void schema_diagnostics_init(struct schema_diagnostics *diagnostics);
void schema_diagnostics_deinit(struct schema_diagnostics *diagnostics);

/* From here on, excerpts are of this text. It stays the caller's and must last. */
void schema_diagnostics_set_text(struct schema_diagnostics *diagnostics, const char *file, struct str text);

/* Returns -1, so that a finder reads `return schema_diagnose(…)`. hint may be NULL. */
int schema_diagnose(struct schema_diagnostics *diagnostics, struct schema_pos pos, const char *hint, const char *format,
		    ...) PRINTF_LIKE(4, 5);

/* Nothing more is kept, so a hint need not be looked for. */
static inline bool schema_diagnostics_are_full(const struct schema_diagnostics *diagnostics) {
	return diagnostics->count == SCHEMA_DIAGNOSTICS_MAX;
}

/* In the order of their places: found by parse and check together, they read from top to bottom. */
void schema_diagnostics_sort(struct schema_diagnostics *diagnostics);

/* For people: "file:line:column: message", the line, the mark, "hint: …". -1: over the buffer's maximum. */
int schema_diagnostics_print(const struct schema_diagnostics *diagnostics, struct buf *buf) MUST_USE;

/* InvalidArgument with as many messages as fit, "; " between them. There is at least one. Returns -1. */
int schema_diagnostics_to_error(const struct schema_diagnostics *diagnostics, struct error *err);
