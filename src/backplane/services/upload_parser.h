/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the one field `bytes content = 1` out of UploadArtefactRequest messages as their bytes come, so that a content
 * of any size passes without being held, be it in many messages or in one.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct upload_parser {
	enum { SKIM_TAG, SKIM_VARINT, SKIM_LENGTH, SKIM_SKIP, SKIM_CONTENT } state;
	uint64_t number; /* the varint at hand, or what is left of a value */
	unsigned shift;
	bool is_content; /* of the value whose length is at hand */
};

/* At the beginning of each message. */
void upload_parser_start(struct upload_parser *skim);

/* Takes bytes off *bytes until a piece of the content stands at its front; returns that piece, or an empty view when
 * *bytes is used up. -1: malformed. */
int upload_parser_next(struct upload_parser *skim, struct str *bytes, struct str *ret_piece, struct error *err);

/* Whether a message may end here. */
bool upload_parser_is_whole(const struct upload_parser *skim);
