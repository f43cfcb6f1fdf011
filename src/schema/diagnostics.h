/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics of a schema: all errors of one run, each with its place, an excerpt of the line and a hint.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

enum { SCHEMA_DIAGNOSTICS_MAX = 100 };

struct schema_diagnostic {
	struct schema_pos pos;
	const char *message;
	const char *excerpt; /* the line with a mark below it; "": no source text */
	const char *hint; /* NULL: none */
};

struct schema_diagnostics {
	struct schema_diagnostic items[SCHEMA_DIAGNOSTICS_MAX];
	size_t count;
	size_t left_out; /* diagnostics past the maximum */
	struct arena arena;
	const char *file; /* the text that excerpts are taken from; both borrowed */
	struct str text;
};

void schema_diagnostics_init(struct schema_diagnostics *diagnostics);
void schema_diagnostics_deinit(struct schema_diagnostics *diagnostics);

/* Later excerpts come from this text, which the caller keeps until the diagnostics are freed. */
void schema_diagnostics_set_text(struct schema_diagnostics *diagnostics, const char *file, struct str text);

/* Adds a diagnostic and returns -1, for `return schema_diagnose(…)`. hint may be NULL. */
int schema_diagnose(struct schema_diagnostics *diagnostics, struct schema_pos pos, const char *hint, const char *format,
		    ...) PRINTF_LIKE(4, 5);

/* Whether the maximum is reached: further diagnostics are only counted, so callers need not search for hints. */
static inline bool schema_diagnostics_are_full(const struct schema_diagnostics *diagnostics) {
	return diagnostics->count == SCHEMA_DIAGNOSTICS_MAX;
}

/* Sorts by place, as those of parse and check come one after the other. */
void schema_diagnostics_sort(struct schema_diagnostics *diagnostics);

/* Prints "file:line:column: message", the excerpt, "hint: …". -1: over the buffer's maximum. */
int schema_diagnostics_print(const struct schema_diagnostics *diagnostics, struct buf *buf) MUST_USE;

/* InvalidArgument with as many messages as fit, "; " between them. There is at least one. Returns -1. */
int schema_diagnostics_to_error(const struct schema_diagnostics *diagnostics, struct error *err);
