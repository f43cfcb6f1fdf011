/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the field `bytes content = 1` out of UploadArtefactRequest messages as their bytes arrive, so that no message
 * is held whole: a content may have any size, in one message or in many.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct upload_parser {
	enum { PARSER_TAG, PARSER_VARINT, PARSER_LENGTH, PARSER_SKIP, PARSER_CONTENT } state;
	uint64_t number; /* the varint so far, or the bytes that are left of a value */
	unsigned shift;
	bool is_content; /* the value that follows is the content */
};

/* To be called at the start of each message. */
void upload_parser_start(struct upload_parser *parser);

/* Takes bytes off the front of *bytes up to and including the next piece of the content, and returns that piece: empty
 * when *bytes is used up. -1: malformed. */
int upload_parser_next(struct upload_parser *parser, struct str *bytes, struct str *ret_piece, struct error *err);

/* Whether a message may end here. */
bool upload_parser_may_end(const struct upload_parser *parser);
