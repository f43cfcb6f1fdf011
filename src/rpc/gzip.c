/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/gzip.h"

#include <zlib.h>

enum {
	GZIP_WINDOW = 15 + 16, /* 32 KiB; 16 tells zlib to use gzip's header */
	MEMORY_LEVEL = 8,
	PIECE = KIB(16),
};

/* zlib counts in 32 bits; messages are shorter (max-message). */
static unsigned size_of(struct str bytes) {
	return (unsigned)MIN(bytes.len, (size_t)UINT32_MAX);
}

static unsigned next_piece(const struct buf *out) {
	return (unsigned)MIN(buf_room(out), (size_t)PIECE);
}

int gzip_compress(struct str bytes, struct buf *out, struct error *err) {
	z_stream stream = {.next_in = (Bytef *)bytes.ptr, .avail_in = size_of(bytes)};
	int result = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
	ASSERT(result == Z_OK);
	while (result == Z_OK && buf_room(out) > 0) {
		unsigned room = next_piece(out);
		stream.next_out = (Bytef *)buf_reserve(out, room);
		stream.avail_out = room;
		result = deflate(&stream, Z_FINISH);
		buf_commit(out, room - stream.avail_out);
	}
	deflateEnd(&stream);
	if (result == Z_STREAM_END)
		return 0;
	return error_set(err, CODE_RESOURCE_EXHAUSTED, "the compressed message has more than %zu bytes", out->max);
}

int gzip_expand(struct str bytes, struct buf *out, struct error *err) {
	z_stream stream = {.next_in = (Bytef *)bytes.ptr, .avail_in = size_of(bytes)};
	int result = inflateInit2(&stream, GZIP_WINDOW);
	ASSERT(result == Z_OK);
	while (result == Z_OK && buf_room(out) > 0) {
		unsigned room = next_piece(out);
		stream.next_out = (Bytef *)buf_reserve(out, room);
		stream.avail_out = room;
		result = inflate(&stream, Z_NO_FLUSH);
		buf_commit(out, room - stream.avail_out);
	}
	/* The output is full: reads the end of a message that just fits. */
	if (result == Z_OK) {
		Bytef more;
		stream.next_out = &more;
		stream.avail_out = 1;
		result = inflate(&stream, Z_NO_FLUSH);
		if ((result == Z_OK || result == Z_STREAM_END) && stream.avail_out == 0)
			result = Z_MEM_ERROR;
	}
	unsigned rest = stream.avail_in;
	inflateEnd(&stream);
	if (result == Z_STREAM_END && rest == 0)
		return 0;
	if (result == Z_MEM_ERROR)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "the message has more than %zu bytes when it is decompressed, which is "
				 "max-message",
				 out->max);
	return error_set(err, CODE_INVALID_ARGUMENT, "the message is marked as gzip, but is malformed or cut short");
}
