/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the last lines that a program wrote, to be shown if it fails.
 */
#pragma once

#include "base/str.h"

/* The file in a Runner's working folder with the last lines before it died of a fault. */
#define LAST_WORDS_FILE "last-words"

enum { LAST_LINES_MAX = 20, LAST_LINE_SIZE_MAX = 1024 };

struct last_lines {
	char *lines[LAST_LINES_MAX];
	size_t first;
	size_t count;
};

/* Zeroed is empty. */
void last_lines_deinit(struct last_lines *last);

/* Keeps a copy, cut to LAST_LINE_SIZE_MAX bytes; text is valid UTF-8. */
void last_lines_add(struct last_lines *last, struct str text);

/* The oldest first; borrowed. */
static inline const char *last_lines_get(const struct last_lines *last, size_t i) {
	return last->lines[(last->first + i) % LAST_LINES_MAX];
}
