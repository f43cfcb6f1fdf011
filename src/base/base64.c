/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *ret_text, struct str bytes, enum base64 form) {
	size_t len = 0;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t size = MIN(bytes.len - i, (size_t)3);
		unsigned group = 0;
		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < size ? (unsigned char)bytes.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++) {
			if (k <= size)
				ret_text[len++] = alphabet[group >> (18 - 6 * k) & 63];
			else if (form == BASE64_PADDED)
				ret_text[len++] = '=';
		}
	}
	return len;
}

static inline int standard_digit(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static inline int digit_of(char c) {
	int digit = standard_digit(c);
	return digit >= 0 ? digit : c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64_is_strict(struct str text) {
	size_t digits = text.len;
	while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (standard_digit(text.ptr[i]) < 0)
			return false;
	int last = digits > 0 ? standard_digit(text.ptr[digits - 1]) : 0;
	size_t padding = text.len - digits;
	return text.len % 4 == 0 && (padding == 0 || (padding == 1 ? last % 4 == 0 : last % 16 == 0));
}

bool base64_decode(char *ret_bytes, size_t *ret_len, struct str text) {
	size_t len = 0;
	if (text.len % 4 == 0)
		for (int pads = 0; pads < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; pads++)
			text.len--;
	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t size = MIN(text.len - i, (size_t)4);
		unsigned group = 0;
		for (size_t k = 0; k < 4; k++) {
			int digit = k < size ? digit_of(text.ptr[i + k]) : 0;
			if (digit < 0)
				return false;
			group = group << 6 | (unsigned)digit;
		}
		for (size_t k = 0; k + 1 < size; k++)
			ret_bytes[len++] = (char)(group >> (16 - 8 * k));
	}
	*ret_len = len;
	return true;
}

struct str base64_encode_in(struct arena *arena, struct str bytes, enum base64 form) {
	char *text = arena_alloc(arena, base64_size(bytes.len) + 1);
	return str_new(text, base64_encode(text, bytes, form));
}

bool base64_decode_in(struct arena *arena, struct str text, struct str *ret_bytes) {
	char *bytes = arena_try_alloc(arena, text.len / 4 * 3 + 3);
	size_t len;
	if (bytes == NULL || !base64_decode(bytes, &len, text))
		return false;
	*ret_bytes = str_new(bytes, len);
	return true;
}
