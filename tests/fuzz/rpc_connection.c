/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's connection from its first byte: TLS, HTTP/1.1 or HTTP/2, and the protocols over them. The first byte
 * chooses the size of the pieces in which the rest is sent.
 */
#include "fuzz.h"
#include "rpc_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size > 1 && size < 1 << 16)
		rpc_world_feed(str_new(data + 1, size - 1), data[0] < 128 ? (size_t)data[0] * 16 + 1 : 1 << 16);
	return 0;
}
