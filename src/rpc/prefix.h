/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five bytes before a message of gRPC, gRPC-Web and Connect's streams: flags, then its size, big endian.
 */
#pragma once

#include <string.h>

#include "base/str.h"

enum { PREFIX_SIZE = 5, PREFIX_COMPRESSED = 1 /* the flag that all three protocols have */ };

/* One that is being received. */
struct prefix {
	unsigned char bytes[PREFIX_SIZE];
	size_t len;
};

/* Takes what is missing off the front of bytes; returns how many bytes that is. */
static inline size_t prefix_take(struct prefix *prefix, struct str bytes) {
	size_t take = MIN(PREFIX_SIZE - prefix->len, bytes.len);
	memcpy(prefix->bytes + prefix->len, bytes.ptr, take);
	prefix->len += take;
	return take;
}

static inline bool prefix_is_complete(const struct prefix *prefix) {
	return prefix->len == PREFIX_SIZE;
}

static inline uint32_t prefix_message_size(const struct prefix *prefix) {
	const unsigned char *bytes = prefix->bytes;
	return (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
}

static inline void prefix_write(unsigned char ret_bytes[PREFIX_SIZE], unsigned char flags, size_t size) {
	ret_bytes[0] = flags;
	for (unsigned i = 1; i < PREFIX_SIZE; i++)
		ret_bytes[i] = (unsigned char)(size >> (8 * (PREFIX_SIZE - 1 - i)));
}
