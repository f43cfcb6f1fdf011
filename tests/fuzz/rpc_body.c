/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of all protocols, in a valid request of HTTP/2: gRPC's prefixes, gRPC-Web and its text form,
 * Connect's envelopes, and queries of GET. The first byte chooses the protocol, the second the size of DATA frames.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "rpc_world.h"

#define SERVICE "/connectrpc.conformance.v1.ConformanceService/"

static void add(struct buf *out, struct str bytes) {
	int over = buf_append(out, bytes);
	ASSERT(over == 0);
}

static void add_frame(struct buf *out, unsigned type, unsigned flags, unsigned stream, struct str payload) {
	const unsigned char header[] = {(unsigned char)(payload.len >> 16), (unsigned char)(payload.len >> 8),
					(unsigned char)payload.len, (unsigned char)type, (unsigned char)flags,
					0, 0, 0, (unsigned char)stream};
	add(out, str_new(header, sizeof header));
	add(out, payload);
}

/* A literal header of HPACK without indexing or Huffman coding; the value is below 16 KiB. */
static void add_length(struct buf *out, size_t len) {
	unsigned char bytes[3] = {(unsigned char)MIN(len, (size_t)127)};
	size_t count = 1;
	if (len >= 127) {
		bytes[count++] = (unsigned char)((len - 127) % 128 | (len - 127 >= 128 ? 128 : 0));
		if (len - 127 >= 128)
			bytes[count++] = (unsigned char)((len - 127) / 128);
	}
	add(out, str_new(bytes, count));
}

static void add_header(struct buf *out, struct str name, struct str value) {
	add(out, str_new("", 1));
	add_length(out, name.len);
	add(out, name);
	add_length(out, value.len);
	add(out, value);
}

static const struct {
	struct str path, type, encoding_header;
} protocols[] = {
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/grpc"), STR_INIT("grpc-encoding")},
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/grpc+json"), STR_INIT("grpc-encoding")},
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/grpc-web"), STR_INIT("grpc-encoding")},
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/grpc-web-text"), STR_INIT("grpc-encoding")},
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/connect+proto"), STR_INIT("connect-content-encoding")},
	{STR_INIT(SERVICE "BidiStream"), STR_INIT("application/connect+json"), STR_INIT("connect-content-encoding")},
	{STR_INIT(SERVICE "Unary"), STR_INIT("application/proto"), STR_INIT("content-encoding")},
	{STR_INIT(SERVICE "Unary"), STR_INIT("application/json"), STR_INIT("content-encoding")},
};

static void add_post(struct buf *out, size_t protocol, bool gzip, size_t piece, struct str body) {
	struct buf headers = BUF_INIT(1 << 14);
	add_header(&headers, STR(":method"), STR("POST"));
	add_header(&headers, STR(":scheme"), STR("http"));
	add_header(&headers, STR(":authority"), STR("a"));
	add_header(&headers, STR(":path"), protocols[protocol].path);
	add_header(&headers, STR("content-type"), protocols[protocol].type);
	if (gzip)
		add_header(&headers, protocols[protocol].encoding_header, STR("gzip"));
	add_frame(out, 1, 4, 1, buf_view(&headers));
	buf_deinit(&headers);
	while (body.len > piece) {
		add_frame(out, 0, 0, 1, str_new(body.ptr, piece));
		body = str_from_offset(body, piece);
	}
	add_frame(out, 0, 1, 1, body);
}

static void add_get(struct buf *out, struct str query) {
	struct buf headers = BUF_INIT(1 << 14), path = BUF_INIT(1 << 13);
	add(&path, STR(SERVICE "IdempotentUnary?"));
	add(&path, query);
	add_header(&headers, STR(":method"), STR("GET"));
	add_header(&headers, STR(":scheme"), STR("http"));
	add_header(&headers, STR(":authority"), STR("a"));
	add_header(&headers, STR(":path"), buf_view(&path));
	add_frame(out, 1, 5, 1, buf_view(&headers));
	buf_deinit(&headers);
	buf_deinit(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2 || size > 1 << 15)
		return 0;
	struct buf out = BUF_INIT(1 << 22);
	struct str body = str_new(data + 2, size - 2);
	size_t protocol = data[0] & 15;
	add(&out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	add_frame(&out, 4, 0, 0, STR(""));
	if (protocol < ARRAY_LEN(protocols))
		add_post(&out, protocol, data[0] & 16, (size_t)data[1] * 8 + 1, body);
	else if (body.len < 4096)
		add_get(&out, body);
	rpc_world_feed(buf_view(&out), 1 << 16);
	buf_deinit(&out);
	return 0;
}
