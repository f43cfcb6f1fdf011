/* SPDX-License-Identifier: Apache-2.0 */
#include "base/last_lines.h"

#include <stdlib.h>

#include "base/memory.h"

void last_lines_deinit(struct last_lines *last) {
	for (size_t i = 0; i < LAST_LINES_MAX; i++)
		free(last->lines[i]);
	*last = (struct last_lines){0};
}

/* Cuts a text at LAST_LINE_SIZE_MAX, before a character that would be split. */
static size_t cut(struct str text) {
	size_t len = MIN(text.len, (size_t)LAST_LINE_SIZE_MAX);
	while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
		len--;
	return len;
}

void last_lines_add(struct last_lines *last, struct str text) {
	if (last->count == LAST_LINES_MAX) {
		free(last->lines[last->first]);
		last->lines[last->first] = NULL;
		last->first = (last->first + 1) % LAST_LINES_MAX;
		last->count--;
	}
	last->lines[(last->first + last->count++) % LAST_LINES_MAX] = mem_strndup(text.ptr, cut(text));
}
