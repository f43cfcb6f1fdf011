/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extracts the field `bytes content = 1` from UploadArtefactRequest messages as their bytes arrive, without buffering a
 * message: a content may have any size, in one message or in many.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct upload_parser {
	enum { PARSER_TAG, PARSER_VARINT, PARSER_LENGTH, PARSER_SKIP, PARSER_CONTENT } state;
	uint64_t number; /* the value of an incomplete varint, or the bytes that are left of a field */
	unsigned shift; /* of the next byte of the varint */
	bool is_content; /* the field that follows is the content */
};

/* Called at the start of each message. */
void upload_parser_start(struct upload_parser *parser);

/* Removes bytes from the front of *bytes up to and including the next piece of the content, and returns that piece,
 * which is empty when *bytes had no more content. Returns -1 when the message is malformed. */
int upload_parser_next(struct upload_parser *parser, struct str *bytes, struct str *ret_piece, struct error *err);

/* Whether the message is complete, and not in the middle of a field. */
bool upload_parser_may_end(const struct upload_parser *parser);
