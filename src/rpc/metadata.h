/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers as metadata of a call: which of them go on to the next hop, and in which form.
 *
 * gRPC's metadata has names of small letters, digits, '_', '-' and '.'; values of names that end in "-bin" are base64.
 * Some of its stacks take what is malformed for an error of the whole connection, or remember it in the compression of
 * headers and refuse well-formed values of the same header afterwards. So nothing malformed is passed on.
 */
#pragma once

#include "http/http.h"

/* Whether a header belongs to one hop (RFC 9110 section 7.6.1; its next hop has its own), or is part of the protocol.
 */
bool metadata_is_of_one_hop(struct str name);

/* Whether "Connection: name, name" names it, which makes it a header of one hop too. connection: may be empty. */
bool metadata_is_named(struct str connection, struct str name);

/* A list of binary values becomes a header for each, which a few bytes can make thousands of. All headers together may
 * take as much as a peer may send ("max-header-bytes", unless set higher), or as much as came. */
size_t metadata_room(const struct http_headers *headers);

/* Adds a header for each of the binary values of header, which may be a list, written anew without padding; copies the
 * name. Takes what they need off *room. Fails with InvalidArgument at a value that is no base64, and with
 * ResourceExhausted when there is no room; nothing is added then. */
int metadata_add_binary(struct http_headers *headers, struct arena *arena, const struct http_header *header,
			size_t *room, struct error *err);

/* Does so with all binary headers that are passed on. */
int metadata_normalise(struct http_headers *headers, struct arena *arena, struct error *err);

/* Drops headers whose names gRPC does not know: any client of HTTP may send them. */
void metadata_drop_foreign(struct http_headers *headers);

static inline bool metadata_is_binary(struct str name) {
	return name.len > 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
}
