/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 digests, which name contents. They are computed piece by piece, and written as 64 lower-case hex characters.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 64 };

struct digest {
	unsigned char bytes[DIGEST_SIZE];
};

struct digest_hex {
	char text[DIGEST_HEX_SIZE + 1];
};

/* A hash in progress. */
struct hasher {
	void *context;
};

void hasher_init(struct hasher *hasher);
void hasher_update(struct hasher *hasher, struct str bytes);
void hasher_final(struct hasher *hasher, struct digest *ret_digest); /* also deinits it */
void hasher_deinit(struct hasher *hasher); /* may follow hasher_final */

void digest_of(struct str bytes, struct digest *ret_digest);
bool digest_eq(const struct digest *a, const struct digest *b);
struct digest_hex digest_to_hex(const struct digest *digest);

/* InvalidArgument: the error shows the text and says what a digest looks like. */
int digest_from_hex(struct str text, struct digest *ret_digest, struct error *err);
