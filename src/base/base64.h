/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum base64 { BASE64_PADDED, BASE64_UNPADDED };

/* The length of the encoding of size bytes, padding included. */
static inline size_t base64_size(size_t size) {
	return (size + 2) / 3 * 4;
}

/* Writes base64_size(bytes.len) characters at most; returns how many. */
size_t base64_encode(char *ret_text, struct str bytes, enum base64 form);

/* Accepts either alphabet, with or without padding. Writes at most text.len / 4 * 3 + 3 bytes. false: invalid. */
bool base64_decode(char *ret_bytes, size_t *ret_len, struct str text);

/* Whether text is RFC 4648, section 4, to the letter: its alphabet, padded, and without stray bits in the last digit.
 */
bool base64_is_strict(struct str text);

struct str base64_encode_in(struct arena *arena, struct str bytes, enum base64 form);
bool base64_decode_in(struct arena *arena, struct str text, struct str *ret_bytes);
