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
#include "base/clock.h"

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

/* Writes a JSON value and a newline; takes the reference. */
enum json_shape {
	JSON_RECORD, /* one of many: always one line */
	JSON_ONE_LINE, /* indented for a person at a terminal */
	JSON_MANY_LINES,
};
void output_json(json_t *value, enum json_shape shape);

/* Writes a text that is JSON and a newline: as it is, or indented for a person at a terminal. Numbers and strings are
 * kept as they are written. */
void output_json_text(struct str text);

/* The time as it is shown: on a terminal that of the place with its distance from UTC ("2026-01-31
 * 08:00:00.123+01:00"), elsewhere, and with utc, as RFC 3339 in UTC. */
void output_time(char ret_text[TIME_TEXT_MAX], int64_t wall_ms, bool utc);

/* From now on errors and warnings are JSON objects, one a line: {"error": TEXT}, {"warning": TEXT}. */
void output_errors_as_json(void);

/* "error: TEXT" and "warning: TEXT" on standard error. */
void output_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* As output_error, with a line "hint: HINT"; in JSON also with "code" and "reason". code, reason and hint may be NULL.
 */
void output_failure(const char *code, const char *reason, const char *hint, const char *text);
/* A wrong use of the command: "error: TEXT" and a line that says where its help is. */
void output_misuse(const char *text, const char *command);
void output_warning(const char *format, ...) PRINTF_LIKE(1, 2);

/* Says on standard error that there is nothing to show, on a terminal or not, as an empty answer could be a fault;
 * nothing beside JSON. */
void output_nothing(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- progress, on standard error, if that is a terminal ----------------------------------------------------------- */

/* Shows a progress line, which the next output on standard error replaces. Nothing unless that is a terminal. */
void progress_show(const char *format, ...) PRINTF_LIKE(1, 2);
/* Writes a progress line that stays. Nothing unless standard error is a terminal. */
void progress_note(const char *format, ...) PRINTF_LIKE(1, 2);
void progress_clear(void);
