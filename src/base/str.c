/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

int str_compare(struct str a, struct str b) {
	size_t common = MIN(a.len, b.len);
	int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

struct str str_cut(struct str text, char separator, struct str *ret_rest) {
	const char *at = text.len ? memchr(text.ptr, separator, text.len) : NULL;
	if (at == NULL) {
		*ret_rest = (struct str){0};
		return text;
	}
	size_t before = (size_t)(at - text.ptr);
	*ret_rest = str_new(at + 1, text.len - before - 1);
	return str_new(text.ptr, before);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str text) {
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = str_from_offset(text, 1);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

bool str_to_u64(struct str text, uint64_t *ret_number) {
	if (text.len == 0 || text.len > 19)
		return false;
	uint64_t number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* The length of the UTF-8 sequence that begins text, 0 when it is malformed. */
static size_t sequence_length(const unsigned char *text, size_t len) {
	unsigned char first = text[0];
	size_t need = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
	if (need == 0 || need > len)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((text[i] & 0xC0) != 0x80)
			return 0;
	if ((first == 0xE0 && text[1] < 0xA0) || (first == 0xED && text[1] > 0x9F))
		return 0;
	if ((first == 0xF0 && text[1] < 0x90) || (first == 0xF4 && text[1] > 0x8F))
		return 0;
	return need;
}

bool str_is_text(struct str text) {
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	for (size_t i = 0; i < text.len;) {
		size_t length = sequence_length(bytes + i, text.len - i);
		if (length == 0 || bytes[i] == 0)
			return false;
		i += length;
	}
	return true;
}

enum { WORD_MAX = 64 };

size_t str_distance(struct str a, struct str b, size_t limit) {
	if (a.len > WORD_MAX || b.len > WORD_MAX)
		return str_eq(a, b) ? 0 : limit;
	if (MAX(a.len, b.len) - MIN(a.len, b.len) >= limit)
		return limit;
	limit = MIN(limit, (size_t)WORD_MAX + 1);
	size_t rows[3][WORD_MAX + 2];
	size_t *before_last = rows[0], *last = rows[1], *row = rows[2], last_least = 0;
	for (size_t j = 0; j <= b.len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		/* Further from the diagonal the distance is over the limit. */
		size_t first = i > limit ? i - limit : 1, end = MIN(i + limit, b.len);
		size_t least = row[first - 1] = first > 1 ? limit : i;
		for (size_t j = first; j <= end; j++) {
			size_t replace = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
			row[j] = MIN(replace, MIN(last[j], row[j - 1]) + 1);
			bool swapped = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
			if (swapped)
				row[j] = MIN(row[j], before_last[j - 2] + 1);
			least = MIN(least, row[j]);
		}
		row[end + 1] = limit;
		/* A row comes of the two before it. */
		if (least >= limit && last_least >= limit)
			return limit;
		last_least = least;
		size_t *spare = before_last;
		before_last = last;
		last = row;
		row = spare;
	}
	return MIN(last[b.len], limit);
}
